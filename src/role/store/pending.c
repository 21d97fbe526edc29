#include "role/store/pending.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "role/store/salvage.h"

struct account {
    uint64_t number;
    uint64_t head;
    struct map *taken; /* NULL while empty */
};

struct pending {
    struct files *files;
    struct map *accounts;
    struct map *bridges; /* where chains go on below damaged heads, by record ^ account */
};

static char bridge_to_nothing;

int pending_new(struct files *files, struct pending **ret_pending)
{
    AUTO(pending) struct pending *pending = mem_new(sizeof(*pending));
    if (pending == NULL)
        return -ENOMEM;
    pending->files = files;
    int result = map_new(&pending->accounts);
    if (result == 0)
        result = map_new(&pending->bridges);
    if (result != 0)
        return result;
    *ret_pending = TAKE(pending);
    return 0;
}

static void account_free(struct account *account)
{
    map_free(account->taken);
    free(account);
}

void pending_free(struct pending *pending)
{
    if (pending == NULL)
        return;
    size_t cursor = 0;
    uint64_t number;
    void *account;
    if (pending->accounts != NULL)
        while (map_next(pending->accounts, &cursor, &number, &account))
            account_free(account);
    map_free(pending->accounts);
    map_free(pending->bridges);
    free(pending);
}

static void account_drop(struct pending *pending, struct account *account)
{
    (void)map_remove(pending->accounts, account->number);
    account_free(account);
}

static void unchain(struct pending *pending, uint64_t record)
{
    struct segment *segment = files_get(pending->files, record_segment(record));
    if (segment != NULL && segment->chained > 0)
        segment->chained--;
}

static void chain(struct pending *pending, uint64_t record)
{
    struct segment *segment = files_get(pending->files, record_segment(record));
    if (segment != NULL)
        segment->chained++;
}

uint64_t pending_head(const struct pending *pending, uint64_t account)
{
    const struct account *found = map_get(pending->accounts, account);
    return found != NULL ? found->head : 0;
}

static int account_enter(struct pending *pending, uint64_t number, struct account **ret_account)
{
    struct account *account = map_get(pending->accounts, number);
    if (account == NULL) {
        account = mem_new(sizeof(*account));
        if (account == NULL)
            return -ENOMEM;
        account->number = number;
        int result = map_put(pending->accounts, number, account);
        if (result != 0) {
            free(account);
            return result;
        }
    }
    *ret_account = account;
    return 0;
}

int pending_push(struct pending *pending, uint64_t account, uint64_t record)
{
    struct account *found = NULL;
    int result = account_enter(pending, account, &found);
    if (result != 0)
        return result;
    found->head = record;
    chain(pending, record);
    return 0;
}

void pending_undo(struct pending *pending, uint64_t account, uint64_t before)
{
    struct account *found = map_get(pending->accounts, account);
    if (found == NULL)
        return;
    unchain(pending, found->head);
    found->head = before;
    if (before == 0)
        account_drop(pending, found);
}

/* One link of the chain: the account's row of a record, and whether it is marked. SEGMENT_INVALID: the chain ends. */
struct link {
    struct record_head head;
    struct record_row row;
    bool marked;
};

/* The head is damaged, as heads are never taken back: the chain goes on at what the log itself has before it. */
static int link_bridge(struct pending *pending, uint64_t account, uint64_t record, struct link *ret_link)
{
    uint64_t before = 0;
    const void *known = map_get(pending->bridges, record ^ account);
    int result = known != NULL ? 0 : salvage_before(pending->files, account, record, &before);
    if (known != NULL)
        before = known == &bridge_to_nothing ? 0 : (uint64_t)(uintptr_t)known;
    else if (result == 0)
        result = map_put(pending->bridges, record ^ account,
                         before != 0 ? (void *)(uintptr_t)before : (void *)&bridge_to_nothing);
    if (result != 0)
        return result;
    *ret_link =
        (struct link){.head = {.record = record}, .row = {.account = account, .before = before}, .marked = true};
    return 0;
}

