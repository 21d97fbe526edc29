#include "proto/imap/scan.h"

/* RFC 5465 §8: one-or-more-mailbox. */
static bool scan_names(struct imap_scan *scan, struct imap_scope *scope, enum imap_scope_kind kind)
{
    if (!imap_scan_space(scan))
        return false;
    bool many = imap_scan_byte(scan, '(');
    do {
        if (scope->count == scope->room)
            return imap_scan_fail(scan, "Too many mailboxes");
        struct imap_scope_part *part = &scope->parts[scope->count++];
        part->kind = kind;
        if (!imap_scan_mailbox(scan, &part->name))
            return false;
    } while (many && imap_scan_byte(scan, ' '));
    return !many || imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the mailboxes");
}

bool imap_scan_scope_part(struct imap_scan *scan, struct imap_scope *scope)
{
    static const struct {
        const char *name;
        enum imap_scope_kind kind;
        enum { ALONE, WITH_NAMES } form;
    } rows[] = {
        {"selected", IMAP_SCOPE_SELECTED, ALONE},        {"inboxes", IMAP_SCOPE_INBOXES, ALONE},
        {"personal", IMAP_SCOPE_PERSONAL, ALONE},        {"subscribed", IMAP_SCOPE_SUBSCRIBED, ALONE},
        {"subtree", IMAP_SCOPE_SUBTREE, WITH_NAMES},     {"subtree-one", IMAP_SCOPE_SUBTREE_ONE, WITH_NAMES},
        {"mailboxes", IMAP_SCOPE_MAILBOXES, WITH_NAMES}, {"selected-delayed", IMAP_SCOPE_SELECTED_DELAYED, ALONE},
    };
    size_t found = 0;
    while (found < COUNT_OF(rows) && !imap_scan_word(scan, rows[found].name))
        found++;
    if (found == COUNT_OF(rows))
        return imap_scan_fail(scan, "Unknown kind of mailboxes");
    if (rows[found].form == WITH_NAMES)
        return scan_names(scan, scope, rows[found].kind);
    if (scope->count == scope->room)
        return imap_scan_fail(scan, "Too many mailboxes");
    scope->parts[scope->count++].kind = rows[found].kind;
    return true;
}
