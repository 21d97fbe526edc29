#include "tool/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "tool/tool.h"

int control_write(span_t words, span_t input, struct buf *packet)
{
    uint8_t length[4];
    if (words.len > TOOL_PACKET_MAX || input.len > TOOL_PACKET_MAX - words.len)
        return -EMSGSIZE;
    bytes_put_u32(length, (uint32_t)words.len);
    (void)buf_append(packet, span_of(length, sizeof(length)));
    (void)buf_append(packet, words);
    (void)buf_append(packet, input);
    return buf_fault(packet);
}

int control_read(span_t packet, struct control_answer *answer)
{
    if (packet.len < 8)
        return -EPROTO;
    size_t length = bytes_get_u32(packet.at + 4);
    span_t rest = span_from(packet, 8);
    if (length > rest.len)
        return -EPROTO;
    answer->status = bytes_get_u32(packet.at);
    int result = buf_append(&answer->output, span_upto(rest, length));
    return result < 0 ? result : buf_append(&answer->error, span_from(rest, length));
}

static int connect_to(const char *path, int fd, int seconds)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    struct timeval patience = {.tv_sec = seconds};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return 0;
}

/* As recv(2); a descriptor that comes along is the answer's. */
static ssize_t receive(int fd, uint8_t *at, size_t room, struct control_answer *answer)
{
    union {
        struct cmsghdr head;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = at, .iov_len = room};
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    ssize_t got = recvmsg(fd, &head, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *first = got < 0 ? NULL : CMSG_FIRSTHDR(&head);
    if (first != NULL && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_RIGHTS &&
        first->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&answer->session_fd, CMSG_DATA(first), sizeof(int));
    return got;
}

int control_ask(const char *path, span_t packet, int seconds, struct control_answer *answer)
{
    AUTO_BUF struct buf reply;
    uint8_t *at = NULL;
    buf_init(&reply, TOOL_PACKET_MAX);
    AUTO_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int result = connect_to(path, fd, seconds);
    if (result == 0)
        result = buf_reserve(&reply, TOOL_PACKET_MAX, &at);
    if (result < 0)
        return result;
    if (send(fd, packet.at, packet.len, MSG_NOSIGNAL) < 0)
        return errno == EPIPE ? -ECONNRESET : -errno;
    do {
        ssize_t got = receive(fd, at, TOOL_PACKET_MAX, answer);
        if (got < 0)
            return -errno;
        if (got == 0)
            return -ECONNRESET;
        result = control_read(span_of(at, (size_t)got), answer);
    } while (result == 0 && answer->status == TOOL_MORE);
    return result;
}