static int link_read(struct pending *pending, uint64_t account, uint64_t record, struct link *ret_link)
{
    if (record == 0)
        return SEGMENT_INVALID;
    AUTO_FREE uint8_t *rows = NULL;
    struct link link;
    int result = files_record(pending->files, record, &link.head, &rows);
    if (result == SEGMENT_INVALID && files_get(pending->files, record_segment(record)) != NULL)
        return link_bridge(pending, account, record, ret_link);
    if (result != 0)
        return result;
    uint32_t row = files_row_of(&link.head, rows, account);
    if (row == link.head.recipients)
        return SEGMENT_INVALID;
    record_row_read(rows, row, &link.row);
    if (link.row.before >= record) /* a chain leads down, or it would never end */
        return SEGMENT_INVALID;
    link.marked = files_is_marked(&link.head, rows, row);
    *ret_link = link;
    return 0;
}

static bool is_taken(const struct account *account, uint64_t record)
{
    return account->taken != NULL && map_get(account->taken, record) != NULL;
}

/*
 * While mail streams in, what is taken lies below what is not, and every list would walk over all of it anew. So the
 * first taken record of a run keeps where the run ended when it was last walked.
 */
static char skip_unknown;

struct run {
    uint64_t first; /* 0: the walk is in no run */
};

static uint64_t run_enter(const struct account *account, struct run *run, uint64_t at)
{
    const void *skip = map_get(account->taken, at);
    if (run->first == 0)
        run->first = at;
    return skip == &skip_unknown ? 0 : (uint64_t)(uintptr_t)skip;
}

static int run_leave(struct account *account, struct run *run, uint64_t at)
{
    uint64_t first = run->first;
    run->first = 0;
    return first == 0 || at == 0 ? 0 : map_put(account->taken, first, (void *)(uintptr_t)at);
}

static void head_step(struct pending *pending, struct account *account, const struct link *link)
{
    unchain(pending, account->head);
    if (account->taken != NULL)
        (void)map_remove(account->taken, account->head);
    account->head = link->row.before;
}

/* Moves the head down over all that was taken or released; drops the account where nothing is left. */
static int head_settle(struct pending *pending, struct account *account, bool *ret_empty)
{
    struct link link;
    int result;
    for (;;) {
        result = link_read(pending, account->number, account->head, &link);
        if (result != 0 || !(link.marked || is_taken(account, account->head)))
            break;
        head_step(pending, account, &link);
    }
    if (result < 0)
        return result;
    *ret_empty = result == SEGMENT_INVALID;
    if (*ret_empty)
        account_drop(pending, account);
    return 0;
}

int pending_advance(struct pending *pending, uint64_t account, uint64_t head)
{
    struct account *found = map_get(pending->accounts, account);
    while (found != NULL && found->head > head) {
        struct link link;
        int result = link_read(pending, account, found->head, &link);
        if (result < 0)
            return result;
        if (result == 0)
            head_step(pending, found, &link);
        else
            found->head = 0;
    }
    if (found != NULL && found->head == 0)
        account_drop(pending, found);
    return 0;
}

static int row_append(const struct link *link, struct buf *rows)
{
    uint8_t row[PENDING_ROW_SIZE];
    uint64_t record = link->head.record;
    bytes_put_u64(row, record);
    bytes_put_u64(row + 8, record_segment(record));
    bytes_put_u64(row + 16, record_offset(record) + record_head_len(link->head.recipients));
    bytes_put_u64(row + 24, link->head.body_length);
    bytes_put_u64(row + 32, link->head.arrival);
    memcpy(row + 40, link->row.key, RECORD_KEY_SIZE);
    return buf_append(rows, span_of(row, sizeof(row)));
}

/* As a record's id is its place, the walk can go on right below `before` without passing what is above. */
static int first_below(struct pending *pending, const struct account *account, uint64_t before, uint64_t *ret_at)
{
    struct link link;
    *ret_at = account->head;
    if (before == 0 || account->head < before)
        return 0;
    int result = link_read(pending, account->number, before, &link);
    if (result == 0) {
        *ret_at = link.row.before;
        return 0;
    }
    while (result >= 0 && *ret_at >= before) {
        result = link_read(pending, account->number, *ret_at, &link);
        if (result >= 0)
            *ret_at = result == 0 ? link.row.before : 0;
    }
    return result < 0 ? result : 0;
}

