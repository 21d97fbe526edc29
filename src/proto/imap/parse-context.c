#include <errno.h>

#include "proto/imap/scan.h"

/* RFC 5267 §5: 1*(SP quoted). */
bool imap_parse_cancelupdate(struct imap_scan *scan, struct imap_command *command)
{
    command->cancel.tags = arena_alloc_array(scan->arena, IMAP_TAGS_MAX, sizeof(*command->cancel.tags));
    if (command->cancel.tags == NULL) {
        scan->fault = -ENOMEM;
        return false;
    }
    do {
        if (command->cancel.count == IMAP_TAGS_MAX)
            return imap_scan_fail(scan, "Too many tags");
        if (!imap_scan_space(scan) || !imap_scan_string(scan, &command->cancel.tags[command->cancel.count++]))
            return false;
    } while (imap_scan_peek(scan, ' '));
    return imap_scan_end(scan);
}

static bool scan_nonzero(struct imap_scan *scan, uint32_t *ret_number)
{
    uint64_t number = 0;
    if (!imap_scan_number(scan, UINT32_MAX, &number))
        return false;
    *ret_number = (uint32_t)number;
    return number > 0 || imap_scan_fail(scan, "A number here cannot be zero");
}

/* RFC 10022 §3: UIDBATCHES size [first:last]. */
bool imap_parse_uidbatches(struct imap_scan *scan, struct imap_command *command)
{
    struct imap_batches *batches = &command->batches;
    if (!imap_scan_space(scan) || !scan_nonzero(scan, &batches->size))
        return false;
    if (imap_scan_byte(scan, ' ') && !imap_scan_at_end(scan)) {
        if (!scan_nonzero(scan, &batches->first) || !imap_scan_byte(scan, ':'))
            return imap_scan_fail(scan, "Expected a range of batches");
        if (!scan_nonzero(scan, &batches->last))
            return false;
    }
    return imap_scan_end(scan);
}
