#include "proto/imap/scan.h"

/* Pieces of the grammar that more than one command has. */

bool imap_scan_options(struct imap_scan *scan, const struct imap_option *options, size_t count, unsigned *into,
                       const char *why)
{
    while (!imap_scan_byte(scan, ')')) {
        size_t found = 0;
        while (found < count && !imap_scan_word(scan, options[found].name))
            found++;
        if (found == count)
            return imap_scan_fail(scan, why);
        *into |= options[found].bit;
        (void)imap_scan_byte(scan, ' ');
    }
    return true;
}

/* RFC 3501 §6.3.10, RFC 9051 §6.3.11. */
bool imap_scan_status_items(struct imap_scan *scan, unsigned *ret_items)
{
    static const struct imap_option items[] = {
        {"MESSAGES", IMAP_STATUS_MESSAGES},
        {"RECENT", IMAP_STATUS_RECENT},
        {"UIDNEXT", IMAP_STATUS_UIDNEXT},
        {"UIDVALIDITY", IMAP_STATUS_UIDVALIDITY},
        {"UNSEEN", IMAP_STATUS_UNSEEN},
        {"HIGHESTMODSEQ", IMAP_STATUS_HIGHESTMODSEQ},
        {"DELETED", IMAP_STATUS_DELETED},
        {"SIZE", IMAP_STATUS_SIZE},
        {"MAILBOXID", IMAP_STATUS_MAILBOXID},
        {"APPENDLIMIT", IMAP_STATUS_APPENDLIMIT},
        {"DELETED-STORAGE", IMAP_STATUS_DELETED_STORAGE},
    };
    if (!imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected a list of STATUS items");
    if (!imap_scan_options(scan, items, COUNT_OF(items), ret_items, "Unknown STATUS item"))
        return false;
    return *ret_items != 0 || imap_scan_fail(scan, "Expected a STATUS item");
}

/* RFC 9394 §5: partial-range-first or, with "-" before both numbers, partial-range-last. */
bool imap_scan_partial(struct imap_scan *scan, struct imap_partial *ret_partial)
{
    uint64_t numbers[2] = {0};
    bool from_end = imap_scan_peek(scan, '-');
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        bool well = (i == 0 || imap_scan_byte(scan, ':')) && imap_scan_byte(scan, '-') == from_end;
        if (!well || !imap_scan_number(scan, UINT32_MAX, &numbers[i]) || numbers[i] == 0)
            return imap_scan_fail(scan, "Bad PARTIAL range");
    }
    int64_t low = (int64_t)(numbers[0] < numbers[1] ? numbers[0] : numbers[1]);
    int64_t high = (int64_t)(numbers[0] < numbers[1] ? numbers[1] : numbers[0]);
    *ret_partial = from_end ? (struct imap_partial){-low, -high} : (struct imap_partial){low, high};
    return true;
}
