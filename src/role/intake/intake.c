#include "role/intake/intake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "crypto/secret.h"
#include "priv/rights.h"
#include "role/intake/filter.h"
#include "role/intake/intake-state.h"

#define PORTS_MAX 16U
#define KEPT_MEMORY ((size_t)64 << 20)
#define END_WAIT 5000 /* milliseconds for what is under way, once we have to end */

/* Those of the resolver, of the filters, and of who learns from people. */
static size_t list_ports(const struct intake *intake, uint16_t ports[PORTS_MAX])
{
    const uint16_t *asked;
    size_t count = resolver_ports(intake->resolver, &asked);
    assert(count + FILTER_PORTS_MAX + INTAKE_TEACH_PORTS_MAX <= PORTS_MAX);
    memcpy(ports, asked, count * sizeof(*asked));
    count += filter_ports(intake->start->conf, ports + count);
    return count + intake_teach_ports(intake->start->conf, ports + count);
}

static int on_begin(void *arg)
{
    struct intake *intake = arg;
    struct priv_start rights = {.data = intake->start->data, .user = intake->start->conf->server_user};
    uint16_t ports[PORTS_MAX];
    rights.port_count = list_ports(intake, ports);
    rights.ports = ports;
    int result = priv_enter(PRIV_INTAKE, &rights);
    return result == 0 ? filters_begin(intake) : result;
}

static void tell_filters(const struct intake *intake, struct channel *channel, uint64_t call)
{
    AUTO_BUF struct buf rows;
    buf_init(&rows, FILTER_KIND_COUNT * FILTER_ROW_SIZE);
    filters_write(intake, &rows);
    struct ipc_message reply = {.type = IPC_filters_done, .filters_done = {.rows = buf_span(&rows)}};
    int result = channel_reply(channel, call, &reply);
    if (result != 0)
        log_debug("intake.answer.unheard", F_FAULT(result));
}

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    if (message->type == IPC_deliver) {
        intake_deliver(arg, channel, message);
        return;
    }
    if (message->type == IPC_filters) {
        tell_filters(arg, channel, message->call);
    } else if (message->type == IPC_teach) {
        intake_teach(arg, message);
    } else {
        log_error("intake.message.unexpected", F_TEXT("type", ipc_type_name(message->type)));
        channel_close(channel);
    }
    ipc_message_free(message);
}

static void on_status(void *arg, struct buf *json)
{
    const struct intake *intake = arg;
    (void)buf_append_format(json,
                            ",\"delivered\":%llu,\"refused\":%llu,\"judged\":%llu,\"held\":%llu,\"reports\":%llu,"
                            "\"reports_refused\":%llu,\"taught\":%llu",
                            (unsigned long long)intake->delivered, (unsigned long long)intake->refused,
                            (unsigned long long)intake->judged, (unsigned long long)intake->held,
                            (unsigned long long)intake->reports, (unsigned long long)intake->reports_refused,
                            (unsigned long long)intake->taught);
    resolver_status(intake->resolver, json);
}

static void on_stop(void *arg)
{
    const struct intake *intake = arg;
    tallier_send(intake->tallier);
    loop_stop(intake->loop);
}

static const struct wiring_hooks hooks = {
    .begin = on_begin, .message = on_message, .stop = on_stop, .status = on_status};

static void on_sender_end(void *arg)
{
    struct intake *intake = arg;
    record_sender_free(TAKE(intake->sender));
    if (intake->held == 0)
        mem_give_back();
}

static int make_resolver(struct intake *intake)
{
    const int result = resolver_new(intake->loop, intake->start->conf, &intake->resolver);
    if (result < 0)
        log_error("intake.resolver.failed", F_TEXT("see", "[dns] resolver, trust_anchor"), F_FAULT(result));
    return result;
}

static int make_tallier(struct intake *intake)
{
    uint8_t key[16];
    random_bytes(key, sizeof(key));
    return tallier_new(intake->loop, intake->wiring, (int64_t)intake->start->conf->reports_interval * 1000, key,
                       &intake->tallier);
}

int intake_run(const struct role_start *start)
{
    struct intake *intake = mem_new(sizeof(*intake));
    if (intake == NULL)
        return EXIT_FAILURE;
    mem_keep(KEPT_MEMORY);
    intake->start = start;
    task_group_init(&intake->tasks);
    list_init(&intake->lessons);
    int result = loop_new(&intake->loop);
    if (result == 0)
        result = timer_new(intake->loop, on_sender_end, intake, &intake->sender_end);
    if (result == 0)
        result = wiring_new(intake->loop, start->supervisor_fd, ROLE_INTAKE, &hooks, intake, &intake->wiring);
    if (result == 0)
        result = make_tallier(intake);
    if (result == 0)
        result = make_resolver(intake);
    if (result == 0)
        result = loop_run(intake->loop);
    if (result != 0)
        log_error("intake.failed", F_FAULT(result));
    if (intake->loop != NULL && loop_finish(intake->loop, END_WAIT) != 0)
        log_warn("intake.end.late");
    intake_drop_lessons(intake);
    tallier_free(intake->tallier);
    wiring_free(intake->wiring);
    timer_free(intake->sender_end);
    record_sender_free(intake->sender);
    filters_end(intake);
    resolver_free(intake->resolver);
    loop_free(intake->loop);
    free(intake);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
