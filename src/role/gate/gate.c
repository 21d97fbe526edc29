#include "role/gate/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/secret.h"
#include "priv/rights.h"
#include "role/gate/outsider.h"
#include "rt/tls.h"

#define PEM_MAX 262144U
#define FINISH_MS 3000 /* for connections to end when the gate is stopped */

/* --- the certificate ------------------------------------------------------------------------------------------- */

static int read_pem(const char *path, struct buf *pem)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (;;) {
        uint8_t *at = NULL;
        int result = buf_reserve(pem, 4096, &at);
        if (result < 0)
            return result;
        ssize_t got = read(fd, at, 4096);
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0;
        buf_commit(pem, (size_t)got);
    }
}

/* The configured file, or the one the supervisor has made in the data directory. */
static int read_configured(const struct gate *gate, const char *configured, const char *made, struct buf *pem)
{
    char path[4096];
    if (configured[0] != '\0')
        return read_pem(configured, pem);
    int len = snprintf(path, sizeof(path), "%s/%s", gate->start->data, made);
    return len < 0 || (size_t)len >= sizeof(path) ? -ENAMETOOLONG : read_pem(path, pem);
}

static int load_tls(struct gate *gate)
{
    const struct conf *conf = gate->conf;
    AUTO_BUF struct buf certificates;
    AUTO_BUF struct buf key;
    buf_init(&certificates, PEM_MAX);
    buf_init(&key, PEM_MAX);
    int result = read_configured(gate, conf->tls_certificate, "tls-cert.pem", &certificates);
    if (result == 0)
        result = read_configured(gate, conf->tls_key, "tls-key.pem", &key);
    if (result == 0)
        result = tls_server_new(buf_span(&certificates), buf_span(&key),
                                strcmp(conf->tls_minimum, "1.3") == 0 ? TLS_1_3 : TLS_1_2, &gate->tls);
    if (key.bytes != NULL)
        secret_wipe(key.bytes, key.room);
    if (result < 0)
        log_error("gate.tls.unusable", F_FAULT(result));
    return result;
}

/* --- what the supervisor asks ------------------------------------------------------------------------------------ */

/* Everything that needs a path is opened here; after it there is no file system. */
static int on_begin(void *arg)
{
    struct gate *gate = arg;
    struct priv_start confinement = {.data = gate->start->data, .user = gate->conf->server_user};
    int result = load_tls(gate);
    if (result == 0)
        result = priv_enter(PRIV_GATE, &confinement);
    if (result == 0)
        event_raise(&gate->confined);
    return result;
}

static void on_listener(void *arg, enum ipc_service service, int fd)
{
    AUTO_FD int owned = fd;
    if (service >= SERVICE_COUNT)
        return;
    int result = gate_listen(arg, service, TAKE_FD(owned));
    if (result < 0)
        log_error("gate.listener.failed", F_U64("service", service), F_FAULT(result));
}

static void drain(struct gate *gate)
{
    gate->is_draining = true;
    task_group_cancel(&gate->listeners);
    if (gate->connections == 0)
        loop_stop(gate->loop);
}

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    if (message->type == IPC_drain)
        drain(arg);
    int result = message->type == IPC_filters ? outsider_tell(arg, channel, message->call) : 0;
    if (result < 0)
        log_debug("gate.answer.unheard", F_FAULT(result));
    ipc_message_free(message);
}

static void on_status(void *arg, struct buf *json)
{
    const struct gate *gate = arg;
    buf_append_format(json, ",\"connections\":%zu,\"accepted\":%llu,\"refused\":%llu,\"messages\":%llu",
                      gate->connections, (unsigned long long)gate->accepted, (unsigned long long)gate->refused,
                      (unsigned long long)gate->messages);
}

static void on_peer(void *arg, struct channel *channel)
{
    struct gate *gate = arg;
    (void)channel;
    event_pulse(&gate->wired);
}

static const struct wiring_hooks hooks = {
    .begin = on_begin, .message = on_message, .peer = on_peer, .listener = on_listener, .status = on_status};

/* --- life ------------------------------------------------------------------------------------------------------------
 */

static void gate_close(struct gate *gate)
{
    splice_end_all(gate);
    wiring_free(gate->wiring);
    tls_server_free(gate->tls);
    map_free(gate->addresses);
}

static int gate_open(struct gate *gate, const struct role_start *start, struct loop *loop)
{
    gate->start = start;
    gate->conf = start->conf;
    gate->loop = loop;
    list_init(&gate->splices);
    task_group_init(&gate->listeners);
    event_init(&gate->wired);
    event_init(&gate->confined);
    outsider_begin(gate);
    random_bytes(gate->hash_key, sizeof(gate->hash_key));
    int result = map_new(&gate->addresses);
    if (result == 0)
        result = wiring_new(loop, start->supervisor_fd, ROLE_GATE, &hooks, gate, &gate->wiring);
    return result;
}

int gate_run(const struct role_start *start)
{
    AUTO(loop) struct loop *loop = NULL;
    struct gate gate = {0};
    int result = loop_new(&loop);
    if (result == 0)
        result = gate_open(&gate, start, loop);
    if (result == 0)
        result = loop_run(loop);
    if (result < 0)
        log_error("gate.failed", F_FAULT(result));
    if (loop != NULL && loop_finish(loop, FINISH_MS) < 0)
        log_warn("gate.unfinished", F_U64("connections", gate.connections));
    gate_close(&gate);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
