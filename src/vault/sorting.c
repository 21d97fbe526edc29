#include "vault/sorting.h"

#include <errno.h>

#include "base/bytes.h"
#include "vault/engine.h"

/*
 * A row holds the keys of the emails whose ids differ in the lowest bits alone: for each, in order of ids, the low bits
 * (1 byte), the length of the key (2), the key. Mail comes, and goes, in order of ids as a rule, so the row at hand is
 * kept in memory while it changes, and written when another one is needed or the step ends.
 */
#define BLOCK_BITS 5U
#define BLOCK_IDS (UINT64_C(1) << BLOCK_BITS)
#define HEAD 3U
#define BLOCK_MAX (BLOCK_IDS * (HEAD + VAULT_SORTING_MAX))
#define NO_BLOCK UINT64_MAX

/* Takes the next entry off; false: there is none, or it is damaged. */
static bool take_entry(span_t *rest, uint8_t *ret_low, span_t *ret_key)
{
    if (rest->len < HEAD)
        return false;
    size_t len = (size_t)rest->at[1] << 8 | rest->at[2];
    if (len > rest->len - HEAD)
        return false;
    *ret_low = rest->at[0];
    *ret_key = span_slice(*rest, HEAD, len);
    *rest = span_from(*rest, HEAD + len);
    return true;
}

/* --- the row at hand --- */

void engine_sorting_init(struct vault *vault)
{
    vault->sorting = (struct engine_sorting){.block = NO_BLOCK};
    buf_init(&vault->sorting.keys, BLOCK_MAX);
    buf_init(&vault->sorting.spare, BLOCK_MAX);
}

void engine_sorting_forget(struct vault *vault)
{
    vault->sorting.block = NO_BLOCK;
    vault->sorting.changed = false;
    buf_deinit(&vault->sorting.keys);
    buf_deinit(&vault->sorting.spare);
}

static int write_row(struct vault *vault, uint64_t block, span_t keys)
{
    if (keys.len == 0)
        return engine_run(vault, STATEMENT_SORTING_DELETE, NUMBERS((int64_t)block));
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_SORTING_PUT, NUMBERS((int64_t)block), &statement);
    if (result == 0)
        result = engine_bind_blob(vault, statement, 2, keys);
    return result == 0 ? engine_finish(vault, statement) : result;
}

int engine_sorting_flush(struct vault *vault)
{
    struct engine_sorting *sorting = &vault->sorting;
    if (!sorting->changed)
        return 0;
    sorting->changed = false;
    return write_row(vault, sorting->block, buf_span(&sorting->keys));
}

static int load_row(struct vault *vault, uint64_t block)
{
    struct engine_sorting *sorting = &vault->sorting;
    if (sorting->block == block)
        return 0;
    int result = engine_sorting_flush(vault);
    if (result != 0)
        return result;
    AUTO_RESET sqlite3_stmt *statement = NULL;
    sorting->block = NO_BLOCK;
    buf_clear(&sorting->keys);
    result = engine_prepare(vault, STATEMENT_SORTING_GET, NUMBERS((int64_t)block), &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result == ENGINE_ROW)
        result = buf_append(&sorting->keys,
                            span_of(sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0)));
    if (result == 0)
        sorting->block = block;
    return result == -ENOBUFS ? -EBADMSG : result;
}

static int append_entry(struct buf *keys, uint8_t low, span_t key)
{
    uint8_t head[HEAD] = {low, (uint8_t)(key.len >> 8), (uint8_t)key.len};
    int result = buf_append(keys, span_of(head, sizeof(head)));
    return result == 0 ? buf_append(keys, key) : result;
}

/* key.at == NULL: takes it out. */
static int replace(struct vault *vault, uint64_t id, span_t key)
{
    struct engine_sorting *sorting = &vault->sorting;
    int result = load_row(vault, id >> BLOCK_BITS);
    if (result != 0)
        return result;
    uint8_t low = (uint8_t)(id & (BLOCK_IDS - 1));
    uint8_t other = 0;
    span_t others = SPAN_NONE;
    span_t all = buf_span(&sorting->keys);
    span_t rest = all;
    size_t before = 0; /* bytes of those with a lower id */
    size_t end = 0;    /* and of this one, if it is there */
    while (end == before && take_entry(&rest, &other, &others) && other <= low) {
        end = all.len - rest.len;
        before = other < low ? end : before;
    }
    if (key.at == NULL && end == before)
        return 0;
    sorting->changed = true;
    if (before == all.len)
        return append_entry(&sorting->keys, low, key);
    buf_clear(&sorting->spare);
    (void)buf_append(&sorting->spare, span_upto(all, before));
    if (key.at != NULL)
        (void)append_entry(&sorting->spare, low, key);
    (void)buf_append(&sorting->spare, span_from(all, end));
    struct buf row = sorting->spare;
    sorting->spare = sorting->keys;
    sorting->keys = row;
    return buf_fault(&row);
}

