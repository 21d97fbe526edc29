#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/courier/courier-state.h"

/* Until a destination has answered once, no more than so many connections find out whether it does. */
#define CONNECTIONS_UNTRIED 2U

static size_t connections_max(const struct destination *destination)
{
    size_t most = destination->courier->conf->courier_connections_per_destination;
    if (destination->failures > 0)
        return 1;
    return destination->has_worked || most < CONNECTIONS_UNTRIED ? most : CONNECTIONS_UNTRIED;
}

/* Mail that goes whatever policies ask for has connections of its own. */
static uint64_t key_of(const struct courier *courier, const char *name, bool is_optional)
{
    return hash_keyed(courier->hash_key, span_of_text(name)) ^ (uint64_t)is_optional;
}

/*
 * It takes about seven round trips until a connection can carry a message (TCP, greeting, EHLO, STARTTLS, TLS, EHLO),
 * and a message takes three. Another one is for more than what the open ones will have taken by then, or for when
 * nothing has moved for a while: no message begun, and no connection.
 */
#define LEGS_BEFORE_ANOTHER 4U
#define STILL_MS 1000

static bool wants_another(const struct destination *destination)
{
    if (destination->connections == 0 || destination->waiting_count > LEGS_BEFORE_ANOTHER * destination->connections)
        return true;
    return loop_now(destination->courier->loop) - destination->moved > STILL_MS;
}

static int destination_new(struct courier *courier, const char *name, bool is_optional,
                           struct destination **ret_destination)
{
    size_t len = strlen(name);
    struct destination *destination = mem_new(sizeof(*destination) + len + 1);
    if (destination == NULL)
        return -ENOMEM;
    destination->courier = courier;
    destination->due.kind = DUE_DESTINATION;
    destination->is_optional = is_optional;
    memcpy(destination->name, name, len);
    list_init(&destination->waiting);
    event_init(&destination->news);
    int result = map_put(courier->destinations, key_of(courier, name, is_optional), destination);
    if (result < 0) {
        free(destination);
        return result;
    }
    *ret_destination = destination;
    return 0;
}

int destination_find(struct courier *courier, const struct work *work, span_t address,
                     struct destination **ret_destination)
{
    const bool is_optional = (work->envelope.flags & ENVELOPE_TLS_OPTIONAL) != 0;
    char name[DESTINATION_NAME_MAX];
    size_t at = span_find_last_byte(address, '@');
    int result = route_name(courier->conf, span_from(address, at + 1), name);
    if (result < 0)
        return result;
    struct destination *destination = map_get(courier->destinations, key_of(courier, name, is_optional));
    if (destination == NULL)
        return destination_new(courier, name, is_optional, ret_destination);
    if (strcmp(destination->name, name) != 0 ||
        destination->is_optional != is_optional) /* two names of one hash: once in an age of the world */
        return -EAGAIN;
    *ret_destination = destination;
    return 0;
}

static void destination_free(struct destination *destination)
{
    struct courier *courier = destination->courier;
    schedule_remove(&courier->schedule, &destination->due);
    list_remove(&destination->starved);
    list_remove(&destination->idler);
    (void)map_remove(courier->destinations, key_of(courier, destination->name, destination->is_optional));
    free(destination);
}

static void forget_unused(struct destination *destination)
{
    if (destination->legs == 0 && destination->connections == 0)
        destination_free(destination);
}

void destination_leave(struct destination *destination)
{
    destination->legs--;
    forget_unused(destination);
}

/*
 * Half of all connections there may be are for the first ones of destinations: else some have many, the others wait for
 * one of these to end, and all open new ones all the time. Where even they are used up, one that waits for more to do
 * ends for the sake of this one.
 */
static void starve(struct destination *destination)
{
    struct courier *courier = destination->courier;
    list_remove(&destination->starved);
    list_push(&courier->starved, &destination->starved);
    struct list_link *link = list_pop(&courier->idlers);
    if (link != NULL)
        event_pulse(&LIST_ITEM(link, struct destination, idler)->news);
}

void destination_start(struct destination *destination)
{
    struct courier *courier = destination->courier;
    if (destination->waiting_count == 0 || courier->is_stopping || destination->due.place != 0)
        return;
    if (destination->idle > 0) {
        event_pulse(&destination->news);
        return;
    }
    if (destination->connections >= connections_max(destination) || !wants_another(destination))
        return;
    if (courier->connections >= courier->conf->courier_connections / (destination->connections > 0 ? 2 : 1)) {
        if (destination->connections == 0)
            starve(destination);
        return;
    }
    int result = task_group_spawn(&courier->tasks, courier->loop, "courier.connection", connection_task, destination);
    if (result < 0) {
        log_warn("courier.connection.unstarted", F_FAULT(result));
        courier_schedule(courier, &destination->due, courier_seconds() + 1);
        return;
    }
    destination->moved = loop_now(courier->loop);
    destination->connections++;
    courier->connections++;
}

void destination_connection_ended(struct destination *destination)
{
    struct courier *courier = destination->courier;
    destination->connections--;
    courier->connections--;
    struct list_link *next = list_pop(&courier->starved);
    if (next != NULL)
        destination_start(LIST_ITEM(next, struct destination, starved));
    destination_start(destination);
    forget_unused(destination);
}

void destination_push(struct leg *leg)
{
    if (leg->waiting.next != NULL || leg->is_busy || holds_why(leg->destination->courier, leg->entry) != NULL)
        return;
    list_push(&leg->destination->waiting, &leg->waiting);
    leg->destination->waiting_count++;
    destination_start(leg->destination);
}

void destination_drop(struct leg *leg)
{
    if (leg->waiting.next == NULL)
        return;
    list_remove(&leg->waiting);
    leg->destination->waiting_count--;
}

struct leg *destination_take(struct destination *destination)
{
    struct list_link *link = list_pop(&destination->waiting);
    if (link == NULL)
        return NULL;
    struct leg *leg = LIST_ITEM(link, struct leg, waiting);
    destination->waiting_count--;
    destination->moved = loop_now(destination->courier->loop);
    leg->is_busy = true;
    return leg;
}

void destination_failed(struct destination *destination, const struct smtp_response *response)
{
    struct courier *courier = destination->courier;
    destination->failures++;
    destination->response = *response;
    courier_schedule(courier, &destination->due, courier_seconds() + message_pause(courier, destination->failures));
    log_info("courier.destination.failed", F_HASH("destination", span_of_text(destination->name)),
             F_U64("code", response->code), F_U64("failures", destination->failures));
}

void destination_worked(struct destination *destination)
{
    destination->failures = 0;
    destination->has_worked = true;
    schedule_remove(&destination->courier->schedule, &destination->due);
    for (size_t more = connections_max(destination); more > 0; more--)
        destination_start(destination);
}

void destinations_free(struct courier *courier)
{
    size_t cursor = 0;
    uint64_t key = 0;
    void *destination = NULL;
    while (courier->destinations != NULL && map_next(courier->destinations, &cursor, &key, &destination))
        free(destination);
    map_free(courier->destinations);
    courier->destinations = NULL;
}
