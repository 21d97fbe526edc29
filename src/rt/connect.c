#include "rt/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/scope.h"
#include "rt/task.h"
#include "rt/watch.h"

bool address_set(struct address *address, span_t bytes, uint16_t port)
{
    memset(address, 0, sizeof(*address));
    if (bytes.len == 4) {
        address->four.sin_family = AF_INET;
        address->four.sin_port = htons(port);
        memcpy(&address->four.sin_addr, bytes.at, 4);
        return true;
    }
    if (bytes.len != 16)
        return false;
    address->six.sin6_family = AF_INET6;
    address->six.sin6_port = htons(port);
    memcpy(&address->six.sin6_addr, bytes.at, 16);
    return true;
}

bool address_parse(struct address *address, span_t text, uint16_t port)
{
    char copy[ADDRESS_TEXT_MAX];
    uint8_t bytes[16];
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1)
        return address_set(address, span_of(bytes, 4), port);
    return inet_pton(AF_INET6, copy, bytes) == 1 && address_set(address, span_of(bytes, 16), port);
}

void address_text(const struct address *address, char ret_text[ADDRESS_TEXT_MAX])
{
    bool is_six = address->any.sa_family == AF_INET6;
    const void *bytes = is_six ? (const void *)&address->six.sin6_addr : (const void *)&address->four.sin_addr;
    ret_text[0] = '\0';
    (void)inet_ntop(address->any.sa_family, bytes, ret_text, ADDRESS_TEXT_MAX);
}

static socklen_t size_of(const struct address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof(address->six) : sizeof(address->four);
}

static int wait_until_connected(struct task *task, int fd, int64_t timeout_ms)
{
    AUTO(watch) struct watch *watch = NULL;
    int fault = 0;
    socklen_t size = sizeof(fault);
    int result = watch_new(task_loop(task), fd, &watch);
    if (result == 0)
        result = watch_wait(task, watch, WATCH_WRITE, timeout_ms);
    if (result == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size) < 0)
        result = -errno;
    return result == 0 ? -fault : result;
}

int connect_to(struct task *task, const struct address *to, const struct address *from, int64_t timeout_ms, int *ret_fd)
{
    static const int yes = 1;
    AUTO_FD int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (from != NULL && bind(fd, &from->any, size_of(from)) < 0)
        return -errno;
    if (connect(fd, &to->any, size_of(to)) < 0) {
        int result = errno == EINPROGRESS ? wait_until_connected(task, fd, timeout_ms) : -errno;
        if (result < 0)
            return result;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}