int engine_sorting_add(struct vault *vault, uint64_t id, span_t key)
{
    return key.len > 0 ? replace(vault, id, key) : 0;
}

int engine_sorting_remove(struct vault *vault, uint64_t id)
{
    return replace(vault, id, SPAN_NONE);
}

/* --- reading --- */

/* The keys of one row for those of the ids, from *at on, that it is of. */
static int read_row(span_t keys, uint64_t block, const uint64_t *ids, size_t count, size_t *at, vault_sorting_fn fn,
                    void *arg)
{
    uint8_t low = 0;
    span_t key = SPAN_NONE;
    bool is_there = take_entry(&keys, &low, &key);
    while (*at < count && ids[*at] >> BLOCK_BITS == block) {
        uint8_t wanted = (uint8_t)(ids[*at] & (BLOCK_IDS - 1));
        while (is_there && low < wanted)
            is_there = take_entry(&keys, &low, &key);
        int result = fn(arg, *at, is_there && low == wanted ? key : SPAN_NONE);
        (*at)++;
        if (result != 0)
            return result;
    }
    return 0;
}

/* Rows that are passed over cost less than looking up the next one that is wanted, unless they are many. */
#define ROW_GAP 8U

static size_t count_dense(const uint64_t *ids, size_t count)
{
    size_t dense = 1;
    while (dense < count && (ids[dense] >> BLOCK_BITS) - (ids[dense - 1] >> BLOCK_BITS) <= ROW_GAP)
        dense++;
    return dense;
}

static int read_dense(struct vault *vault, const uint64_t *ids, size_t first, size_t end, vault_sorting_fn fn,
                      void *arg)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    uint64_t block = 0;
    int result =
        engine_prepare(vault, STATEMENT_SORTING_RANGE,
                       NUMBERS((int64_t)(ids[first] >> BLOCK_BITS), (int64_t)(ids[end - 1] >> BLOCK_BITS)), &statement);
    int more = result == 0 ? engine_next(vault, statement) : result;
    while (first < end && more >= 0) {
        block = more == ENGINE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : NO_BLOCK;
        if (block < ids[first] >> BLOCK_BITS) {
            more = engine_next(vault, statement);
            continue;
        }
        span_t keys = SPAN_NONE;
        if (block == ids[first] >> BLOCK_BITS)
            keys = span_of(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));
        result = read_row(keys, ids[first] >> BLOCK_BITS, ids, end, &first, fn, arg);
        if (result != 0)
            return result;
    }
    return more < 0 ? more : 0;
}

int vault_sorting_read(struct vault *vault, const uint64_t *ids, size_t count, vault_sorting_fn fn, void *arg)
{
    int result = engine_sorting_flush(vault);
    for (size_t first = 0; result == 0 && first < count;) {
        size_t end = first + count_dense(ids + first, count - first);
        result = read_dense(vault, ids, first, end, fn, arg);
        first = end;
    }
    return result;
}

/* --- those of an older vault --- */

static int put(struct vault *vault, uint64_t id, span_t key)
{
    struct vault_email email;
    int result = vault_email_get(vault, id, &email);
    return result == 0 ? engine_sorting_add(vault, id, key) : result;
}

int vault_sorting_put(struct vault *vault, uint64_t id, span_t key)
{
    if (key.len == 0 || key.len > VAULT_SORTING_MAX)
        return -EINVAL;
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    return result == 0 ? engine_step_end(vault, &step, put(vault, id, key)) : result;
}

int vault_sorting_pending(struct vault *vault, uint64_t *ret_ids, size_t room, size_t *ret_count)
{
    return engine_list(vault, STATEMENT_SORTING_PENDING, NUMBERS((int64_t)room), ret_ids, room, ret_count);
}

int vault_sorting_done(struct vault *vault, uint64_t id)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result == 0)
        result = engine_step_end(vault, &step, engine_run(vault, STATEMENT_SORTING_DONE, NUMBERS((int64_t)id)));
    return result;
}

int vault_sorting_reset(struct vault *vault)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    engine_sorting_forget(vault);
    result = engine_execute(vault, "DROP TABLE IF EXISTS sorting;"
                                   "CREATE TABLE sorting(block INTEGER PRIMARY KEY, keys BLOB NOT NULL);"
                                   "DELETE FROM unsorted; INSERT INTO unsorted SELECT coalesce(max(id), 0) FROM email");
    return engine_step_end(vault, &step, result);
}
