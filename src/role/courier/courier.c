#include "role/courier/courier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "priv/rights.h"
#include "role/courier/courier-state.h"
#include "role/courier/reporting.h"

#define KEPT_MEMORY ((size_t)16 << 20)
#define END_WAIT 2000
#define STOP_WAIT 4000 /* for what is under way, once we have to end */
#define OVER_MAX (64U << 20)
#define AT_A_TIME 512U /* things that are due, before others have their turn */
#define PORTS_MAX 64U
#define CLOCK_MS 60000 /* the clock may be set */
#define KEY_RETRY_MS 500

int64_t courier_seconds(void)
{
    return (int64_t)time(NULL);
}

/* --- the clock ---------------------------------------------------------------------------------------------------- */

static void wind(struct courier *courier)
{
    const struct due *first = schedule_first(&courier->schedule);
    if (first == NULL || !courier->is_loaded)
        return;
    int64_t wait = (first->at - courier_seconds()) * 1000;
    timer_start(courier->clock, wait < 0 ? 0 : wait > CLOCK_MS ? CLOCK_MS : wait);
}

void courier_schedule(struct courier *courier, struct due *due, int64_t at)
{
    if (schedule_put(&courier->schedule, due, at) < 0)
        log_error("courier.schedule.full"); /* it is found in the queue at the next start */
    else if (schedule_first(&courier->schedule) == due)
        wind(courier);
}

static void happen(struct courier *courier, struct due *due)
{
    schedule_remove(&courier->schedule, due);
    if (due->kind == DUE_ENTRY)
        message_look(courier, LIST_ITEM(due, struct entry, due));
    else if (due->kind == DUE_LEG)
        destination_push(LIST_ITEM(due, struct leg, due));
    else
        destination_start(LIST_ITEM(due, struct destination, due));
}

static void on_clock(void *arg)
{
    struct courier *courier = arg;
    int64_t now = courier_seconds();
    struct due *due = NULL;
    if (!courier->is_loaded || courier->is_stopping)
        return;
    for (unsigned i = 0; i < AT_A_TIME && (due = schedule_first(&courier->schedule)) != NULL && due->at <= now; i++)
        happen(courier, due);
    wind(courier);
}

static void on_sender_end(void *arg)
{
    struct courier *courier = arg;
    record_sender_free(TAKE(courier->sender));
}

/* --- the key ------------------------------------------------------------------------------------------------------ */

static int read_pair(struct courier *courier, int fd)
{
    uint8_t packet[2 * KEY_SIZE];
    AUTO(secret) struct secret *private_key = NULL;
    ssize_t len = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);
    int result = len < 0 ? -errno : len != (ssize_t)sizeof(packet) ? -EBADMSG : 0;
    if (result == 0)
        result = secret_copy(span_of(packet, KEY_SIZE), &private_key);
    if (result == 0) {
        memcpy(courier->queue_public, packet + KEY_SIZE, KEY_SIZE);
        result = record_receiver_new(courier->queue_public, private_key, &courier->receiver);
    }
    secret_wipe(packet, sizeof(packet));
    return result;
}

static int ask_key(struct task *task, struct courier *courier)
{
    struct channel *keeper = wiring_peer(courier->wiring, ROLE_KEEPER, 0);
    struct ipc_message request = {.type = IPC_queue_key};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    if (keeper == NULL)
        return -ENOTCONN;
    int result = channel_call_within(task, keeper, &request, COURIER_CALL_MS, &reply);
    if (result < 0)
        return result;
    AUTO_FD int fd = ipc_message_take_fd(reply, 0);
    return fd < 0 ? -EAGAIN : read_pair(courier, fd);
}

static int ask_keeper(struct task *task, struct courier *courier)
{
    int result = courier->receiver == NULL ? ask_key(task, courier) : 0;
    return result == 0 ? holds_ask(task, courier) : result;
}

