#include "proto/imap/scan.h"

/* RFC 5256 §3: sort-criteria, of which DISPLAYFROM and DISPLAYTO are RFC 5957 §3. */
static bool scan_sort_key(struct imap_scan *scan, struct imap_sort_key *ret_key)
{
    static const char *const names[] = {
        [IMAP_SORT_ARRIVAL] = "ARRIVAL", [IMAP_SORT_CC] = "CC",
        [IMAP_SORT_DATE] = "DATE",       [IMAP_SORT_DISPLAYFROM] = "DISPLAYFROM",
        [IMAP_SORT_FROM] = "FROM",       [IMAP_SORT_DISPLAYTO] = "DISPLAYTO",
        [IMAP_SORT_SIZE] = "SIZE",       [IMAP_SORT_SUBJECT] = "SUBJECT",
        [IMAP_SORT_TO] = "TO",           [IMAP_SORT_RELEVANCY] = "RELEVANCY",
    };
    ret_key->reverse = imap_scan_word(scan, "REVERSE");
    if (ret_key->reverse && !imap_scan_space(scan))
        return false;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!imap_scan_word(scan, names[i]))
            continue;
        ret_key->field = (enum imap_sort_field)i;
        return true;
    }
    return imap_scan_fail(scan, "Unknown sort criterion");
}

static bool scan_sort_keys(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected a list of sort criteria");
    do {
        if (command->search.order_count == IMAP_SORT_KEYS_MAX)
            return imap_scan_fail(scan, "Too many sort criteria");
        if (!scan_sort_key(scan, &command->search.order[command->search.order_count++]))
            return false;
    } while (imap_scan_byte(scan, ' '));
    return imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the sort criteria");
}

/* RFC 5256 §3, with RETURN RFC 5267 §3.1. */
bool imap_parse_sort(struct imap_scan *scan, struct imap_command *command)
{
    return imap_scan_space(scan) && imap_scan_returns(scan, command) && scan_sort_keys(scan, command) &&
           imap_scan_space(scan) && imap_scan_astring(scan, &command->search.charset) && imap_scan_space(scan) &&
           imap_scan_search_keys(scan, command);
}

/* RFC 5256 §3. */
bool imap_parse_thread(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan))
        return false;
    if (imap_scan_word(scan, "ORDEREDSUBJECT"))
        command->search.thread = IMAP_THREAD_ORDEREDSUBJECT;
    else if (imap_scan_word(scan, "REFERENCES"))
        command->search.thread = IMAP_THREAD_REFERENCES;
    else
        return imap_scan_fail(scan, "Unknown threading algorithm");
    return imap_scan_space(scan) && imap_scan_astring(scan, &command->search.charset) && imap_scan_space(scan) &&
           imap_scan_search_keys(scan, command);
}
