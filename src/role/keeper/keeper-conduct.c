#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "ipc/envelope.h"
#include "role/keeper/keeper-state.h"
#include "role/start.h"

#define KEEP_EVERY 60000 /* milliseconds: what a crash makes us forget, at most; a hold is kept at once */
#define PASTS_MAX 1024U  /* in memory; of those beyond it, the directory has what is known */

/* An account that has written of late. */
struct past {
    struct list_link age; /* used longest ago first */
    uint64_t account;
    bool is_changed; /* since it was kept */
    bool is_held;
    struct conduct conduct;
};

struct pasts {
    uint8_t key[DIRECTORY_HASH_KEY_SIZE];
    struct map *map;
    struct list ages;
    struct timer *timer;
};

static struct past *oldest(const struct pasts *pasts)
{
    struct list_link *link = list_first(&pasts->ages);
    return link == NULL ? NULL : LIST_ITEM(link, struct past, age);
}

static void drop(struct pasts *pasts, struct past *past)
{
    (void)!map_remove(pasts->map, past->account);
    list_remove(&past->age);
    scope_free(&past);
}

static void keep(struct keeper *keeper, struct past *past)
{
    if (!past->is_changed)
        return;
    int result = directory_conduct_put(keeper->directory, past->account, &past->conduct);
    if (result < 0)
        log_warn("keeper.conduct.unkept", F_FAULT(result)); /* it is tried again */
    else
        past->is_changed = false;
}

void keeper_conduct_keep(struct keeper *keeper)
{
    size_t cursor = 0;
    uint64_t account = 0;
    void *past = NULL;
    if (keeper->pasts == NULL || directory_begin(keeper->directory) != 0)
        return;
    while (map_next(keeper->pasts->map, &cursor, &account, &past))
        keep(keeper, past);
    if (directory_commit(keeper->directory) != 0)
        log_warn("keeper.conduct.unkept");
}

static void on_timer(void *arg)
{
    struct keeper *keeper = arg;
    keeper_conduct_keep(keeper);
    timer_start(keeper->pasts->timer, KEEP_EVERY);
}

void keeper_conduct_end(struct keeper *keeper)
{
    struct pasts *pasts = keeper->pasts;
    if (pasts == NULL)
        return;
    for (struct past *past = oldest(pasts); past != NULL; past = oldest(pasts))
        drop(pasts, past);
    timer_free(pasts->timer);
    map_free(pasts->map);
    free(pasts);
    keeper->pasts = NULL;
}

int keeper_conduct_begin(struct keeper *keeper)
{
    struct pasts *pasts = mem_new(sizeof(*pasts));
    if (pasts == NULL)
        return -ENOMEM;
    keeper->pasts = pasts;
    list_init(&pasts->ages);
    int result = map_new(&pasts->map);
    if (result == 0)
        result = directory_hash_key(keeper->directory, "conduct-key", pasts->key);
    if (result == 0)
        result = timer_new(keeper->loop, on_timer, keeper, &pasts->timer);
    if (result == 0)
        timer_start(pasts->timer, KEEP_EVERY);
    return result;
}

static int load(struct keeper *keeper, uint64_t account, struct past *past)
{
    struct directory_hold hold;
    int held = directory_hold_get(keeper->directory, account, &hold);
    int result = held < 0 ? held : directory_conduct_get(keeper->directory, account, &past->conduct);
    if (result == -EBADMSG)
        log_error("keeper.conduct.unreadable", F_U64("account", account)); /* it starts anew */
    past->account = account;
    past->is_held = held == DIRECTORY_OK;
    return result == -EBADMSG ? 0 : result;
}

/* What is known of the account: the newest of those in memory from now on. */
static int find(struct keeper *keeper, uint64_t account, struct past **ret_past)
{
    struct pasts *pasts = keeper->pasts;
    struct past *past = map_get(pasts->map, account);
    if (past == NULL) {
        past = mem_new(sizeof(*past));
        int result = past == NULL ? -ENOMEM : load(keeper, account, past);
        if (result >= 0)
            result = map_put(pasts->map, account, past);
        if (result < 0) {
            free(past);
            return result;
        }
        list_push(&pasts->ages, &past->age);
    }
    list_remove(&past->age);
    list_push(&pasts->ages, &past->age);
    if (map_count(pasts->map) > PASTS_MAX) {
        keep(keeper, oldest(pasts));
        drop(pasts, oldest(pasts));
    }
    *ret_past = past;
    return 0;
}

