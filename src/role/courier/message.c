#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "role/courier/courier-state.h"

#define LOOKERS_MAX 16U /* at a time: each has a message open, and may write a report */
#define FAULT_PAUSE 30  /* seconds after a fault of our own */
#define PAUSE_STEPS 40U /* the pause does not grow beyond */

int64_t message_pause(const struct courier *courier, uint32_t attempts)
{
    uint64_t pause = courier->conf->courier_retry_first;
    uint8_t chance = 0;
    for (uint32_t i = 1; i < attempts && i < PAUSE_STEPS && pause < courier->conf->courier_retry_longest; i++)
        pause += pause / 2 + 1;
    if (pause > courier->conf->courier_retry_longest)
        pause = courier->conf->courier_retry_longest;
    random_bytes(&chance, sizeof(chance)); /* so that what failed together does not come back together */
    return (int64_t)(pause + pause * chance / 1024);
}

struct smtp_response response_of(unsigned code, uint16_t subject, uint16_t detail, const char *text)
{
    struct smtp_response response = {
        .code = code, .class_ = (uint8_t)(code / 100), .subject = subject, .detail = detail, .is_complete = true};
    span_t words = span_upto(span_of_text(text), SMTP_RESPONSE_TEXT_MAX);
    memcpy(response.text, words.at, words.len);
    response.text_len = words.len;
    return response;
}

/* RFC 3461 §5.2.3: of a failure the sender hears unless he said otherwise; nobody hears of what happens to reports. */
void recipient_fail(struct work *work, size_t recipient, const struct smtp_response *response, span_t host)
{
    unsigned notify = work->recipients[recipient].notify & ENVELOPE_NOTIFY;
    bool is_wanted = work->envelope.sender.len > 0 && (notify == 0 || (notify & SMTP_NOTIFY_FAILURE) != 0);
    work_set(work, recipient, is_wanted ? NOTE_FAILED : NOTE_DONE, response, host);
}

bool message_has_news(const struct work *work)
{
    for (size_t i = 0; i < work->note.count; i++)
        if (work->note.recipients[i].status != NOTE_DONE && work->note.recipients[i].status != NOTE_OPEN)
            return true;
    return false;
}

/* --- ways ------------------------------------------------------------------------------------------------------- */

static bool has_leg(const struct entry *entry, const struct destination *destination)
{
    for (size_t i = 0; i < entry->leg_count; i++)
        if (entry->legs[i].destination == destination)
            return true;
    return false;
}

static int add_leg(struct entry *entry, struct destination *destination, uint32_t attempts)
{
    if (has_leg(entry, destination))
        return 0;
    entry->legs[entry->leg_count++] =
        (struct leg){.due = {.kind = DUE_LEG}, .entry = entry, .destination = destination, .attempts = attempts};
    destination->legs++;
    return 0;
}

/* One leg for each destination; an address that has none at all fails here. */
static int make_legs(struct courier *courier, struct entry *entry, struct work *work)
{
    struct leg *legs = mem_new_array(work->note.count, sizeof(*legs));
    if (legs == NULL)
        return -ENOMEM;
    entry->legs = legs;
    for (size_t i = 0; i < work->note.count; i++) {
        struct destination *destination = NULL;
        if (work->note.recipients[i].status != NOTE_OPEN)
            continue;
        int result = destination_find(courier, work, work->recipients[i].address, &destination);
        if (result == 0)
            result = add_leg(entry, destination, work->note.attempts);
        if (result == -EINVAL) {
            struct smtp_response response = response_of(553, 1, 2, "There can be no mail domain of that name");
            recipient_fail(work, i, &response, SPAN_NONE);
            holds_bounced(courier, work, 1);
            result = 0;
        }
        if (result < 0)
            return result;
    }
    /* Most messages have one recipient, and a queue may have many of them. Nobody points to the legs yet. */
    legs = mem_resize(entry->legs, (entry->leg_count > 0 ? entry->leg_count : 1) * sizeof(*legs));
    if (legs != NULL)
        entry->legs = legs;
    return 0;
}

