#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/gate/gate.h"
#include "rt/timer.h"
#include "rt/watch.h"

/*
 * Thousands of connections lie idle after login, so an idle one holds next to nothing: no task and no buffer, only
 * two watches. Whichever side speaks gets a task to move its bytes, which ends when that side has fallen silent.
 */

#define SPLICE_STALL_MS 300000 /* how long one side may not take what the other says */

struct splice;

/* One direction. */
struct flow {
    struct splice *splice;
    struct stream *from;
    struct stream *to;
    bool is_running;
    bool is_over; /* nothing more will come */
};

struct splice {
    struct list_link link;
    struct connection *connection;
    struct stream *session;
    struct flow up;   /* client to session */
    struct flow down; /* session to client */
    struct timer *idle;
    bool is_ending;
    bool is_answered; /* the session has said something */
    size_t first_len;
    size_t absent_len;
    uint8_t *first; /* what the client sent before we were here */
    uint8_t absent[SPLICE_ABSENT_MAX];
};

static void rest(struct splice *splice);

static void splice_free(struct splice *splice)
{
    if (splice == NULL)
        return;
    list_remove(&splice->link);
    timer_free(splice->idle);
    stream_free(splice->session);
    connection_free(splice->connection);
    free(splice->first);
    free(splice);
}
SCOPE_OF(splice)

static void end(struct splice *splice)
{
    splice->is_ending = true;
    splice->up.is_over = true;
    splice->down.is_over = true;
    if (!splice->up.is_running && !splice->down.is_running)
        splice_free(splice);
}

/* The session ended before its first word: the client still waits for the answer to its login. */
static void say_unavailable(struct task *task, struct splice *splice)
{
    struct stream *client = splice->connection->stream;
    int result = stream_write(task, client, span_of(splice->absent, splice->absent_len), GATE_SAY_MS);
    if (result == 0)
        result = stream_flush(task, client, GATE_SAY_MS);
    log_warn("gate.session.absent", F_INT("result", result));
}

/* Moves what there is. STREAM_END, -ETIMEDOUT where the one side is silent now, other faults. */
static int move(struct task *task, struct flow *flow)
{
    struct splice *splice = flow->splice;
    AUTO_FREE uint8_t *chunk = mem_new(STREAM_CHUNK);
    if (chunk == NULL)
        return -ENOMEM;
    for (;;) {
        size_t len = 0;
        int result = stream_read(task, flow->from, chunk, STREAM_CHUNK, 0, &len);
        if (result == -ETIMEDOUT) /* silent: what was gathered goes out, and that is all for now */
            return stream_flush(task, flow->to, SPLICE_STALL_MS) < 0 ? -EPIPE : -ETIMEDOUT;
        if (result != STREAM_OK)
            return result;
        if (flow == &splice->down)
            splice->is_answered = true;
        result = stream_write(task, flow->to, span_of(chunk, len), SPLICE_STALL_MS);
        if (result < 0)
            return result == -ETIMEDOUT ? -EPIPE : result;
    }
}

static int move_first(struct task *task, struct splice *splice)
{
    AUTO_FREE uint8_t *first = TAKE(splice->first);
    return first == NULL ? 0 : stream_write(task, splice->session, span_of(first, splice->first_len), SPLICE_STALL_MS);
}

/* The session has ended, or the connection to it: its last words go out, and that was it. */
static void end_down(struct task *task, struct splice *splice)
{
    if (!splice->is_answered && !task_is_cancelled(task))
        say_unavailable(task, splice);
    (void)!stream_shutdown(task, splice->connection->stream, GATE_SAY_MS);
    splice->is_ending = true;
}

/* The client has said its last; where it only closed its direction, it still gets the answers. */
static void end_up(struct task *task, struct splice *splice, int result)
{
    if (result != STREAM_END || stream_shutdown(task, splice->session, GATE_SAY_MS) < 0)
        splice->is_ending = true;
}

