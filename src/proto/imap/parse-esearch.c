#include <errno.h>

#include "proto/imap/scan.h"

/* RFC 5465 §8: one-or-more-mailbox. */
static bool scan_names(struct imap_scan *scan, struct imap_scope *scope, enum imap_scope_kind kind)
{
    if (!imap_scan_space(scan))
        return false;
    bool many = imap_scan_byte(scan, '(');
    do {
        if (scope->count == IMAP_SCOPES_MAX)
            return imap_scan_fail(scan, "Too many mailboxes");
        struct imap_scope_part *part = &scope->parts[scope->count++];
        part->kind = kind;
        if (!imap_scan_mailbox(scan, &part->name))
            return false;
    } while (many && imap_scan_byte(scan, ' '));
    return !many || imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the mailboxes");
}

/* RFC 5465 §6, and RFC 7377 §2.2 with subtree-one and without selected-delayed. */
static bool scan_part(struct imap_scan *scan, struct imap_scope *scope)
{
    static const struct {
        const char *name;
        enum imap_scope_kind kind;
        enum { ALONE, WITH_NAMES } form;
    } rows[] = {
        {"selected", IMAP_SCOPE_SELECTED, ALONE},        {"inboxes", IMAP_SCOPE_INBOXES, ALONE},
        {"personal", IMAP_SCOPE_PERSONAL, ALONE},        {"subscribed", IMAP_SCOPE_SUBSCRIBED, ALONE},
        {"subtree", IMAP_SCOPE_SUBTREE, WITH_NAMES},     {"subtree-one", IMAP_SCOPE_SUBTREE_ONE, WITH_NAMES},
        {"mailboxes", IMAP_SCOPE_MAILBOXES, WITH_NAMES},
    };
    size_t found = 0;
    while (found < COUNT_OF(rows) && !imap_scan_word(scan, rows[found].name))
        found++;
    if (found == COUNT_OF(rows))
        return imap_scan_fail(scan, "Unknown kind of mailboxes");
    if (rows[found].form == WITH_NAMES)
        return scan_names(scan, scope, rows[found].kind);
    if (scope->count == IMAP_SCOPES_MAX)
        return imap_scan_fail(scan, "Too many mailboxes");
    scope->parts[scope->count++].kind = rows[found].kind;
    return true;
}

static bool scan_scope(struct imap_scan *scan, struct imap_scope *scope)
{
    scope->parts = arena_alloc_array(scan->arena, IMAP_SCOPES_MAX, sizeof(*scope->parts));
    if (scope->parts == NULL) {
        scan->fault = -ENOMEM;
        return false;
    }
    if (!imap_scan_space(scan) || !imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected ( after IN");
    do
        if (!scan_part(scan, scope))
            return false;
    while (imap_scan_byte(scan, ' '));
    return (imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the mailboxes")) &&
           imap_scan_space(scan);
}

/* RFC 7377 §2.1. Whatever it returns, it returns extended, and in UIDs. */
bool imap_parse_esearch(struct imap_scan *scan, struct imap_command *command)
{
    command->uid = true;
    if (!imap_scan_space(scan))
        return false;
    if (imap_scan_word(scan, "IN") && !scan_scope(scan, &command->search.scope))
        return false;
    if (!imap_scan_returns(scan, command))
        return false;
    if (command->search.returns == 0)
        command->search.returns = IMAP_RETURN_EXTENDED | IMAP_RETURN_ALL;
    if (imap_scan_word(scan, "CHARSET")) {
        if (!imap_scan_space(scan) || !imap_scan_astring(scan, &command->search.charset) || !imap_scan_space(scan))
            return false;
    }
    return imap_scan_search_keys(scan, command);
}
