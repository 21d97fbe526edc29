#include "role/gate/body.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "ipc/body.h"

#define BODY_SMALL 65536U /* fits a socket buffer, so that handing it over never waits */
#define BODY_PIECE 49152U /* a larger one moves on in pieces of at least this */
#define BODY_ROOM_MAX (BODY_SMALL + 2 * STREAM_BULK)
#define BODY_PATIENCE_MS 300000

struct body {
    struct gate *gate;
    struct body_envelope envelope;
    struct buf room;
    span_t content;             /* where the message goes along with the envelope */
    struct body_writer *writer; /* once it is on its way */
    struct ipc_message *verdict;
    struct task_group helper; /* holds the call while the body flows */
    int socket;               /* intake's end, until it is sent */
    int result;               /* of the call */
    bool is_started;
    bool is_refused; /* intake reads no more: what still comes from the client is dropped */
};

int body_new(struct gate *gate, const struct body_envelope *envelope, struct body **ret_body)
{
    struct body *body = mem_new(sizeof(*body));
    if (body == NULL)
        return -ENOMEM;
    body->gate = gate;
    body->envelope = *envelope;
    body->socket = -1;
    buf_init(&body->room, BODY_ROOM_MAX);
    task_group_init(&body->helper);
    *ret_body = body;
    return 0;
}

void body_free(struct task *task, struct body *body)
{
    if (body == NULL)
        return;
    body_writer_free(body->writer);
    if (!task_group_is_empty(&body->helper)) {
        task_group_cancel(&body->helper);
        task_group_wait(task, &body->helper);
    }
    scope_close(&body->socket);
    ipc_message_free(body->verdict);
    buf_deinit(&body->room);
    free(body);
}

struct buf *body_room(struct body *body)
{
    return &body->room;
}

/* Sends the envelope with the socket to one of the intakes, and waits for its verdict. */
static int call_intake(struct task *task, struct body *body)
{
    const struct body_envelope *envelope = &body->envelope;
    struct channel *intake = wiring_any(body->gate->wiring, ROLE_INTAKE);
    struct ipc_message request = {.type = IPC_deliver,
                                  .fd_count = body->socket >= 0 ? 1 : 0,
                                  .fds = {TAKE_FD(body->socket), -1},
                                  .deliver = {.flags = envelope->flags,
                                              .account = envelope->account,
                                              .user = envelope->user,
                                              .client = envelope->client,
                                              .helo = envelope->helo,
                                              .cipher = envelope->cipher,
                                              .sender = envelope->sender,
                                              .for_address = envelope->for_address,
                                              .recipients = envelope->recipients,
                                              .remote = envelope->remote,
                                              .envid = envelope->envid,
                                              .hold_until = (uint64_t)envelope->hold_until,
                                              .content = body->content}};
    if (intake == NULL) {
        ipc_message_close_fds(&request);
        return -EPIPE;
    }
    return channel_call(task, intake, &request, &body->verdict);
}

static void run_call(struct task *task, void *arg)
{
    struct body *body = arg;
    body->result = call_intake(task, body);
    body->is_refused = true; /* whatever it says, it says it with the body read, or unwanted */
}

static int open_pair(struct body *body)
{
    int fds[2] = {-1, -1};
    int result = body_pair(fds);
    if (result < 0)
        return result;
    body->socket = fds[1];
    return body_writer_new(body->gate->loop, fds[0], &body->writer);
}

/* The message is not small: from here on it flows while it comes in. */
static int start_flow(struct body *body)
{
    body->is_started = true;
    int result = open_pair(body);
    if (result == 0)
        result = task_group_spawn(&body->helper, body->gate->loop, "gate.deliver", run_call, body);
    return result;
}

int body_push(struct task *task, struct body *body)
{
    int result = 0;
    if (buf_len(&body->room) < (body->is_started ? BODY_PIECE : BODY_SMALL))
        return 0;
    if (!body->is_started)
        result = start_flow(body);
    if (result == 0 && !body->is_refused)
        result = body_write(task, body->writer, buf_span(&body->room), BODY_PATIENCE_MS);
    buf_clear(&body->room);
    if (result < 0 && result != -ECANCELED) {
        body->is_refused = true;
        return 0;
    }
    return result;
}

/* A small message: along with the call, or all of it into the socket and then the call. */
static int deliver_small(struct task *task, struct body *body)
{
    body->is_started = true;
    size_t len = buf_len(&body->room);
    if (len > 0 && len <= BODY_SMALL_MAX) {
        body->content = buf_span(&body->room);
        return call_intake(task, body);
    }
    int result = open_pair(body);
    if (result == 0)
        result = body_finish(task, body->writer, buf_span(&body->room), BODY_PATIENCE_MS);
    return result < 0 ? result : call_intake(task, body);
}

static int deliver_rest(struct task *task, struct body *body)
{
    int result = body->is_refused ? 0 : body_finish(task, body->writer, buf_span(&body->room), BODY_PATIENCE_MS);
    if (result < 0 && result != -EPIPE) { /* -EPIPE: intake has a verdict already */
        task_group_cancel(&body->helper);
        task_group_wait(task, &body->helper);
        return result;
    }
    task_group_wait(task, &body->helper);
    return body->result;
}

static enum smtp_body_end end_of(uint32_t outcome)
{
    static const enum smtp_body_end ends[] = {
        [DELIVER_OK] = SMTP_BODY_ACCEPTED,     [DELIVER_LATER] = SMTP_BODY_LATER,
        [DELIVER_REFUSED] = SMTP_BODY_REFUSED, [DELIVER_TOO_LARGE] = SMTP_BODY_TOO_LARGE,
        [DELIVER_LOOP] = SMTP_BODY_LOOP,       [DELIVER_FULL] = SMTP_BODY_FULL,
        [DELIVER_WAIT] = SMTP_BODY_WAIT,       [DELIVER_UNREADABLE] = SMTP_BODY_UNREADABLE,
    };
    return outcome < COUNT_OF(ends) ? ends[outcome] : SMTP_BODY_LATER;
}

int body_end(struct task *task, struct body *body, enum smtp_body_end *ret_end, span_t *ret_text)
{
    int result = body->is_started ? deliver_rest(task, body) : deliver_small(task, body);
    if (task_is_cancelled(task))
        return -ECANCELED;
    *ret_end = SMTP_BODY_LATER;
    *ret_text = SPAN_NONE;
    if (result < 0 || body->verdict == NULL) {
        log_warn("gate.intake.silent", F_FAULT(result));
        return 0;
    }
    *ret_end = end_of(body->verdict->delivered.outcome);
    *ret_text = body->verdict->delivered.text;
    body->gate->messages += *ret_end == SMTP_BODY_ACCEPTED;
    return 0;
}

bool body_is_junk(const struct body *body)
{
    return body->verdict != NULL && body->verdict->delivered.is_junk != 0;
}
