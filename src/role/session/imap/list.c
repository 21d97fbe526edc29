#include <errno.h>
#include <string.h>

#include "proto/imap/mailbox.h"
#include "role/session/imap/imap.h"

/*
 * LIST and LSUB work on a copy of all names, because asking for each one's children while the vault walks them is not
 * possible, and because the order of names shows who has children: a mailbox's children follow it.
 */
struct name {
    struct name *next;
    span_t name;
    enum vault_role role;
    bool subscribed;
    bool selectable;
    bool exists;
    bool has_children;
};

struct listing {
    struct run *run;
    struct name *first;
    struct name **link;
};

static int add_mailbox(void *arg, const struct vault_mailbox *mailbox)
{
    struct listing *listing = arg;
    struct name *name = arena_alloc(listing->run->arena, sizeof(*name));
    if (name == NULL)
        return -ENOMEM;
    *name = (struct name){
        .role = mailbox->role, .subscribed = mailbox->subscribed, .selectable = mailbox->selectable, .exists = true};
    int result = arena_copy(listing->run->arena, span_of_text(mailbox->name), &name->name);
    if (result < 0)
        return result;
    *listing->link = name;
    listing->link = &name->next;
    return 0;
}

static bool is_child(span_t name, span_t parent)
{
    return name.len > parent.len && span_starts(name, parent) && name.at[parent.len] == IMAP_SEPARATOR;
}

/* Siblings such as "a-b" may stand between "a" and "a/c", so the whole rest that starts with the name is looked at. */
static void find_children(struct listing *listing)
{
    for (struct name *name = listing->first; name != NULL; name = name->next)
        for (struct name *other = name->next; other != NULL && !name->has_children; other = other->next) {
            if (is_child(other->name, name->name))
                name->has_children = true;
            else if (name != listing->first && !span_starts(other->name, name->name))
                break;
        }
}

/* RFC 3501 §6.3.8: the reference is what stands before the pattern. */
static int full_pattern(struct run *run, span_t pattern, span_t *ret_pattern)
{
    span_t reference = run->command->list.reference;
    if (reference.len == 0 || (pattern.len > 0 && pattern.at[0] == IMAP_SEPARATOR)) {
        *ret_pattern = pattern;
        return 0;
    }
    uint8_t *both = arena_alloc(run->arena, reference.len + pattern.len + 1);
    if (both == NULL)
        return -ENOMEM;
    memcpy(both, reference.at, reference.len);
    if (pattern.len > 0)
        memcpy(both + reference.len, pattern.at, pattern.len);
    *ret_pattern = span_of(both, reference.len + pattern.len);
    return 0;
}

static bool matches_any(const struct run *run, span_t name)
{
    for (size_t i = 0; i < run->command->list.count; i++)
        if (imap_mailbox_matches(run->command->list.patterns[i], name))
            return true;
    return false;
}

static bool has_subscribed_child(const struct name *name)
{
    for (const struct name *other = name->next; other != NULL; other = other->next)
        if (other->subscribed && is_child(other->name, name->name))
            return true;
    return false;
}

static void write_attribute(struct buf *out, bool *is_first, const char *attribute)
{
    if (!*is_first)
        buf_append_byte(out, ' ');
    *is_first = false;
    buf_append_text(out, attribute);
}

/* `* LIST (\\HasChildren) "/" name`, without the line's end. */
static void write_head(struct run *run, const struct name *name, const char *response, bool with_subscribed)
{
    struct buf *out = &run->client->out;
    bool is_first = true;
    buf_append_format(out, "* %s (", response);
    if (!name->exists)
        write_attribute(out, &is_first, "\\NonExistent"); /* RFC 5258 §3 */
    else if (!name->selectable)
        write_attribute(out, &is_first, "\\Noselect");
    write_attribute(out, &is_first, name->has_children ? "\\HasChildren" : "\\HasNoChildren"); /* RFC 3348 §3 */
    if (name->subscribed && with_subscribed)
        write_attribute(out, &is_first, "\\Subscribed");
    if (imap_use_name(name->role) != NULL)
        write_attribute(out, &is_first, imap_use_name(name->role)); /* RFC 6154 §2 */
    buf_append_text(out, ") \"/\" ");
    run_write_mailbox(run, out, name->name);
}

static void write_name(struct run *run, const struct name *name, const char *response, bool child_subscribed)
{
    struct buf *out = &run->client->out;
    unsigned options = run->command->list.options;
    write_head(run, name, response, (options & (IMAP_LIST_RETURN_SUBSCRIBED | IMAP_LIST_SELECT_SUBSCRIBED)) != 0);
    if (child_subscribed)
        buf_append_text(out, " (CHILDINFO (\"SUBSCRIBED\"))"); /* RFC 5258 §3.5 */
    buf_append_text(out, "\r\n");
}

static int find_subscribed(void *arg, const char *text)
{
    struct name *name = arg;
    name->subscribed |= span_equal(span_of_text(text), name->name);
    return 0;
}

int list_write_one(struct run *run, span_t text, span_t old_name)
{
    struct vault_mailbox mailbox;
    struct name name = {.name = text};
    struct buf *out = &run->client->out;
    int result = vault_mailbox_find(run->vault, text, &mailbox);
    if (result == 0)
        name = (struct name){.name = text,
                             .role = mailbox.role,
                             .subscribed = mailbox.subscribed,
                             .selectable = mailbox.selectable,
                             .exists = true};
    else if (result == VAULT_NOT_FOUND)
        result = vault_subscription_list(run->vault, find_subscribed, &name);
    if (result == 0)
        result = vault_mailbox_has_children(run->vault, text, &name.has_children);
    if (result < 0)
        return result;
    write_head(run, &name, "LIST", true);
    if (old_name.len > 0) {
        buf_append_text(out, " (\"OLDNAME\" (");
        run_write_mailbox(run, out, old_name);
        buf_append_text(out, "))");
    }
    buf_append_text(out, "\r\n");
    return buf_fault(out);
}

