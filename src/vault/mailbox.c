#include "vault/mailbox.h"

#include <errno.h>
#include <string.h>

#include "vault/engine.h"

#define LIST_SQL                                                                                                       \
    "SELECT m.id, m.name, m.uidvalidity, m.uidnext, m.recent_from, m.role, s.name IS NOT NULL, m.selectable, "         \
    "m.modseq, m.total, m.unseen, m.deleted, m.bytes, m.flagged FROM mailbox m LEFT JOIN subscription s ON s.name = "  \
    "m.name "                                                                                                          \
    "ORDER BY m.id <> 1, m.name"

static struct vault_mailbox row_of(sqlite3_stmt *statement)
{
    return (struct vault_mailbox){
        .id = (uint64_t)sqlite3_column_int64(statement, 0),
        .name = (const char *)sqlite3_column_text(statement, 1),
        .uidvalidity = (uint32_t)sqlite3_column_int64(statement, 2),
        .uidnext = (uint32_t)sqlite3_column_int64(statement, 3),
        .recent_from = (uint32_t)sqlite3_column_int64(statement, 4),
        .role = (enum vault_role)sqlite3_column_int(statement, 5),
        .subscribed = sqlite3_column_int(statement, 6) != 0,
        .selectable = sqlite3_column_int(statement, 7) != 0,
        .highest_modseq = (uint64_t)sqlite3_column_int64(statement, 8),
        .total = (uint32_t)sqlite3_column_int64(statement, 9),
        .unseen = (uint32_t)sqlite3_column_int64(statement, 10),
        .deleted = (uint32_t)sqlite3_column_int64(statement, 11),
        .bytes = (uint64_t)sqlite3_column_int64(statement, 12),
        .flags_modseq = (uint64_t)sqlite3_column_int64(statement, 13),
    };
}

/* The statement is its own, as fn may well list something else. */
int vault_mailbox_list(struct vault *vault, vault_mailbox_fn fn, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result = engine_fault(vault, sqlite3_prepare_v2(vault->database, LIST_SQL, -1, &statement, NULL));
    if (result == 0)
        result = engine_next(vault, statement);
    while (result == ENGINE_ROW) {
        struct vault_mailbox mailbox = row_of(statement);
        result = fn(arg, &mailbox);
        if (result != 0)
            break;
        result = engine_next(vault, statement);
    }
    (void)sqlite3_finalize(statement);
    return result;
}

int vault_mailbox_get(struct vault *vault, uint64_t id, struct vault_mailbox *ret_mailbox)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_MAILBOX_GET, NUMBERS((int64_t)id), &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result != ENGINE_ROW)
        return result == 0 ? VAULT_NOT_FOUND : result;
    struct vault_mailbox mailbox = row_of(statement);
    span_t name = span_upto(span_of_text(mailbox.name), VAULT_NAME_MAX);
    if (name.len > 0)
        memcpy(vault->name, name.at, name.len);
    vault->name[name.len] = '\0';
    mailbox.name = vault->name;
    *ret_mailbox = mailbox;
    return 0;
}

int vault_mailbox_find(struct vault *vault, span_t name, struct vault_mailbox *ret_mailbox)
{
    char form[VAULT_NAME_MAX + 1];
    if (engine_name(name, form) != 0)
        return VAULT_NOT_FOUND;
    int64_t id = 0;
    int result = engine_ask_text(vault, STATEMENT_MAILBOX_BY_NAME, span_of_text(form), &id);
    return result == 0 ? vault_mailbox_get(vault, (uint64_t)id, ret_mailbox) : result;
}

int vault_mailbox_find_role(struct vault *vault, enum vault_role role, struct vault_mailbox *ret_mailbox)
{
    int64_t id = 0;
    int result = engine_ask(vault, STATEMENT_MAILBOX_BY_ROLE, NUMBERS(role), &id);
    return result == 0 ? vault_mailbox_get(vault, (uint64_t)id, ret_mailbox) : result;
}

int vault_mailbox_has_children(struct vault *vault, span_t name, bool *ret_has)
{
    char form[VAULT_NAME_MAX + 1];
    int64_t id = 0;
    int result = VAULT_NOT_FOUND;
    if (engine_name(name, form) == 0)
        result = engine_ask_text(vault, STATEMENT_MAILBOX_CHILD, span_of_text(form), &id);
    if (result < 0)
        return result;
    *ret_has = result == 0;
    return 0;
}

static int set_role(struct vault *vault, uint64_t id, enum vault_role role)
{
    struct vault_mailbox mailbox;
    int result = vault_mailbox_get(vault, id, &mailbox);
    if (result != 0 || mailbox.role == role)
        return result;
    int64_t other = 0;
    result =
        role == VAULT_ROLE_NONE ? VAULT_NOT_FOUND : engine_ask(vault, STATEMENT_MAILBOX_BY_ROLE, NUMBERS(role), &other);
    if (result != VAULT_NOT_FOUND)
        return result == 0 ? VAULT_EXISTS : result;
    vault->modseq++;
    return engine_run(vault, STATEMENT_MAILBOX_SET_ROLE, NUMBERS((int64_t)id, role, (int64_t)vault->modseq));
}

int vault_mailbox_set_role(struct vault *vault, uint64_t id, enum vault_role role)
{
    if (id == VAULT_INBOX)
        return VAULT_PROTECTED;
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    return result == 0 ? engine_step_end(vault, &step, set_role(vault, id, role)) : result;
}

int vault_mailbox_claim_recent(struct vault *vault, uint64_t id, uint32_t *ret_from)
{
    struct vault_mailbox mailbox;
    int result = vault_mailbox_get(vault, id, &mailbox);
    if (result != 0)
        return result;
    if (mailbox.recent_from == mailbox.uidnext) {
        *ret_from = 0;
        return 0;
    }
    struct engine_step step;
    result = engine_step_begin(vault, &step);
    if (result == 0)
        result = engine_step_end(vault, &step, engine_run(vault, STATEMENT_MAILBOX_CLAIM, NUMBERS((int64_t)id)));
    if (result == 0)
        *ret_from = mailbox.recent_from;
    return result;
}

int vault_mailbox_usage(struct vault *vault, uint64_t *ret_count, uint64_t *ret_bytes)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_MAILBOX_USAGE, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result != ENGINE_ROW)
        return result == 0 ? -EBADMSG : result;
    *ret_count = (uint64_t)sqlite3_column_int64(statement, 0);
    *ret_bytes = (uint64_t)sqlite3_column_int64(statement, 1);
    return 0;
}