int pending_list(struct pending *pending, uint64_t account, uint64_t before, uint32_t limit, struct buf *rows,
                 bool *ret_more)
{
    *ret_more = false;
    struct account *found = map_get(pending->accounts, account);
    if (found == NULL)
        return 0;
    bool empty = false;
    int result = before == 0 ? head_settle(pending, found, &empty) : 0;
    if (result != 0 || empty)
        return result;
    uint64_t at;
    result = first_below(pending, found, before, &at);
    struct run run = {0};
    for (uint32_t count = 0; result == 0;) {
        uint64_t skip = is_taken(found, at) ? run_enter(found, &run, at) : 0;
        if (skip != 0) {
            at = skip;
            continue;
        }
        struct link link;
        result = link_read(pending, account, at, &link);
        if (result != 0)
            break;
        if (!link.marked && !is_taken(found, at)) {
            result = run_leave(found, &run, at);
            *ret_more = count == limit;
            if (*ret_more || result != 0)
                break;
            result = row_append(&link, rows);
            count++;
        }
        at = link.row.before;
    }
    return result < 0 ? result : 0;
}

static int taken_add(struct account *account, uint64_t record)
{
    if (account->taken == NULL) {
        int result = map_new(&account->taken);
        if (result != 0)
            return result;
    }
    if (map_count(account->taken) >= PENDING_TAKEN_MAX && record != account->head)
        return -ENOBUFS;
    return is_taken(account, record) ? 0 : map_put(account->taken, record, &skip_unknown);
}

int pending_take(struct pending *pending, uint64_t account, uint64_t record)
{
    struct account *found = map_get(pending->accounts, account);
    if (found == NULL || record == 0 || record > found->head)
        return 0;
    int result = taken_add(found, record);
    bool empty;
    return result != 0 || record != found->head ? result : head_settle(pending, found, &empty);
}

int pending_forget(struct pending *pending, uint64_t account)
{
    return pending_advance(pending, account, 0);
}

size_t pending_bridges(const struct pending *pending)
{
    return map_count(pending->bridges);
}

size_t pending_accounts(const struct pending *pending)
{
    return map_count(pending->accounts);
}

static void number_append(struct buf *into, uint64_t value)
{
    uint8_t bytes[8];
    bytes_put_u64(bytes, value);
    (void)buf_append(into, span_of(bytes, sizeof(bytes))); /* the buffer remembers the fault */
}

/* Count of accounts; each: number, head, count of taken, those. */
int pending_save(const struct pending *pending, struct buf *into)
{
    number_append(into, map_count(pending->accounts));
    size_t cursor = 0;
    uint64_t number;
    void *each;
    while (map_next(pending->accounts, &cursor, &number, &each)) {
        const struct account *account = each;
        number_append(into, number);
        number_append(into, account->head);
        number_append(into, account->taken != NULL ? map_count(account->taken) : 0);
        size_t at = 0;
        uint64_t record;
        void *mark;
        while (account->taken != NULL && map_next(account->taken, &at, &record, &mark))
            number_append(into, record);
    }
    return buf_fault(into);
}

static int number_take(span_t *from, uint64_t *ret_value)
{
    if (from->len < 8)
        return -EBADMSG;
    *ret_value = bytes_get_u64(from->at);
    *from = span_from(*from, 8);
    return 0;
}

static int account_load(struct pending *pending, span_t *from)
{
    uint64_t number;
    uint64_t head;
    uint64_t taken;
    if (number_take(from, &number) != 0 || number_take(from, &head) != 0 || number_take(from, &taken) != 0)
        return -EBADMSG;
    struct account *account = NULL;
    int result = account_enter(pending, number, &account);
    if (result != 0)
        return result;
    account->head = head;
    for (uint64_t at = 0; at < taken && result == 0; at++) {
        uint64_t record;
        result = number_take(from, &record);
        if (result == 0)
            result = taken_add(account, record);
    }
    return result;
}

int pending_load(struct pending *pending, span_t *from)
{
    uint64_t count;
    int result = number_take(from, &count);
    for (uint64_t at = 0; at < count && result == 0; at++)
        result = account_load(pending, from);
    return result;
}