/* A name that is subscribed but does not exist is listed too (RFC 5258 §3.1). */
static int add_subscription(void *arg, const char *text)
{
    struct listing *listing = arg;
    span_t wanted = span_of_text(text);
    for (struct name *name = listing->first; name != NULL; name = name->next)
        if (span_equal(name->name, wanted))
            return 0;
    struct name *name = arena_alloc(listing->run->arena, sizeof(*name));
    if (name == NULL)
        return -ENOMEM;
    *name = (struct name){.subscribed = true};
    int result = arena_copy(listing->run->arena, wanted, &name->name);
    *listing->link = name;
    listing->link = &name->next;
    return result;
}

static int gather(struct listing *listing, bool subscriptions)
{
    struct run *run = listing->run;
    listing->link = &listing->first;
    int result = vault_mailbox_list(run->vault, add_mailbox, listing);
    if (result == 0 && subscriptions)
        result = vault_subscription_list(run->vault, add_subscription, listing);
    if (result == 0)
        find_children(listing);
    for (size_t i = 0; result == 0 && i < run->command->list.count; i++)
        result = full_pattern(run, run->command->list.patterns[i], &run->command->list.patterns[i]);
    return result;
}

/* RFC 5819 §2: for what can be selected, right behind its LIST response. */
static int write_status(struct run *run, const struct name *name)
{
    struct vault_mailbox mailbox;
    if (run->command->list.status == 0 || !name->exists || !name->selectable)
        return 0;
    int result = vault_mailbox_find(run->vault, name->name, &mailbox);
    if (result != 0)
        return result < 0 ? result : 0;
    buf_append_text(&run->client->out, "* STATUS ");
    run_write_mailbox(run, &run->client->out, name->name);
    buf_append_byte(&run->client->out, ' ');
    status_write(run, &mailbox, run->command->list.status);
    buf_append_text(&run->client->out, "\r\n");
    return 0;
}

static int list_selected(struct task *task, struct listing *listing)
{
    struct run *run = listing->run;
    unsigned options = run->command->list.options;
    for (const struct name *name = listing->first; name != NULL; name = name->next) {
        if (!matches_any(run, name->name))
            continue;
        bool child = (options & IMAP_LIST_SELECT_RECURSIVE) != 0 && has_subscribed_child(name);
        if ((options & IMAP_LIST_SELECT_SUBSCRIBED) != 0 && !name->subscribed && !child)
            continue;
        if ((options & IMAP_LIST_SELECT_SPECIAL_USE) != 0 && imap_use_name(name->role) == NULL)
            continue;
        write_name(run, name, "LIST", child);
        if ((options & IMAP_LIST_RETURN_MYRIGHTS) != 0 && name->exists && name->selectable)
            acl_write_rights(run, name->name); /* RFC 8440 §3 */
        int result = write_status(run, name);
        if (result == 0 && run->command->list.metadata.count > 0 && name->exists && name->selectable)
            result = metadata_write(run, name->name, &run->command->list.metadata); /* RFC 9590 §3 */
        if (result == 0)
            result = client_drain(task, run->client);
        if (result < 0)
            return result;
    }
    return run_ok(run, "Listed");
}

int imap_do_list(struct task *task, struct run *run)
{
    const struct imap_command *command = run->command;
    /* RFC 3501 §6.3.8: an empty pattern asks for the separator. */
    if (!command->list.extended && command->list.count == 1 && command->list.patterns[0].len == 0) {
        buf_append_text(&run->client->out, "* LIST (\\Noselect) \"/\" \"\"\r\n");
        return run_ok(run, "Listed");
    }
    if ((command->list.options & IMAP_LIST_SELECT_RECURSIVE) != 0 &&
        (command->list.options & IMAP_LIST_SELECT_SUBSCRIBED) == 0)
        return run_bad(run, "RECURSIVEMATCH needs SUBSCRIBED"); /* RFC 5258 §3.1 */
    struct listing listing = {.run = run};
    int result = gather(&listing, (command->list.options & IMAP_LIST_SELECT_SUBSCRIBED) != 0);
    return result < 0 ? result : list_selected(task, &listing);
}

/* RFC 3501 §6.3.9: a level above a subscribed name that "%" stops at is shown as \Noselect. */
static bool is_level_above(const struct listing *listing, const struct name *name)
{
    return !name->subscribed &&
           span_find_byte(listing->run->command->list.patterns[0], '%') < listing->run->command->list.patterns[0].len &&
           has_subscribed_child(name);
}

int imap_do_lsub(struct task *task, struct run *run)
{
    struct listing listing = {.run = run};
    int result = gather(&listing, true);
    if (result < 0)
        return result;
    for (struct name *name = listing.first; name != NULL; name = name->next) {
        bool above = is_level_above(&listing, name);
        if ((!name->subscribed && !above) || !matches_any(run, name->name))
            continue;
        struct name shown = *name;
        shown.selectable = name->selectable && !above;
        shown.exists = true;
        write_name(run, &shown, "LSUB", false);
        result = client_drain(task, run->client);
        if (result < 0)
            return result;
    }
    return run_ok(run, "Listed");
}
