#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "crypto/secret.h"
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
    bool is_answered;  /* the session has said something */
    bool is_returning; /* the session gives its client back: it gets no more */
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

/* Moves what there is. STREAM_END, STREAM_MARK, -ETIMEDOUT where the one side is silent now, other faults. */
static int move(struct task *task, struct flow *flow)
{
    struct splice *splice = flow->splice;
    AUTO_FREE uint8_t *chunk = mem_new(STREAM_CHUNK);
    if (chunk == NULL)
        return -ENOMEM;
    while (flow == &splice->down || !splice->is_returning) {
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
    return STREAM_END;
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

/* Who waits for the session waits no longer. */
static void cut_session(const struct splice *splice)
{
    (void)shutdown(stream_fd(splice->session), SHUT_RDWR);
}

/* The client has said its last, or to this session; where it only closed its direction, it still gets the answers. */
static void end_up(struct task *task, struct splice *splice, int result)
{
    if (result == STREAM_END && stream_shutdown(task, splice->session, GATE_SAY_MS) == 0)
        return;
    splice->is_ending = true;
    if (splice->is_returning)
        cut_session(splice);
}

/* --- the way back --- */

/* What is on its way goes on, and then the session sees the end. */
static void stop_up(struct task *task, struct splice *splice)
{
    splice->is_returning = true;
    if (splice->up.is_running || splice->up.is_over)
        return;
    (void)!stream_call(splice->up.from, 0, NULL, NULL);
    splice->up.is_over = true;
    end_up(task, splice, STREAM_END);
}

/* All up to the second mark. */
static int read_early(struct task *task, struct splice *splice, struct buf *early)
{
    int64_t deadline = loop_now(task_loop(task)) + GATE_CALL_MS;
    for (;;) {
        uint8_t *at = NULL;
        size_t len = 0;
        int64_t left = deadline - loop_now(task_loop(task));
        int result = buf_reserve(early, STREAM_CHUNK, &at);
        if (result == 0)
            result = stream_read(task, splice->session, at, STREAM_CHUNK, left < 0 ? 0 : left, &len);
        if (result == STREAM_END)
            return -ECONNRESET;
        if (result != STREAM_OK)
            return result;
        buf_commit(early, len);
    }
}

/* Where this succeeds, neither direction is served any more. */
static int take_back(struct task *task, struct splice *splice, struct buf *early)
{
    stop_up(task, splice);
    int result = stream_flush(task, splice->connection->stream, SPLICE_STALL_MS);
    if (result == 0)
        result = read_early(task, splice, early);
    if (result < 0)
        return result;
    bool is_whole = splice->up.is_over && !splice->up.is_running && !splice->is_ending;
    return is_whole ? 0 : -EPROTO; /* it says that it has read all, before it can have */
}

static void end_return(struct task *task, struct splice *splice, int result)
{
    if (result != -ECANCELED) {
        log_warn("gate.return.failed", F_FAULT(result));
        (void)!stream_write_text(task, splice->connection->stream, "* BYE [UNAVAILABLE] Please connect again\r\n",
                                 GATE_SAY_MS);
        (void)!stream_shutdown(task, splice->connection->stream, GATE_SAY_MS);
    }
    cut_session(splice);
    splice->down.is_running = false;
    splice->is_ending = true;
    rest(splice);
}

/* The session gives its client back: the task goes on as that of a connection before its login. */
static void go_back(struct task *task, struct splice *splice)
{
    AUTO_BUF struct buf early;
    buf_init(&early, SPLICE_RETURN_MAX);
    int result = take_back(task, splice, &early);
    if (result < 0) {
        end_return(task, splice, result);
    } else {
        AUTO(connection) struct connection *connection = TAKE(splice->connection);
        splice_free(splice);
        imap_serve_again(task, &connection, &early);
        if (connection != NULL && task_is_cancelled(task))
            connection_say_stopping(connection);
    }
    if (early.bytes != NULL)
        secret_wipe(early.bytes, early.room);
}

/* --- the flows --- */

static void run_flow(struct task *task, void *arg)
{
    struct flow *flow = arg;
    struct splice *splice = flow->splice;
    int result = flow == &splice->up ? move_first(task, splice) : 0;
    if (result == 0)
        result = move(task, flow);
    if (result == STREAM_MARK) {
        go_back(task, splice);
        return;
    }
    if (result == -ETIMEDOUT && flow == &splice->up && splice->is_returning)
        result = STREAM_END;
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
    if (service_protocol(connection->service) == GATE_IMAP)
        stream_expect_marks(splice->session);
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
