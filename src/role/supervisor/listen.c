#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "role/supervisor/state.h"

#define BACKLOG 1024

struct place {
    struct sockaddr_storage address;
    socklen_t size;
};

static int parse_address(span_t word, uint16_t port, struct place *ret_place)
{
    char text[INET6_ADDRSTRLEN + 1];
    if (word.len >= sizeof(text))
        return -EINVAL;
    memcpy(text, word.at, word.len);
    text[word.len] = '\0';
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    *ret_place = (struct place){.size = 0};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
        memcpy(&ret_place->address, &four, sizeof(four));
        ret_place->size = sizeof(four);
    } else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1) {
        memcpy(&ret_place->address, &six, sizeof(six));
        ret_place->size = sizeof(six);
    }
    return ret_place->size == 0 ? -EINVAL : 0;
}

static int bind_to(const struct place *place, int *ret_fd)
{
    int family = place->address.ss_family;
    int on = 1;
    AUTO_FD int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* what is accepted inherits it */
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&place->address, place->size) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int listen_at(struct supervisor *supervisor, span_t word, enum ipc_service service)
{
    uint16_t port = conf_port(supervisor->conf, service);
    struct place place;
    int fd = -1;
    if (port == 0)
        return 0;
    if (supervisor->listener_count == LISTENERS_MAX)
        return -E2BIG;
    int result = parse_address(word, port, &place);
    if (result == 0)
        result = bind_to(&place, &fd);
    if (place.address.ss_family == AF_INET6 && (result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL)) {
        log_warn("supervisor.listen.skipped", F_SPAN("address", word)); /* a machine without IPv6 */
        return 0;
    }
    if (result < 0) {
        log_error("supervisor.listen.failed", F_SPAN("address", word), F_U64("port", port), F_FAULT(result));
        return result;
    }
    supervisor->listeners[supervisor->listener_count++] = (struct listener){service, fd};
    return 0;
}

int listen_all(struct supervisor *supervisor)
{
    span_t rest = span_of_text(supervisor->conf->server_listen);
    int result = 0;
    for (span_t word; result == 0 && conf_next_word(&rest, &word);) {
        for (enum ipc_service service = 0; result == 0 && service < SERVICE_COUNT; service++)
            result = listen_at(supervisor, word, service);
    }
    return result;
}

void listen_close(struct supervisor *supervisor)
{
    while (supervisor->listener_count > 0)
        (void)close(supervisor->listeners[--supervisor->listener_count].fd);
}