static void unmake_legs(struct entry *entry)
{
    for (size_t i = 0; i < entry->leg_count; i++)
        destination_leave(entry->legs[i].destination);
    free(entry->legs);
    entry->legs = NULL;
    entry->leg_count = 0;
}

static int route(struct courier *courier, struct entry *entry, struct work *work)
{
    if (entry->is_routed)
        return 0;
    int result = make_legs(courier, entry, work);
    if (result < 0) {
        unmake_legs(entry);
        return result;
    }
    entry->is_routed = true;
    for (size_t i = 0; i < entry->leg_count; i++)
        courier_schedule(courier, &entry->legs[i].due, work->note.next > 0 ? work->note.next : entry->arrived);
    return 0;
}

/* --- time ----------------------------------------------------------------------------------------------------------
 */

static int64_t start_of(const struct entry *entry)
{
    return entry->hold_until > entry->arrived ? entry->hold_until : entry->arrived;
}

static const struct leg *leg_of(struct courier *courier, const struct work *work, span_t address)
{
    const struct entry *entry = work->entry;
    struct destination *destination = NULL;
    if (destination_find(courier, work, address, &destination) < 0)
        return NULL;
    for (size_t i = 0; i < entry->leg_count; i++)
        if (entry->legs[i].destination == destination)
            return &entry->legs[i];
    return NULL;
}

/* RFC 3463 §3.5: x.4.7. What was heard last says more than that the time is over. */
static void expire(struct courier *courier, struct work *work)
{
    for (size_t i = 0; i < work->note.count; i++) {
        if (work->note.recipients[i].status != NOTE_OPEN)
            continue;
        const struct leg *leg = leg_of(courier, work, work->recipients[i].address);
        if (leg != NULL && leg->is_busy)
            continue;
        struct smtp_response response = work->note.recipients[i].response;
        span_t host = span_of(work->note.recipients[i].host, work->note.recipients[i].host_len);
        if (leg != NULL && leg->destination->failures > 0)
            response = leg->destination->response;
        if (response.code == 0)
            response = response_of(451, 4, 7, "The message could not be delivered in time");
        recipient_fail(work, i, &response, host);
        courier->failed++;
    }
    for (size_t i = 0; i < work->entry->leg_count; i++) {
        struct leg *leg = &work->entry->legs[i];
        if (leg->is_busy)
            continue;
        schedule_remove(&courier->schedule, &leg->due);
        destination_drop(leg);
    }
}

static bool has_open(const struct work *work)
{
    for (size_t i = 0; i < work->note.count; i++)
        if (work->note.recipients[i].status == NOTE_OPEN)
            return true;
    return false;
}

static int tell_delay(struct task *task, struct courier *courier, struct work *work)
{
    int result = inject_report(task, courier, work, REPORT_DELAY);
    if (result < 0)
        return result;
    work->note.flags |= NOTE_DELAYED;
    work->entry->is_noticed = true;
    work->is_changed = true;
    return 0;
}

static int tell_news(struct task *task, struct courier *courier, struct work *work)
{
    int result = inject_report(task, courier, work, REPORT_FINAL);
    for (size_t i = 0; result == 0 && i < work->note.count; i++)
        if (work->note.recipients[i].status != NOTE_OPEN)
            work_set(work, i, NOTE_DONE, NULL, SPAN_NONE);
    return result;
}

void message_hold(struct courier *courier, struct entry *entry)
{
    for (size_t i = 0; i < entry->leg_count; i++) {
        schedule_remove(&courier->schedule, &entry->legs[i].due);
        destination_drop(&entry->legs[i]);
    }
}

void message_release(struct courier *courier, struct entry *entry)
{
    for (size_t i = 0; i < entry->leg_count; i++) {
        struct leg *leg = &entry->legs[i];
        if (leg->due.place == 0 && !leg->is_busy && leg->waiting.next == NULL)
            courier_schedule(courier, &leg->due, courier_seconds());
    }
    message_look(courier, entry);
}

