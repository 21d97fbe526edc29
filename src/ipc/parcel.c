#include "ipc/parcel.h"

#include "base/log.h"
#include "rt/task.h"

struct parcel {
    struct body_writer *writer;
    span_t bytes;
    int64_t timeout_ms;
};

/* The socket's buffer may not hold all of it, so it is written while the peer is asked to take it. */
static void write_task(struct task *task, void *arg)
{
    struct parcel *parcel = arg;
    int result = body_finish(task, parcel->writer, parcel->bytes, parcel->timeout_ms);
    if (result < 0)
        log_debug("ipc.parcel.broken", F_FAULT(result));
    body_writer_free(TAKE(parcel->writer));
}

static int call_beside(struct task *task, struct channel *channel, struct ipc_message *request, struct parcel *parcel,
                       struct ipc_message **ret_reply)
{
    int ends[2];
    struct task_group helper;
    task_group_init(&helper);
    int result = body_pair(ends);
    if (result < 0)
        return result;
    request->fd_count = 1;
    request->fds[0] = ends[1];
    result = body_writer_new(task_loop(task), ends[0], &parcel->writer);
    if (result == 0)
        result = task_group_spawn(&helper, task_loop(task), "ipc.parcel", write_task, parcel);
    if (result == 0)
        result = channel_call_within(task, channel, request, parcel->timeout_ms, ret_reply);
    else
        ipc_message_close_fds(request);
    if (result < 0)
        task_group_cancel(&helper);
    task_group_wait(task, &helper);
    body_writer_free(TAKE(parcel->writer));
    return result;
}

int parcel_call(struct task *task, struct channel *channel, struct ipc_message *request, span_t *content, span_t bytes,
                int64_t timeout_ms, struct ipc_message **ret_reply)
{
    if (bytes.len <= BODY_SMALL_MAX) {
        *content = bytes;
        return channel_call_within(task, channel, request, timeout_ms, ret_reply);
    }
    struct parcel parcel = {.bytes = bytes, .timeout_ms = timeout_ms};
    return call_beside(task, channel, request, &parcel, ret_reply);
}