/* --- holds -------------------------------------------------------------------------------------------------------- */

static struct conduct_limits limits_of(const struct keeper *keeper)
{
    const struct conf *conf = keeper->start->conf;
    return (struct conduct_limits){
        .fresh = conf->abuse_new_recipients, .bounced = conf->abuse_bounces, .factor = conf->abuse_factor};
}

static int say(struct keeper *keeper, const struct directory_hold *hold)
{
    struct channel *courier = wiring_peer(keeper->wiring, ROLE_COURIER, 0);
    struct ipc_message message = {.type = IPC_hold,
                                  .hold = {.account = hold->account,
                                           .why = hold->why,
                                           .since = hold->since,
                                           .seen = hold->seen,
                                           .usual = hold->usual,
                                           .is_told = hold->is_told,
                                           .address = span_of_text(hold->address)}};
    return courier == NULL ? -ENOTCONN : channel_send(courier, &message);
}

/* Courier hears of it before whoever waits for our answer: what he has stored then is held already. */
static int begin_hold(struct keeper *keeper, struct past *past, struct directory_hold *hold)
{
    struct account account;
    int result = directory_account_get(keeper->directory, past->account, &account);
    if (result != DIRECTORY_OK)
        return result;
    hold->account = account.id;
    hold->since = (uint64_t)time(NULL);
    memcpy(hold->address, account.address, sizeof(hold->address));
    result = directory_hold_put(keeper->directory, hold);
    if (result < 0)
        log_error("keeper.hold.unkept", F_FAULT(result)); /* it is held until the next start */
    past->is_held = true;
    int said = say(keeper, hold);
    if (said < 0) /* it asks when it is there */
        log_info("keeper.hold.unsaid", F_FAULT(said));
    return result < 0 ? result : 0;
}

static void judge(struct keeper *keeper, struct past *past)
{
    static const struct {
        enum hold_why why;
        enum conduct_kind kind;
        const char *words;
    } rows[] = {[CONDUCT_STRANGERS] = {HOLD_STRANGERS, CONDUCT_NEW, "new recipients"},
                [CONDUCT_BOUNCES] = {HOLD_BOUNCES, CONDUCT_BOUNCED, "bounces"}};
    const struct conduct_limits limits = limits_of(keeper);
    int64_t now = time(NULL);
    enum conduct_answer answer = conduct_judge(&past->conduct, &limits, now);
    if (answer == CONDUCT_USUAL)
        return;
    struct directory_hold hold = {.why = rows[answer].why,
                                  .seen = conduct_today(&past->conduct, rows[answer].kind, now),
                                  .usual = conduct_usual(&past->conduct, rows[answer].kind)};
    log_warn("account.held", F_U64("account", past->account), F_TEXT("why", rows[answer].words),
             F_U64("today", hold.seen), F_U64("usual", hold.usual));
    int result = begin_hold(keeper, past, &hold);
    if (result < 0)
        log_error("keeper.hold.failed", F_FAULT(result));
    keep(keeper, past);
}

/* A mark stands for so many addresses that no list of them can be made from it. */
static uint16_t mark_of(const struct pasts *pasts, uint64_t account, span_t address)
{
    uint8_t text[8 + 1024];
    struct buf view = {.bytes = text, .room = sizeof(text), .max = sizeof(text)};
    buf_append(&view, span_of((const uint8_t *)&account, sizeof(account)));
    for (size_t at = 0; at < address.len; at++)
        buf_append_byte(&view, ascii_lower(address.at[at]));
    return (uint16_t)hash_keyed(pasts->key, buf_span(&view));
}

