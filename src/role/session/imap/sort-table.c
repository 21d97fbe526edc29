#include <errno.h>

#include "base/order.h"
#include "role/session/imap/sort.h"
#include "role/session/sorter.h"
#include "vault/sorting.h"

#define TABLE_MAX ((size_t)256 << 20) /* of one command: a million messages sorted by two texts */
#define WALK_ROWS 20000U
#define CHUNK 512U /* keys read in one go */
#define STEP_FULL 100
#define NEEDS_MESSAGE 101

/* --- rows --- */

struct filling {
    struct sort_table *table;
    const struct search_found *found;
    size_t next; /* of found */
    size_t walked;
};

static int on_member(void *arg, const struct vault_member *member)
{
    struct filling *filling = arg;
    const struct search_found *found = filling->found;
    if (filling->walked++ == WALK_ROWS)
        return STEP_FULL;
    while (filling->next < found->count && found->uids[filling->next] < member->uid)
        filling->next++;
    if (filling->next == found->count || found->uids[filling->next] != member->uid)
        return 0;
    uint8_t score = found->scores != NULL ? found->scores[filling->next] : 0;
    filling->next++;
    filling->table->rows[filling->table->count++] = (struct sort_row){
        .uid = member->uid, .email = member->email, .size = member->size, .received = member->received, .score = score};
    return 0;
}

int sort_table_fill(struct task *task, struct run *run, const struct search_found *found, struct sort_table *table)
{
    *table = (struct sort_table){.count = 0};
    int result = arena_new(TABLE_MAX, &table->arena);
    if (result < 0)
        return result;
    table->rows = arena_alloc_array(table->arena, found->count + 1, sizeof(*table->rows));
    if (table->rows == NULL)
        return -ENOMEM;
    struct filling filling = {.table = table, .found = found};
    result = found->count > 0 ? STEP_FULL : 0;
    while (result == STEP_FULL && filling.next < found->count) {
        struct vault_range range = {found->uids[filling.next], found->uids[found->count - 1]};
        filling.walked = 0;
        result = vault_member_scan(run->vault, run->client->view->mailbox, range, on_member, &filling);
        int yielded = result < 0 ? result : task_yield(task);
        if (yielded < 0)
            return yielded;
    }
    return 0;
}

void sort_table_free(struct sort_table *table)
{
    arena_free(table->arena);
}

/* --- keys --- */

struct reading {
    struct task *task;
    struct run *run;
    const struct sort_table *table;
    const struct order_row *order; /* rows in order of emails' ids, as the vault has them */
    sort_key_fn fn;
    void *arg;
    size_t done;
};

static int on_key(void *arg, size_t index, span_t bytes)
{
    (void)index;
    struct reading *reading = arg;
    struct sort_key key;
    if (!sort_key_read(bytes, &key))
        return NEEDS_MESSAGE;
    return reading->fn(reading->arg, reading->order[reading->done++].place, &key);
}

/* What cannot be read has an empty header, and is sorted as such. */
static int open_message(struct reading *reading)
{
    size_t row = reading->order[reading->done++].place;
    struct buf bytes AUTO_BUF;
    struct sort_key key = {0};
    buf_init(&bytes, VAULT_SORTING_MAX);
    int result = sort_key_of_email(reading->task, reading->run->session, reading->table->rows[row].email, &bytes);
    if (result == 0)
        (void)sort_key_read(buf_span(&bytes), &key);
    else if (result != -EBADMSG && result != -ENOENT)
        return result;
    result = reading->fn(reading->arg, row, &key);
    if (result == 0)
        result = run_progress(reading->task, reading->run, 0, 0);
    return result == 0 && reading->done % 8 == 0 ? task_yield(reading->task) : result;
}

/* Where the keys are damaged the messages say the same. */
static int read_some(struct reading *reading, size_t end)
{
    uint64_t ids[CHUNK];
    while (reading->done < end) {
        size_t count = end - reading->done;
        for (size_t i = 0; i < count; i++)
            ids[i] = reading->order[reading->done + i].number;
        int result = vault_sorting_read(reading->run->vault, ids, count, on_key, reading);
        if (result == NEEDS_MESSAGE || result == -EBADMSG)
            result = open_message(reading);
        if (result < 0)
            return result;
    }
    return 0;
}

static struct order_row *order_by_email(const struct sort_table *table)
{
    struct order_row *rows = arena_alloc_array(table->arena, table->count + 1, sizeof(*rows));
    struct order_row *room = arena_alloc_array(table->arena, table->count + 1, sizeof(*room));
    if (rows == NULL || room == NULL)
        return NULL;
    for (size_t i = 0; i < table->count; i++)
        rows[i] = (struct order_row){table->rows[i].email, (uint32_t)i};
    order_rows(rows, room, table->count);
    return rows;
}

int sort_table_keys(struct task *task, struct run *run, const struct sort_table *table, sort_key_fn fn, void *arg)
{
    struct order_row *order = order_by_email(table);
    struct reading reading = {.task = task, .run = run, .table = table, .order = order, .fn = fn, .arg = arg};
    int result = order == NULL ? -ENOMEM : 0;
    while (result == 0 && reading.done < table->count) {
        size_t left = table->count - reading.done;
        result = read_some(&reading, reading.done + (left < CHUNK ? left : CHUNK));
        if (result == 0)
            result = run_progress(task, run, 0, 0);
        if (result == 0)
            result = task_yield(task);
    }
    return result;
}

int64_t sort_date(const struct sort_row *row, const struct sort_key *key)
{
    return key->has_date ? key->date : row->received / 1000000;
}
