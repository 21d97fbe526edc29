#include "vault/member.h"

#include <errno.h>

#include "base/mem.h"
#include "vault/engine.h"

#define CHUNK 512 /* rows read before the callback sees the first */

struct chunk {
    struct vault_member members[CHUNK];
    size_t count;
};

static int fill_chunk(struct vault *vault, sqlite3_stmt *statement, struct chunk *chunk)
{
    chunk->count = 0;
    int result = engine_next(vault, statement);
    while (result == ENGINE_ROW && chunk->count < CHUNK) {
        struct vault_member *member = &chunk->members[chunk->count++];
        *member = (struct vault_member){
            .uid = (uint32_t)sqlite3_column_int64(statement, 0),
            .flags = (uint64_t)sqlite3_column_int64(statement, 1),
            .modseq = (uint64_t)sqlite3_column_int64(statement, 2),
            .size = (uint64_t)sqlite3_column_int64(statement, 3),
            .received = sqlite3_column_int64(statement, 4),
            .email = (uint64_t)sqlite3_column_int64(statement, 5),
            .saved = sqlite3_column_int64(statement, 6),
        };
        if (member->saved == 0)
            member->saved = member->received;
        result = engine_next(vault, statement);
    }
    return result < 0 ? result : 0;
}

static int read_chunk(struct vault *vault, uint64_t mailbox, struct vault_range range, uint64_t since,
                      struct chunk *chunk)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_MEMBER_READ,
                                NUMBERS((int64_t)mailbox, range.first, range.last, (int64_t)since, CHUNK), &statement);
    return result == 0 ? fill_chunk(vault, statement, chunk) : result;
}

static int read_email_chunk(struct vault *vault, uint64_t mailbox, uint64_t email, uint32_t first, struct chunk *chunk)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_MEMBER_READ_EMAIL,
                                NUMBERS((int64_t)email, (int64_t)mailbox, first, CHUNK), &statement);
    return result == 0 ? fill_chunk(vault, statement, chunk) : result;
}

static int walk_range(struct vault *vault, const struct engine_walk *walk, struct vault_range range,
                      struct chunk *chunk, vault_member_fn fn, void *arg)
{
    while (range.first <= range.last) {
        int result = read_chunk(vault, walk->mailbox, range, walk->since, chunk);
        for (size_t i = 0; result == 0 && i < chunk->count; i++)
            result = fn(arg, &chunk->members[i]);
        if (result != 0 || chunk->count < CHUNK)
            return result;
        range.first = chunk->members[CHUNK - 1].uid + 1; /* below UINT32_MAX: walks end before UIDNEXT */
    }
    return 0;
}

int engine_walk(struct vault *vault, const struct engine_walk *walk, vault_member_fn fn, void *arg)
{
    struct engine_brief brief;
    int result = engine_mailbox_brief(vault, walk->mailbox, &brief);
    if (result != 0 || brief.modseq <= walk->since)
        return result;
    AUTO_FREE struct chunk *chunk = mem_new(sizeof(*chunk));
    if (chunk == NULL)
        return -ENOMEM;
    for (size_t i = 0; result == 0 && i < walk->count; i++) {
        struct vault_range range = walk->ranges[i];
        if (range.last >= brief.uidnext)
            range.last = brief.uidnext - 1;
        result = walk_range(vault, walk, range, chunk, fn, arg);
    }
    return result;
}

bool engine_stretch_add(struct engine_stretch *stretch, uint32_t uid, struct vault_range *ret_done)
{
    size_t before = stretch->range;
    while (uid > stretch->walk->ranges[stretch->range].last)
        stretch->range++;
    bool is_new = stretch->range != before || stretch->uids.first == 0;
    bool is_done = is_new && stretch->uids.first != 0;
    *ret_done = stretch->uids;
    if (is_new)
        stretch->uids.first = uid;
    stretch->uids.last = uid;
    return is_done;
}

int vault_member_scan(struct vault *vault, uint64_t mailbox, struct vault_range range, vault_member_fn fn, void *arg)
{
    return vault_member_changes(vault, mailbox, range, 0, fn, arg);
}

int vault_member_scan_email(struct vault *vault, uint64_t mailbox, uint64_t email, uint32_t first, vault_member_fn fn,
                            void *arg)
{
    AUTO_FREE struct chunk *chunk = mem_new(sizeof(*chunk));
    if (chunk == NULL)
        return -ENOMEM;
    for (;;) {
        int result = read_email_chunk(vault, mailbox, email, first, chunk);
        for (size_t i = 0; result == 0 && i < chunk->count; i++)
            result = fn(arg, &chunk->members[i]);
        if (result != 0 || chunk->count < CHUNK)
            return result;
        first = chunk->members[CHUNK - 1].uid + 1;
    }
}

int vault_member_changes(struct vault *vault, uint64_t mailbox, struct vault_range range, uint64_t since,
                         vault_member_fn fn, void *arg)
{
    struct engine_walk walk = {.mailbox = mailbox, .ranges = &range, .count = 1, .since = since};
    return engine_walk(vault, &walk, fn, arg);
}

static int read_expunged(struct vault *vault, const int64_t *numbers, size_t count, vault_uid_fn fn, void *arg)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_EXPUNGED_READ, numbers, count, &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    while (result == ENGINE_ROW) {
        result = fn(arg, (uint32_t)sqlite3_column_int64(statement, 0), (uint64_t)sqlite3_column_int64(statement, 1));
        if (result == 0)
            result = engine_next(vault, statement);
        else
            break;
    }
    return result;
}

struct gaps {
    uint32_t next;
    uint64_t modseq;
    vault_uid_fn fn;
    void *arg;
};

static int tell_gap(struct gaps *gaps, uint32_t end)
{
    int result = 0;
    while (result == 0 && gaps->next < end)
        result = gaps->fn(gaps->arg, gaps->next++, gaps->modseq);
    return result;
}

static int on_present(void *arg, const struct vault_member *member)
{
    struct gaps *gaps = arg;
    int result = tell_gap(gaps, member->uid);
    gaps->next = member->uid + 1;
    return result;
}

/* All that is not there, below UIDNEXT. */
static int read_absent(struct vault *vault, uint64_t mailbox, struct vault_range range,
                       const struct engine_brief *brief, vault_uid_fn fn, void *arg)
{
    struct gaps gaps = {.next = range.first, .modseq = brief->horizon, .fn = fn, .arg = arg};
    uint32_t end = range.last < brief->uidnext ? range.last + 1 : brief->uidnext;
    int result = vault_member_scan(vault, mailbox, range, on_present, &gaps);
    return result == 0 ? tell_gap(&gaps, end) : result;
}

int vault_member_expunged(struct vault *vault, uint64_t mailbox, struct vault_range range, uint64_t since,
                          vault_uid_fn fn, void *arg)
{
    struct engine_brief brief;
    int result = engine_mailbox_brief(vault, mailbox, &brief);
    if (result != 0 || brief.modseq <= since)
        return result;
    if (since < brief.horizon)
        return read_absent(vault, mailbox, range, &brief, fn, arg);
    return read_expunged(vault, NUMBERS((int64_t)mailbox, range.first, range.last, (int64_t)since), fn, arg);
}
