#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "role/courier/courier-state.h"
#include "role/courier/notice.h"

/*
 * Which accounts these are, keeper decides and remembers (its conduct.h); here is what it means for the queue. What is
 * on its way to a server at that moment goes on; nothing else of the account is begun.
 */
#define RETRY_MS 1000
#define TELL_RETRY_MS 30000
#define NOTICE_MAX 16384U
#define ADDRESS_MAX 2048U

static struct account_hold *hold_of(const struct courier *courier, uint64_t account)
{
    return account == 0 ? NULL : map_get(courier->holds, account);
}

const char *holds_why(const struct courier *courier, const struct entry *entry)
{
    static const char *const words[HOLD_WHY_COUNT] = {[HOLD_BY_OPERATOR] = "account held by the operator",
                                                      [HOLD_STRANGERS] = "account looks hijacked",
                                                      [HOLD_BOUNCES] = "account looks hijacked"};
    const struct account_hold *hold = hold_of(courier, entry->account);
    if (entry->is_held)
        return "by the operator";
    return hold != NULL ? words[hold->why] : NULL;
}

void holds_count(struct courier *courier)
{
    size_t cursor = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_next(courier->holds, &cursor, &key, &value))
        ((struct account_hold *)value)->messages = 0;
    for (cursor = 0; map_next(courier->entries, &cursor, &key, &value);) {
        struct account_hold *hold = hold_of(courier, ((const struct entry *)value)->account);
        if (hold != NULL)
            hold->messages++;
    }
}

struct account_hold *holds_next(const struct courier *courier, uint64_t after)
{
    size_t cursor = 0;
    uint64_t account = 0;
    void *value = NULL;
    struct account_hold *lowest = NULL;
    while (map_next(courier->holds, &cursor, &account, &value))
        if (account > after && (lowest == NULL || account < lowest->account))
            lowest = value;
    return lowest;
}

void holds_free(struct courier *courier)
{
    size_t cursor = 0;
    uint64_t account = 0;
    void *hold = NULL;
    while (courier->holds != NULL && map_next(courier->holds, &cursor, &account, &hold))
        free(hold);
    map_free(courier->holds);
    courier->holds = NULL;
}

/* --- keeper ------------------------------------------------------------------------------------------------------- */

void holds_bounced(struct courier *courier, const struct work *work, uint32_t recipients)
{
    struct channel *keeper = wiring_peer(courier->wiring, ROLE_KEEPER, 0);
    struct ipc_message message = {.type = IPC_bounced,
                                  .bounced = {.account = work->envelope.account, .recipients = recipients}};
    if (recipients == 0 || work->envelope.account == 0)
        return;
    int result = keeper == NULL ? -ENOTCONN : channel_send(keeper, &message);
    if (result < 0)
        log_debug("courier.bounces.unsaid", F_FAULT(result)); /* a few less are counted */
}

int holds_change(struct task *task, struct courier *courier, enum hold_change change, span_t address,
                 uint64_t *ret_account)
{
    struct channel *keeper = wiring_peer(courier->wiring, ROLE_KEEPER, 0);
    struct ipc_message request = {.type = IPC_hold_change,
                                  .hold_change = {.change = change, .account = *ret_account, .address = address}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    if (keeper == NULL)
        return -ENOTCONN;
    int result = channel_call_within(task, keeper, &request, COURIER_CALL_MS, &reply);
    if (result < 0)
        return result;
    *ret_account = reply->hold_changed.account;
    return (int)reply->hold_changed.outcome;
}

int holds_ask(struct task *task, struct courier *courier)
{
    struct channel *keeper = wiring_peer(courier->wiring, ROLE_KEEPER, 0);
    struct ipc_message request = {.type = IPC_holds};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    if (keeper == NULL)
        return -ENOTCONN;
    int result = channel_call_within(task, keeper, &request, COURIER_CALL_MS, &reply);
    return result == 0 ? -(int)reply->done.outcome : result;
}

void holds_task(struct task *task, void *arg)
{
    struct courier *courier = arg;
    int result = 0;
    while (result != -ECANCELED) {
        result = event_wait(task, &courier->keeper_came, FOREVER);
        event_clear(&courier->keeper_came);
        if (result == 0)
            result = holds_ask(task, courier);
        if (result < 0 && result != -ECANCELED) {
            event_raise(&courier->keeper_came);
            result = task_sleep(task, RETRY_MS);
        }
    }
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

struct telling {
    struct courier *courier;
    uint64_t account;
    bool is_owner_told;
};

static bool is_ascii(span_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] >= 0x80)
            return false;
    return true;
}

