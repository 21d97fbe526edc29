#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "role/keeper/keeper-state.h"

/* As one packet in a socket that only the receiver of its other end can read: keys stand in no message's memory. */
static int pair_send(const struct keeper *keeper, int fd)
{
    uint8_t packet[2 * KEY_SIZE];
    struct buf view = {.bytes = packet, .room = sizeof(packet), .max = sizeof(packet)};
    buf_append(&view, secret_span(keeper->queue_key));
    buf_append(&view, span_of(keeper->queue_public, KEY_SIZE));
    ssize_t sent = send(fd, packet, buf_len(&view), MSG_NOSIGNAL | MSG_DONTWAIT);
    int result = sent == (ssize_t)sizeof(packet) ? 0 : -EIO;
    secret_wipe(packet, sizeof(packet));
    return result;
}

void keeper_queue_key(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    (void)task;
    int ends[2];
    struct ipc_message reply = {.type = IPC_queue_key_done};
    int result = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0 ? -errno : 0;
    if (result == 0) {
        AUTO_FD int here = ends[0];
        reply.fd_count = 1;
        reply.fds[0] = ends[1];
        result = pair_send(keeper, here);
    }
    if (result < 0) {
        log_error("keeper.queue.unsent", F_FAULT(result));
        ipc_message_close_fds(&reply);
    }
    keeper_reply(request, &reply);
}
