#include "vault/engine.h"

/* Making, renaming and deleting mailboxes. Where a mailbox stands, all levels above it stand too. */

static int next_validity(struct vault *vault, uint32_t now_seconds, int64_t *ret_validity)
{
    int64_t highest = 0;
    int result = engine_ask(vault, STATEMENT_MAILBOX_VALIDITY, NO_NUMBERS, &highest);
    if (result == 0)
        *ret_validity = highest < now_seconds ? now_seconds : highest + 1;
    return result;
}

static int add_one(struct vault *vault, span_t name, uint32_t now_seconds, uint64_t *ret_id)
{
    int64_t count = 0;
    int64_t validity = 0;
    int result = engine_ask(vault, STATEMENT_MAILBOX_COUNT, NO_NUMBERS, &count);
    if (result == 0)
        result = count >= VAULT_MAILBOXES_MAX ? (int)VAULT_LIMIT : next_validity(vault, now_seconds, &validity);
    if (result != 0)
        return result;
    int64_t id = (int64_t)++vault->modseq;
    AUTO_RESET sqlite3_stmt *statement = NULL;
    result = engine_prepare(vault, STATEMENT_MAILBOX_ADD, NUMBERS(0, id, validity, VAULT_ROLE_NONE), &statement);
    if (result == 0)
        result = engine_bind_text(vault, statement, 1, name);
    if (result == 0)
        result = engine_finish(vault, statement);
    if (result == 0)
        *ret_id = (uint64_t)id;
    return result;
}

/* What was only a level becomes a mailbox again: a new one, also to a connection that still has the old one open. */
static int revive(struct vault *vault, uint64_t id, uint32_t now_seconds, uint64_t *ret_id)
{
    struct vault_mailbox mailbox;
    int result = vault_mailbox_get(vault, id, &mailbox);
    if (result != 0 || mailbox.selectable)
        return result == 0 ? VAULT_EXISTS : result;
    int64_t validity = 0;
    result = next_validity(vault, now_seconds, &validity);
    if (result != 0)
        return result;
    vault->modseq++;
    result = engine_run(vault, STATEMENT_MAILBOX_GONE, NUMBERS((int64_t)id, (int64_t)vault->modseq));
    if (result == 0)
        result = engine_run(vault, STATEMENT_MAILBOX_REVIVE, NUMBERS((int64_t)id, validity, (int64_t)vault->modseq));
    if (result == 0)
        *ret_id = vault->modseq;
    return result;
}

static int create(struct vault *vault, span_t name, uint32_t now_seconds, uint64_t *ret_id)
{
    uint64_t id = 0;
    bool added = false;
    for (size_t end = 0; end < name.len;) {
        end++;
        end += span_find_byte(span_from(name, end), '/');
        int64_t found = 0;
        span_t level = span_upto(name, end);
        int result = engine_ask_text(vault, STATEMENT_MAILBOX_BY_NAME, level, &found);
        added = result == VAULT_NOT_FOUND;
        id = (uint64_t)found;
        if (added)
            result = add_one(vault, level, now_seconds, &id);
        if (result != 0)
            return result;
    }
    if (!added)
        return revive(vault, id, now_seconds, ret_id);
    *ret_id = id;
    return 0;
}

int vault_mailbox_create(struct vault *vault, span_t name, uint32_t now_seconds, uint64_t *ret_id)
{
    char form[VAULT_NAME_MAX + 1];
    int result = engine_name(name, form);
    if (result != 0)
        return result;
    struct engine_step step;
    result = engine_step_begin(vault, &step);
    uint64_t id = 0;
    if (result == 0)
        result = engine_step_end(vault, &step, create(vault, span_of_text(form), now_seconds, &id));
    if (result == 0)
        *ret_id = id;
    return result;
}

/* The levels above a name; that they are there already is what we hoped for. */
static int create_above(struct vault *vault, span_t name, uint32_t now_seconds)
{
    size_t slash = span_find_last_byte(name, '/');
    if (slash == name.len)
        return 0;
    span_t above = span_upto(name, slash);
    int64_t found = 0;
    int result = engine_ask_text(vault, STATEMENT_MAILBOX_BY_NAME, above, &found);
    uint64_t id = 0;
    return result == VAULT_NOT_FOUND ? create(vault, above, now_seconds, &id) : result;
}