/* Before it has the key it can do nothing, and before it knows what is held, it must not. */
static void start_task(struct task *task, void *arg)
{
    struct courier *courier = arg;
    int result = ask_keeper(task, courier);
    while (result < 0 && result != -ECANCELED) {
        log_debug("courier.keeper.silent", F_FAULT(result));
        result = task_sleep(task, KEY_RETRY_MS);
        if (result == 0)
            result = ask_keeper(task, courier);
    }
    if (result == 0)
        result = task_group_spawn(&courier->tasks, courier->loop, "courier.holds", holds_task, courier);
    if (result == 0)
        result = task_group_spawn(&courier->tasks, courier->loop, "courier.settle", settle_task, courier);
    if (result == 0)
        result = task_group_spawn(&courier->tasks, courier->loop, "courier.queue", queue_task, courier);
    if (result == 0)
        result = task_group_spawn(&courier->tasks, courier->loop, "courier.sts", sts_refresh_task, courier);
    if (result == 0)
        reporting_begin(courier->reporting);
    if (result < 0 && result != -ECANCELED)
        log_error("courier.start.failed", F_FAULT(result));
}

/* --- wiring ------------------------------------------------------------------------------------------------------- */

/* All that it will ever connect to. */
static size_t list_ports(const struct courier *courier, uint16_t ports[PORTS_MAX])
{
    const uint16_t *asked = NULL;
    size_t asked_count = resolver_ports(courier->resolver, &asked);
    size_t count = route_ports(courier->conf, ports, PORTS_MAX);
    if (count < PORTS_MAX)
        ports[count++] = (uint16_t)courier->conf->courier_sts_port;
    for (size_t i = 0; i < asked_count && count < PORTS_MAX; i++)
        ports[count++] = asked[i];
    return count;
}

static int on_begin(void *arg)
{
    struct courier *courier = arg;
    uint16_t ports[PORTS_MAX];
    const struct priv_start rights = {.data = courier->start->data,
                                      .user = courier->conf->server_user,
                                      .ports = ports,
                                      .port_count = list_ports(courier, ports)};
    int result = tls_client_new(courier->conf->tls_roots, &courier->tls); /* reads a file */
    if (result == 0)
        result = priv_enter(PRIV_COURIER, &rights);
    if (result == 0)
        result = task_group_spawn(&courier->tasks, courier->loop, "courier.start", start_task, courier);
    event_raise(&courier->arrived);
    return result;
}

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct courier *courier = arg;
    if (message->type == IPC_admin) {
        command_start(courier, channel, message);
        return;
    }
    if (message->type == IPC_announce)
        event_raise(&courier->arrived);
    else if (message->type == IPC_hold)
        holds_take(courier, &message->hold);
    else
        log_error("courier.message.unexpected", F_TEXT("type", ipc_type_name(message->type)));
    ipc_message_free(message);
}

/* A new store or keeper may have what the old one could not say any more. */
static void on_peer(void *arg, struct channel *channel)
{
    struct courier *courier = arg;
    if (channel_peer(channel) == ROLE_STORE)
        event_raise(&courier->arrived);
    else if (channel_peer(channel) == ROLE_KEEPER)
        event_raise(&courier->keeper_came);
}

static void on_status(void *arg, struct buf *json)
{
    const struct courier *courier = arg;
    (void)buf_append_format(
        json,
        ",\"queued\":%zu,\"destinations\":%zu,\"connections\":%zu,\"delivered\":%llu,"
        "\"deferred\":%llu,\"failed\":%llu,\"reports\":%llu,\"domain_reports\":%llu,\"accounts_held\":%zu,"
        "\"unreadable\":%llu",
        map_count(courier->entries), map_count(courier->destinations), courier->connections,
        (unsigned long long)courier->delivered, (unsigned long long)courier->deferred,
        (unsigned long long)courier->failed, (unsigned long long)courier->reports, (unsigned long long)courier->told,
        map_count(courier->holds), (unsigned long long)courier->unreadable);
    resolver_status(courier->resolver, json);
}

/* A transaction whose end is not heard of would be repeated: it gets the time there is. */
static void stop_task(struct task *task, void *arg)
{
    struct courier *courier = arg;
    size_t cursor = 0;
    uint64_t key = 0;
    void *destination = NULL;
    while (map_next(courier->destinations, &cursor, &key, &destination))
        event_pulse(&((struct destination *)destination)->news);
    int64_t deadline = loop_now(courier->loop) + STOP_WAIT;
    while ((courier->connections > 0 || buf_len(&courier->over) > 0) && loop_now(courier->loop) < deadline)
        if (task_sleep(task, 20) < 0)
            break;
    tallier_send(courier->tallier);
    loop_stop(courier->loop);
}

