#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/gate/gate.h"
#include "rt/watch.h"

#define ACCEPT_PAUSE_MS 200 /* when descriptors or memory run out: what is open has to end first */
#define ACCEPT_BATCH 32     /* before others get their turn */

static const struct service {
    enum gate_protocol protocol;
    bool is_tls;
    span_t crowded; /* the last word to one too many (RFC 5321 §3.8, RFC 3501 §7.1.5, RFC 3206 §4) */
} services[SERVICE_COUNT] = {
#define CROWDED_SMTP SPAN("421 4.7.0 Too many connections, please try again later\r\n")
#define CROWDED_IMAP SPAN("* BYE [UNAVAILABLE] Too many connections, please try again later\r\n")
#define CROWDED_POP3 SPAN("-ERR [SYS/TEMP] Too many connections, please try again later\r\n")
    [SERVICE_SMTP] = {GATE_SMTP, false, CROWDED_SMTP},       [SERVICE_SUBMISSION] = {GATE_SMTP, false, CROWDED_SMTP},
    [SERVICE_SUBMISSION_TLS] = {GATE_SMTP, true, {NULL, 0}}, [SERVICE_IMAP] = {GATE_IMAP, false, CROWDED_IMAP},
    [SERVICE_IMAP_TLS] = {GATE_IMAP, true, {NULL, 0}},       [SERVICE_POP3] = {GATE_POP3, false, CROWDED_POP3},
    [SERVICE_POP3_TLS] = {GATE_POP3, true, {NULL, 0}},       [SERVICE_HTTPS] = {GATE_HTTP, true, {NULL, 0}},
};

enum gate_protocol service_protocol(enum ipc_service service)
{
    return services[service].protocol;
}

bool service_is_tls(enum ipc_service service)
{
    return services[service].is_tls;
}

bool service_has_sessions(enum ipc_service service)
{
    return services[service].protocol == GATE_IMAP || services[service].protocol == GATE_POP3;
}

int64_t service_idle_ms(const struct gate *gate, enum ipc_service service)
{
    const struct conf *conf = gate->conf;
    uint64_t seconds = service_protocol(service) == GATE_POP3 ? conf->pop3_idle_timeout : conf->imap_idle_timeout;
    return (int64_t)seconds * 1000;
}

/* How long a connection may last that nobody has logged in on. */
static uint64_t seconds_to_login(const struct conf *conf, enum ipc_service service)
{
    const uint64_t seconds[] = {[GATE_SMTP] = conf->smtp_connection_time,
                                [GATE_IMAP] = conf->imap_login_timeout,
                                [GATE_POP3] = conf->pop3_login_timeout,
                                [GATE_HTTP] = GATE_REQUEST_S};
    return seconds[service_protocol(service)];
}

struct listener {
    struct gate *gate;
    enum ipc_service service;
    int fd;
};

struct peer {
    char text[GATE_ADDRESS_MAX];
    uint64_t key; /* of its network, as far as one owner reaches: all of an IPv4 address, 64 bits of an IPv6 one */
};

static void name_peer(const struct gate *gate, const struct sockaddr_storage *from, struct peer *ret_peer)
{
    const struct sockaddr_in6 *six = (const void *)from;
    const struct sockaddr_in *four = (const void *)from;
    const uint8_t *mapped = six->sin6_addr.s6_addr + 12;
    bool is_mapped = from->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
    span_t network = SPAN_NONE;
    memset(ret_peer, 0, sizeof(*ret_peer));
    if (is_mapped || from->ss_family == AF_INET) {
        const void *address = is_mapped ? (const void *)mapped : (const void *)&four->sin_addr;
        (void)inet_ntop(AF_INET, address, ret_peer->text, sizeof(ret_peer->text));
        network = span_of(address, 4);
    } else if (from->ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &six->sin6_addr, ret_peer->text, sizeof(ret_peer->text));
        network = span_of(six->sin6_addr.s6_addr, 8);
    }
    ret_peer->key = hash_keyed(gate->hash_key, network);
}

/* The table keeps numbers in the place of pointers: 0 is none. */
static size_t count_of(const struct gate *gate, uint64_t key)
{
    return (size_t)(uintptr_t)map_get(gate->addresses, key);
}