static int rename_inbox(struct vault *vault, span_t to, uint32_t now_seconds)
{
    uint64_t target = 0;
    int result = create(vault, to, now_seconds, &target);
    if (result != 0)
        return result;
    struct vault_range all = VAULT_RANGE_ALL;
    return vault_member_move(vault, VAULT_INBOX, &all, 1, (struct vault_target){target, 0}, NULL, NULL);
}

static int rename_tree(struct vault *vault, span_t from, span_t to)
{
    int64_t longest = 0;
    int result = engine_ask_text(vault, STATEMENT_MAILBOX_LONGEST_CHILD, from, &longest);
    if (result != 0)
        return result;
    if (longest > 0 && (size_t)longest - from.len + to.len > VAULT_NAME_MAX)
        return VAULT_LIMIT;
    vault->modseq++;
    AUTO_RESET sqlite3_stmt *statement = NULL;
    result = engine_prepare(vault, STATEMENT_MAILBOX_RENAME, NUMBERS(0, 0, (int64_t)vault->modseq), &statement);
    if (result == 0)
        result = engine_bind_text(vault, statement, 1, from);
    if (result == 0)
        result = engine_bind_text(vault, statement, 2, to);
    return result == 0 ? engine_finish(vault, statement) : result;
}

static bool is_below(span_t name, span_t above)
{
    return name.len > above.len && span_starts(name, above) && name.at[above.len] == '/';
}

static int rename_mailbox(struct vault *vault, span_t from, span_t to, uint32_t now_seconds)
{
    int64_t id = 0;
    int64_t other = 0;
    int result = engine_ask_text(vault, STATEMENT_MAILBOX_BY_NAME, from, &id);
    if (result != 0)
        return result;
    result = engine_ask_text(vault, STATEMENT_MAILBOX_BY_NAME, to, &other);
    if (result != VAULT_NOT_FOUND)
        return result == 0 ? VAULT_EXISTS : result;
    if (id == (int64_t)VAULT_INBOX)
        return rename_inbox(vault, to, now_seconds);
    if (is_below(to, from))
        return VAULT_CONFLICT;
    result = create_above(vault, to, now_seconds);
    return result == 0 ? rename_tree(vault, from, to) : result;
}

int vault_mailbox_rename(struct vault *vault, span_t from, span_t to, uint32_t now_seconds)
{
    char old_form[VAULT_NAME_MAX + 1];
    char new_form[VAULT_NAME_MAX + 1];
    if (engine_name(from, old_form) != 0)
        return VAULT_NOT_FOUND;
    int result = engine_name(to, new_form);
    if (result != 0)
        return result;
    struct engine_step step;
    result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    result = rename_mailbox(vault, span_of_text(old_form), span_of_text(new_form), now_seconds);
    return engine_step_end(vault, &step, result);
}

static int delete_mailbox(struct vault *vault, uint64_t id)
{
    struct vault_mailbox mailbox;
    bool has_children = false;
    int result = vault_mailbox_get(vault, id, &mailbox);
    if (result == 0)
        result = vault_mailbox_has_children(vault, span_of_text(vault->name), &has_children);
    if (result != 0)
        return result;
    if (has_children && !mailbox.selectable)
        return VAULT_CONFLICT;
    result = engine_mailbox_empty(vault, id);
    if (result == 0)
        result = engine_run(vault, STATEMENT_EXPUNGED_CLEAR, NUMBERS((int64_t)id));
    if (result == 0)
        result = engine_run(vault, STATEMENT_ANNOTATION_FORGET, NUMBERS((int64_t)id));
    if (result != 0)
        return result;
    vault->modseq++;
    if (has_children)
        return engine_run(vault, STATEMENT_MAILBOX_RETIRE, NUMBERS((int64_t)id, (int64_t)vault->modseq));
    result = engine_run(vault, STATEMENT_MAILBOX_GONE, NUMBERS((int64_t)id, (int64_t)vault->modseq));
    return result == 0 ? engine_run(vault, STATEMENT_MAILBOX_DELETE, NUMBERS((int64_t)id)) : result;
}

int vault_mailbox_delete(struct vault *vault, uint64_t id)
{
    if (id == VAULT_INBOX)
        return VAULT_PROTECTED;
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    return result == 0 ? engine_step_end(vault, &step, delete_mailbox(vault, id)) : result;
}
