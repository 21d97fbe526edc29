#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "role/supervisor/state.h"

/* A local socket is connected at once, or its queue is full: nobody is waited for here. */
static int connect_path(const char *path, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, len + 1);
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

void reach_clamd(struct supervisor *supervisor, struct channel *channel, const struct ipc_message *message)
{
    struct ipc_message reply = {.type = IPC_reached};
    const char *path = supervisor->start->conf->filter_clamd;
    int result = path[0] == '/' ? connect_path(path, &reply.fds[0]) : -EINVAL;
    if (result == 0)
        reply.fd_count = 1;
    else
        reply.reached.fault = (uint32_t)-result;
    result = channel_reply(channel, message->call, &reply);
    if (result != 0)
        log_debug("reach.unheard", F_FAULT(result));
}