/* When there is something to do for the message next, apart from its ways. */
static void plan(struct courier *courier, struct entry *entry)
{
    int64_t start = start_of(entry);
    int64_t next = start + (int64_t)courier->conf->courier_lifetime;
    int64_t notice = start + (int64_t)courier->conf->courier_delay_notice;
    if (courier->conf->courier_delay_notice > 0 && !entry->is_noticed && notice < next)
        next = notice;
    courier_schedule(courier, &entry->due, next);
}

static int look(struct task *task, struct courier *courier, struct work *work)
{
    struct entry *entry = work->entry;
    int64_t now = courier_seconds();
    int64_t age = now - start_of(entry);
    int result = 0;
    entry->is_held = (work->note.flags & NOTE_HELD) != 0;
    entry->is_noticed = (work->note.flags & NOTE_DELAYED) != 0;
    if (holds_why(courier, entry) != NULL) {
        message_hold(courier, entry);
        return 0;
    }
    if (message_has_news(work)) /* also of one that is to be sent later: it is in the queue for its report alone */
        result = tell_news(task, courier, work);
    if (result == 0 && age < 0) {
        courier_schedule(courier, &entry->due, start_of(entry));
        return 0;
    }
    if (result == 0)
        result = route(courier, entry, work);
    if (result == 0 && age >= (int64_t)courier->conf->courier_lifetime)
        expire(courier, work);
    else if (result == 0 && courier->conf->courier_delay_notice > 0 && !entry->is_noticed && has_open(work) &&
             age >= (int64_t)courier->conf->courier_delay_notice)
        result = tell_delay(task, courier, work);
    if (result == 0 && message_has_news(work))
        result = tell_news(task, courier, work);
    if (result == 0)
        plan(courier, entry);
    return result;
}

struct looking {
    struct courier *courier;
    struct entry *entry;
};

static void look_task(struct task *task, void *arg)
{
    AUTO_FREE struct looking *looking = arg;
    struct courier *courier = looking->courier;
    struct entry *entry = looking->entry;
    struct work *work = NULL;
    int result = work_begin(task, courier, entry, &work);
    if (result == 0) {
        result = look(task, courier, work);
        int ended = work_end(task, courier, work);
        result = result < 0 ? result : ended;
    }
    entry->is_looked_at = false;
    courier->looking--;
    if (result < 0 && result != -ECANCELED && !entry->is_gone) {
        log_warn("courier.message.failed", F_FAULT(result));
        courier_schedule(courier, &entry->due, courier_seconds() + FAULT_PAUSE);
    }
    entry_let_go(courier, entry);
    struct list_link *next = list_pop(&courier->lookers);
    if (next != NULL)
        message_look(courier, LIST_ITEM(next, struct entry, looker));
}

void message_look(struct courier *courier, struct entry *entry)
{
    if (entry->is_gone || courier->is_stopping)
        return;
    if (entry->is_looked_at) { /* it may be past the place where it would see what is new */
        courier_schedule(courier, &entry->due, courier_seconds() + 1);
        return;
    }
    schedule_remove(&courier->schedule, &entry->due);
    list_remove(&entry->looker);
    if (courier->looking >= LOOKERS_MAX) {
        list_push(&courier->lookers, &entry->looker);
        return;
    }
    struct looking *looking = mem_new(sizeof(*looking));
    int result = looking != NULL ? 0 : -ENOMEM;
    if (result == 0) {
        *looking = (struct looking){courier, entry};
        entry->is_looked_at = true;
        courier->looking++;
        result = task_group_spawn(&courier->tasks, courier->loop, "courier.look", look_task, looking);
    }
    if (result == 0)
        return;
    if (looking != NULL) {
        entry->is_looked_at = false;
        courier->looking--;
        free(looking);
    }
    courier_schedule(courier, &entry->due, courier_seconds() + FAULT_PAUSE);
}