static void run_flow(struct task *task, void *arg)
{
    struct flow *flow = arg;
    struct splice *splice = flow->splice;
    int result = flow == &splice->up ? move_first(task, splice) : 0;
    if (result == 0)
        result = move(task, flow);
    if (result != -ETIMEDOUT) {
        flow->is_over = true;
        if (flow == &splice->down)
            end_down(task, splice);
        else
            end_up(task, splice, result);
    }
    flow->is_running = false;
    rest(splice);
}

static void start_flow(struct flow *flow)
{
    if (flow->is_running || flow->is_over)
        return;
    flow->is_running = true;
    if (task_spawn(flow->splice->connection->gate->loop, "gate.splice", run_flow, flow, NULL) == 0)
        return;
    flow->is_running = false;
    flow->splice->is_ending = true;
    timer_start(flow->splice->idle, 0); /* not here: the caller still holds it */
}

static void start_idle(struct splice *splice)
{
    const struct connection *connection = splice->connection;
    timer_start(splice->idle, service_idle_ms(connection->gate, connection->service));
}

static void on_ready(void *arg, unsigned ready)
{
    struct flow *flow = arg;
    (void)ready;
    (void)!stream_call(flow->from, 0, on_ready, flow);
    start_idle(flow->splice);
    start_flow(flow);
}

/* Leaves each silent side to its watch. */
static void rest(struct splice *splice)
{
    struct flow *flows[] = {&splice->up, &splice->down};
    for (size_t i = 0; i < COUNT_OF(flows) && !splice->is_ending; i++) {
        bool is_silent = !flows[i]->is_running && !flows[i]->is_over;
        if (is_silent && stream_call(flows[i]->from, WATCH_READ, on_ready, flows[i]) < 0)
            splice->is_ending = true;
    }
    if (splice->is_ending)
        end(splice);
}

/* Silence from both sides is over at some time (RFC 3501 §5.4, RFC 1939 §3). The session sees its socket close. */
static void on_idle(void *arg)
{
    struct splice *splice = arg;
    if (!splice->up.is_running && !splice->down.is_running) {
        log_debug("gate.idle.ended");
        end(splice);
        return;
    }
    start_idle(splice);
}

static int splice_new(struct connection *connection, int session_fd, struct splice **ret_splice)
{
    AUTO(splice) struct splice *splice = mem_new(sizeof(*splice));
    if (splice == NULL) {
        scope_close(&session_fd);
        connection_free(connection);
        return -ENOMEM;
    }
    splice->connection = connection;
    int result = stream_new(connection->gate->loop, session_fd, &splice->session);
    if (result == 0)
        result = timer_new(connection->gate->loop, on_idle, splice, &splice->idle);
    if (result < 0)
        return result;
    splice->up = (struct flow){.splice = splice, .from = connection->stream, .to = splice->session};
    splice->down = (struct flow){.splice = splice, .from = splice->session, .to = connection->stream};
    *ret_splice = TAKE(splice);
    return 0;
}

int splice_start(struct connection *connection, int session_fd, span_t absent, span_t first)
{
    AUTO(splice) struct splice *splice = NULL;
    int result = splice_new(connection, session_fd, &splice);
    if (result < 0)
        return result;
    splice->absent_len = absent.len < SPLICE_ABSENT_MAX ? absent.len : SPLICE_ABSENT_MAX;
    memcpy(splice->absent, absent.at, splice->absent_len);
    if (first.len > 0) {
        splice->first = mem_new(first.len);
        if (splice->first == NULL)
            return -ENOMEM;
        memcpy(splice->first, first.at, first.len);
        splice->first_len = first.len;
    }
    struct splice *started = TAKE(splice);
    list_push(&connection->gate->splices, &started->link);
    start_idle(started);
    start_flow(&started->up); /* what came early, and what TLS has read ahead */
    start_flow(&started->down);
    return 0;
}

void splice_end_all(struct gate *gate)
{
    struct list_link *link;
    while ((link = list_pop(&gate->splices)) != NULL) {
        struct splice *splice = LIST_ITEM(link, struct splice, link);
        if (splice->is_answered)
            connection_say_stopping(splice->connection);
        splice_free(splice);
    }
}