static void write_reader(const struct courier *courier, const struct account_hold *hold, enum notice_reader reader,
                         struct buf *to)
{
    const char *operator= courier->conf->abuse_operator;
    if (reader == NOTICE_OWNER)
        buf_append_text(to, hold->address);
    else
        buf_append_text(to, operator[0] != 0 ? operator: "postmaster"); /* RFC 5321 §4.5.1 */
}

static int tell(struct task *task, struct courier *courier, const struct account_hold *hold, enum notice_reader reader)
{
    AUTO_BUF struct buf text;
    AUTO_BUF struct buf to;
    buf_init(&text, NOTICE_MAX);
    buf_init(&to, ADDRESS_MAX);
    write_reader(courier, hold, reader, &to);
    struct notice notice = {.reader = reader,
                            .hostname = span_of_text(courier->conf->server_hostname),
                            .to = buf_span(&to),
                            .account = span_of_text(hold->address),
                            .why = hold->why,
                            .seen = hold->seen,
                            .usual = hold->usual,
                            .now = courier_seconds()};
    random_bytes(&notice.id, sizeof(notice.id));
    int result = notice_write(&notice, &text);
    enum inject_kind kind = is_ascii(buf_span(&text)) ? INJECT_PLAIN : INJECT_UTF8;
    return result == 0 ? inject_text(task, courier, buf_span(&to), kind, buf_span(&text)) : result;
}

/* The hold may end while somebody is told. */
static int tell_both(struct task *task, struct telling *telling)
{
    struct courier *courier = telling->courier;
    uint64_t account = telling->account;
    const struct account_hold *hold = hold_of(courier, account);
    int result = hold == NULL || telling->is_owner_told ? 0 : tell(task, courier, hold, NOTICE_OWNER);
    telling->is_owner_told = result == 0;
    hold = hold_of(courier, account);
    if (result == 0 && hold != NULL)
        result = tell(task, courier, hold, NOTICE_OPERATOR);
    if (result == 0)
        result = holds_change(task, courier, HOLD_TOLD, SPAN_NONE, &account);
    return result < 0 ? result : 0;
}

static void tell_task(struct task *task, void *arg)
{
    AUTO_FREE struct telling *telling = arg;
    int result = tell_both(task, telling);
    while (result < 0 && result != -ECANCELED) {
        log_warn("courier.hold.untold", F_FAULT(result));
        result = task_sleep(task, TELL_RETRY_MS);
        if (result == 0)
            result = tell_both(task, telling);
    }
}

static void start_telling(struct courier *courier, uint64_t account)
{
    AUTO_FREE struct telling *telling = mem_new(sizeof(*telling));
    int result = telling == NULL ? -ENOMEM : 0;
    if (result == 0) {
        *telling = (struct telling){.courier = courier, .account = account};
        result = task_group_spawn(&courier->tasks, courier->loop, "courier.tell", tell_task, telling);
    }
    if (result == 0)
        (void)TAKE(telling);
    else
        log_warn("courier.hold.untold", F_FAULT(result)); /* the next start tells it */
}

/* --- what it means for the queue ---------------------------------------------------------------------------------- */

static size_t each_of(struct courier *courier, uint64_t account,
                      void (*apply)(struct courier *courier, struct entry *entry))
{
    size_t count = 0;
    size_t cursor = 0;
    uint64_t record = 0;
    void *entry = NULL;
    while (map_next(courier->entries, &cursor, &record, &entry)) {
        if (((const struct entry *)entry)->account != account)
            continue;
        apply(courier, entry);
        count++;
    }
    return count;
}

void holds_take(struct courier *courier, const struct ipc_hold *said)
{
    if (said->account == 0 || said->why >= HOLD_WHY_COUNT || hold_of(courier, said->account) != NULL)
        return;
    struct account_hold *hold = mem_new(sizeof(*hold) + said->address.len + 1);
    int result = hold == NULL ? -ENOMEM : map_put(courier->holds, said->account, hold);
    if (result < 0) {
        log_error("courier.hold.failed", F_FAULT(result));
        free(hold);
        return;
    }
    hold->account = said->account;
    hold->why = (enum hold_why)said->why;
    hold->since = (int64_t)said->since;
    hold->seen = said->seen;
    hold->usual = said->usual;
    if (said->address.len > 0)
        memcpy(hold->address, said->address.at, said->address.len);
    (void)each_of(courier, said->account, message_hold);
    if (said->is_told == 0)
        start_telling(courier, said->account);
}

size_t holds_end(struct courier *courier, uint64_t account)
{
    free(map_remove(courier->holds, account));
    return each_of(courier, account, message_release);
}

size_t holds_remove(struct courier *courier, uint64_t account)
{
    return each_of(courier, account, entry_end);
}
