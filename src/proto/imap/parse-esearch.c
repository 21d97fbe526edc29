#include <errno.h>

#include "proto/imap/scan.h"

static bool scan_scope(struct imap_scan *scan, struct imap_scope *scope)
{
    scope->room = IMAP_SCOPES_MAX;
    scope->parts = arena_alloc_array(scan->arena, scope->room, sizeof(*scope->parts));
    if (scope->parts == NULL) {
        scan->fault = -ENOMEM;
        return false;
    }
    if (!imap_scan_space(scan) || !imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected ( after IN");
    do
        if (!imap_scan_scope_part(scan, scope))
            return false;
    while (imap_scan_byte(scan, ' '));
    for (size_t i = 0; i < scope->count; i++)
        if (scope->parts[i].kind == IMAP_SCOPE_SELECTED_DELAYED)
            return imap_scan_fail(scan, "Unknown kind of mailboxes");
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