static void on_stop(void *arg)
{
    struct courier *courier = arg;
    courier->is_stopping = true;
    if (task_group_spawn(&courier->tasks, courier->loop, "courier.stop", stop_task, courier) < 0)
        loop_stop(courier->loop);
}

static void on_notes(void *arg, struct buf *lines)
{
    const struct courier *courier = arg;
    if (courier->unreadable > 0)
        (void)buf_append_format(lines,
                                "queue: %llu records in it cannot be read, and are not sent: look after the disk\n",
                                (unsigned long long)courier->unreadable);
}

static const struct wiring_hooks hooks = {
    .begin = on_begin, .message = on_message, .peer = on_peer, .stop = on_stop, .status = on_status, .notes = on_notes};

/* --- life --------------------------------------------------------------------------------------------------------- */

static void read_sources(struct courier *courier)
{
    span_t rest = span_of_text(courier->conf->courier_source);
    span_t word;
    while (courier->source_count < COUNT_OF(courier->sources) && conf_next_word(&rest, &word)) {
        if (address_parse(&courier->sources[courier->source_count], word, 0))
            courier->source_count++;
        else
            log_error("courier.source.unreadable", F_TEXT("do", "set [courier] source to addresses"));
    }
}

static int courier_init(struct courier *courier, const struct role_start *start)
{
    courier->start = start;
    courier->conf = start->conf;
    task_group_init(&courier->tasks);
    event_init(&courier->arrived);
    event_init(&courier->loaded);
    event_init(&courier->settling);
    event_init(&courier->converted);
    event_raise(&courier->converted);
    event_init(&courier->keeper_came);
    event_init(&courier->settled);
    list_init(&courier->starved);
    list_init(&courier->idlers);
    list_init(&courier->lookers);
    buf_init(&courier->over, OVER_MAX);
    random_bytes(courier->hash_key, sizeof(courier->hash_key));
    read_sources(courier);
    int result = map_new(&courier->entries);
    if (result == 0)
        result = map_new(&courier->destinations);
    if (result == 0)
        result = map_new(&courier->segfiles);
    if (result == 0)
        result = map_new(&courier->holds);
    if (result == 0)
        result = loop_new(&courier->loop);
    if (result == 0)
        result = timer_new(courier->loop, on_clock, courier, &courier->clock);
    if (result == 0)
        result = timer_new(courier->loop, on_sender_end, courier, &courier->sender_end);
    if (result == 0)
        result = wiring_new(courier->loop, start->supervisor_fd, ROLE_COURIER, &hooks, courier, &courier->wiring);
    if (result == 0)
        result = sts_cache_new(&courier->sts);
    if (result == 0)
        result = tallier_new(courier->loop, courier->wiring, (int64_t)courier->conf->reports_interval * 1000,
                             courier->hash_key, &courier->tallier);
    if (result == 0)
        result = reporting_new(courier, &courier->reporting);
    if (result == 0)
        result = resolver_new(courier->loop, courier->conf, &courier->resolver);
    return result;
}

static void courier_end(struct courier *courier)
{
    courier->is_stopping = true;
    if (courier->loop != NULL && loop_finish(courier->loop, END_WAIT) != 0)
        log_warn("courier.end.late");
    reporting_free(courier->reporting);
    tallier_free(courier->tallier);
    entries_free(courier);
    destinations_free(courier);
    schedule_free(&courier->schedule);
    segfiles_free(courier);
    holds_free(courier);
    buf_deinit(&courier->over);
    wiring_free(courier->wiring);
    timer_free(courier->clock);
    timer_free(courier->sender_end);
    record_sender_free(courier->sender);
    record_receiver_free(courier->receiver);
    tls_client_free(courier->tls);
    resolver_free(courier->resolver);
    sts_cache_free(courier->sts);
    loop_free(courier->loop);
}

int courier_run(const struct role_start *start)
{
    struct courier *courier = mem_new(sizeof(*courier));
    if (courier == NULL)
        return EXIT_FAILURE;
    mem_keep(KEPT_MEMORY);
    int result = courier_init(courier, start);
    if (result == 0)
        result = loop_run(courier->loop);
    if (result != 0)
        log_error("courier.failed", F_FAULT(result));
    courier_end(courier);
    free(courier);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
