#include "proto/imap/scan.h"

/* RFC 9208 §4.1.1. */
bool imap_parse_getquota(struct imap_scan *scan, struct imap_command *command)
{
    return imap_scan_space(scan) && imap_scan_astring(scan, &command->quota.root) && imap_scan_end(scan);
}

/* RFC 9208 §4.1.3: setquota-list is "(" [setquota-resource *(SP setquota-resource)] ")". */
bool imap_parse_setquota(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_astring(scan, &command->quota.root) || !imap_scan_space(scan))
        return false;
    if (!imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected a list of limits");
    bool is_first = true;
    while (!imap_scan_byte(scan, ')')) {
        span_t resource = SPAN_NONE;
        uint64_t limit = 0;
        if (!is_first && !imap_scan_space(scan))
            return false;
        is_first = false;
        if (!imap_scan_atom(scan, &resource) || !imap_scan_space(scan) || !imap_scan_number(scan, INT64_MAX, &limit))
            return false;
    }
    return imap_scan_end(scan);
}