static int count_in(struct gate *gate, uint64_t key)
{
    size_t count = count_of(gate, key) + 1;
    int result = map_put(gate->addresses, key, (void *)(uintptr_t)count); // NOLINT(performance-no-int-to-ptr)
    if (result == 0)
        gate->connections++;
    return result;
}

static void count_out(struct gate *gate, uint64_t key)
{
    size_t count = count_of(gate, key);
    gate->connections--;
    if (gate->is_draining && gate->connections == 0)
        loop_stop(gate->loop);
    if (count > 1) /* replacing what is there takes no memory */
        (void)!map_put(gate->addresses, key, (void *)(uintptr_t)(count - 1)); // NOLINT(performance-no-int-to-ptr)
    else
        (void)map_remove(gate->addresses, key);
}

void connection_free(struct connection *connection)
{
    if (connection == NULL)
        return;
    stream_free(connection->stream);
    count_out(connection->gate, connection->counted);
    free(connection);
}

void connection_await_login(struct connection *connection)
{
    const struct gate *gate = connection->gate;
    connection->deadline = loop_now(gate->loop) + (int64_t)seconds_to_login(gate->conf, connection->service) * 1000;
}

int64_t connection_patience(const struct connection *connection, uint64_t seconds)
{
    int64_t left = connection->deadline - loop_now(connection->gate->loop);
    int64_t wanted = (int64_t)seconds * 1000;
    return left < 0 ? 0 : left < wanted ? left : wanted;
}

bool looks_like_tls(span_t input)
{
    return input.len >= 2 && input.at[0] == 0x16 && input.at[1] == 0x03;
}

int connection_start_tls(struct task *task, struct connection *connection)
{
    struct gate *gate = connection->gate;
    uint64_t idle = gate->conf->smtp_idle_timeout;
    int64_t patience = connection_patience(connection, idle < GATE_HANDSHAKE_S ? idle : GATE_HANDSHAKE_S);
    int result = stream_start_tls_server(task, connection->stream, gate->tls, patience);
    if (result < 0 && result != -ECANCELED)
        log_info("gate.tls.failed", F_U64("service", connection->service),
                 F_HASH("client", span_of_text(connection->address)), F_FAULT(result));
    return result;
}

bool connection_can_bind(const struct connection *connection)
{
    uint8_t binding[STREAM_BINDING_SIZE];
    return stream_tls_binding(connection->stream, binding) == 0;
}

/* A task that is cancelled can wait for nothing any more. */
void connection_say_stopping(const struct connection *connection)
{
    static const char *const words[] = {
        [GATE_SMTP] = "421 4.3.2 This server is being stopped, please come back\r\n", /* RFC 5321 §3.8 */
        [GATE_IMAP] = "* BYE [UNAVAILABLE] This server is being stopped\r\n",         /* RFC 3501 §7.1.5 */
        [GATE_POP3] = "", /* it only ever answers (RFC 1939 §3) */
        [GATE_HTTP] = "",
    };
    stream_say_now(connection->stream, span_of_text(words[service_protocol(connection->service)]));
}

enum sasl_scram gate_scram(const struct gate *gate)
{
    static const char *const names[] = {
        [SASL_SCRAM_ANNOUNCED] = "announced", [SASL_SCRAM_ASKED] = "asked", [SASL_SCRAM_OFF] = "off"};
    enum sasl_scram scram = SASL_SCRAM_ANNOUNCED;
    while (scram < SASL_SCRAM_OFF && strcmp(names[scram], gate->conf->auth_scram) != 0)
        scram++;
    return scram;
}

bool connection_takes(const struct connection *connection, enum sasl_mechanism mechanism)
{
    if (mechanism == SASL_SCRAM_SHA_256_PLUS && !connection_can_bind(connection))
        return false;
    return !sasl_mechanism_is_scram(mechanism) || gate_scram(connection->gate) != SASL_SCRAM_OFF;
}

static void run_connection(struct task *task, void *arg)
{
    AUTO(connection) struct connection *connection = arg;
    if (service_is_tls(connection->service) && connection_start_tls(task, connection) < 0)
        return;
    switch (service_protocol(connection->service)) {
    case GATE_SMTP:
        smtp_serve(task, connection);
        break;
    case GATE_IMAP:
        imap_serve(task, &connection);
        break;
    case GATE_POP3:
        pop3_serve(task, &connection);
        break;
    case GATE_HTTP:
        http_serve(task, connection);
        break;
    }
    if (connection != NULL && task_is_cancelled(task))
        connection_say_stopping(connection);
}