void keeper_conduct_sent(struct keeper *keeper, uint64_t account, span_t rows)
{
    struct past *past = NULL;
    int64_t now = time(NULL);
    int result = find(keeper, account, &past);
    if (result < 0)
        log_error("keeper.conduct.failed", F_FAULT(result));
    if (result < 0 || past->is_held)
        return;
    for (struct envelope_recipient to; envelope_recipient_next(&rows, &to);)
        if (envelope_recipient_is_written_to(&to))
            conduct_add_recipient(&past->conduct, mark_of(keeper->pasts, account, to.address), now);
    past->is_changed = true;
    judge(keeper, past);
}

void keeper_conduct_bounced(struct keeper *keeper, const struct ipc_bounced *bounced)
{
    struct past *past = NULL;
    int result = keeper->pasts == NULL ? -EAGAIN : find(keeper, bounced->account, &past);
    if (result < 0)
        log_error("keeper.conduct.failed", F_FAULT(result));
    if (result < 0 || past->is_held)
        return;
    conduct_add_bounces(&past->conduct, bounced->recipients, time(NULL));
    past->is_changed = true;
    judge(keeper, past);
}

/* --- what courier asks -------------------------------------------------------------------------------------------- */

static int say_row(void *arg, const struct directory_hold *hold)
{
    return say(arg, hold);
}

void keeper_holds(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    (void)task;
    int result = directory_hold_each(keeper->directory, say_row, keeper);
    struct ipc_message reply = {.type = IPC_done, .done = {.outcome = (uint32_t)-result}};
    keeper_reply(request, &reply);
}

/* By its number, or by its address, under which a hold may outlive it. 0 or a positive errno. */
static int which(struct keeper *keeper, const struct ipc_hold_change *asked, uint64_t *ret_account)
{
    struct name name;
    struct account account;
    struct directory_hold hold;
    char address[ACCOUNT_ADDRESS_MAX + 1];
    *ret_account = asked->account;
    if (asked->account != 0)
        return 0;
    int result = name_parse(asked->address, &name);
    if (result != NAME_OK)
        return result < 0 ? -result : ENOENT;
    result = directory_account_find(keeper->directory, &name, &account);
    if (result == DIRECTORY_OK) {
        *ret_account = account.id;
        return 0;
    }
    (void)snprintf(address, sizeof(address), "%s@%s", name.local, name.domain);
    if (result >= 0)
        result = directory_hold_find(keeper->directory, address, &hold);
    if (result == DIRECTORY_OK)
        *ret_account = hold.account;
    return result == DIRECTORY_OK ? 0 : result < 0 ? -result : ENOENT;
}

static int change(struct keeper *keeper, struct past *past, uint32_t what)
{
    const struct conduct_limits limits = limits_of(keeper);
    struct directory_hold by_operator = {.why = HOLD_BY_OPERATOR, .is_told = true};
    if (what == HOLD_BEGIN)
        return past->is_held ? 0 : begin_hold(keeper, past, &by_operator);
    if (!past->is_held)
        return DIRECTORY_NONE;
    if (what == HOLD_TOLD)
        return directory_hold_told(keeper->directory, past->account);
    conduct_settle(&past->conduct, what == HOLD_END ? CONDUCT_WAS_OWNER : CONDUCT_WAS_THIEF, &limits, time(NULL));
    past->is_changed = true;
    keep(keeper, past);
    if (what == HOLD_REMOVED)
        return 0;
    int result = directory_hold_remove(keeper->directory, past->account);
    if (result >= 0)
        past->is_held = false;
    return result < 0 ? result : 0;
}

void keeper_hold_change(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    (void)task;
    const struct ipc_hold_change *asked = &request->message->hold_change;
    uint64_t account = 0;
    struct past *past = NULL;
    int outcome = asked->change < HOLD_CHANGE_COUNT ? which(keeper, asked, &account) : EINVAL;
    if (outcome == 0) {
        int result = find(keeper, account, &past);
        if (result == 0)
            result = change(keeper, past, asked->change);
        outcome = result < 0 ? -result : result > 0 ? ENOENT : 0;
    }
    if (outcome == 0)
        log_info("account.hold.changed", F_U64("account", account), F_U64("change", asked->change));
    struct ipc_message reply = {.type = IPC_hold_changed,
                                .hold_changed = {.outcome = (uint32_t)outcome, .account = account}};
    keeper_reply(request, &reply);
}