static int start_connection(struct gate *gate, enum ipc_service service, int fd, const struct peer *peer)
{
    AUTO_FD int owned = fd;
    struct connection *connection = mem_new(sizeof(*connection));
    if (connection == NULL)
        return -ENOMEM;
    int result = stream_new(gate->loop, TAKE_FD(owned), &connection->stream);
    if (result == 0)
        result = count_in(gate, peer->key);
    if (result < 0) {
        stream_free(connection->stream);
        free(connection);
        return result;
    }
    connection->gate = gate;
    connection->service = service;
    connection->counted = peer->key;
    connection_await_login(connection);
    memcpy(connection->address, peer->text, sizeof(connection->address));
    result = task_spawn(gate->loop, "gate.connection", run_connection, connection, NULL);
    if (result < 0)
        connection_free(connection);
    return result;
}

/* One try at a last word, which never waits: a flood must cost little. */
static void turn_away(struct gate *gate, enum ipc_service service, int fd)
{
    span_t word = services[service].crowded;
    gate->refused++;
    if (word.len > 0)
        (void)!send(fd, word.at, word.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)close(fd);
}

static void take_in(struct gate *gate, enum ipc_service service, int fd, const struct sockaddr_storage *from)
{
    static const int on = 1;
    struct peer peer;
    name_peer(gate, from, &peer);
    gate->accepted++;
    if (gate->connections >= gate->conf->smtp_connections_max ||
        count_of(gate, peer.key) >= gate->conf->smtp_connections_per_address) {
        log_info("gate.crowded", F_U64("service", service), F_HASH("client", span_of_text(peer.text)),
                 F_U64("connections", gate->connections));
        turn_away(gate, service, fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int result = start_connection(gate, service, fd, &peer);
    if (result < 0)
        log_warn("gate.connection.failed", F_FAULT(result));
}

/* How to go on after accept4() failed (accept(2)): 0 wait for the next, 1 pause, negative give up. */
static int after_failure(int fault)
{
    switch (fault) {
    case EAGAIN:
        return 0;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return 1;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
        return -fault;
    default: /* the connection was gone before we came to it */
        return 0;
    }
}

static int accept_some(struct task *task, struct listener *listener, struct watch *watch)
{
    for (unsigned taken = 0; taken < ACCEPT_BATCH; taken++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof(from);
        int fd = accept4(listener->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take_in(listener->gate, listener->service, fd, &from);
            continue;
        }
        int fault = errno;
        int next = after_failure(fault);
        if (next < 0)
            return next;
        if (next == 0)
            return fault == EAGAIN ? watch_wait(task, watch, WATCH_READ, FOREVER) : 0;
        log_warn("gate.accept.paused", F_FAULT(-fault), F_U64("connections", listener->gate->connections));
        return task_sleep(task, ACCEPT_PAUSE_MS);
    }
    return task_yield(task);
}

static void run_listener(struct task *task, void *arg)
{
    AUTO_FREE struct listener *listener = arg;
    AUTO_FD int fd = listener->fd;
    AUTO(watch) struct watch *watch = NULL;
    int result = event_wait(task, &listener->gate->confined, FOREVER); /* until then, whoever has come waits */
    if (result == 0)
        result = watch_new(listener->gate->loop, fd, &watch);
    while (result == 0)
        result = accept_some(task, listener, watch);
    if (result != -ECANCELED)
        log_error("gate.listener.ended", F_U64("service", listener->service), F_FAULT(result));
}

int gate_listen(struct gate *gate, enum ipc_service service, int fd)
{
    AUTO_FD int owned = fd;
    AUTO_FREE struct listener *listener = mem_new(sizeof(*listener));
    if (listener == NULL)
        return -ENOMEM;
    *listener = (struct listener){.gate = gate, .service = service, .fd = fd};
    int result = task_group_spawn(&gate->listeners, gate->loop, "gate.listener", run_listener, listener);
    if (result < 0)
        return result;
    (void)TAKE_FD(owned);
    (void)TAKE(listener);
    return 0;
}
