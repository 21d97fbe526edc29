#include "proto/imap/envelope.h"

#include <errno.h>

#include "proto/imap/scan.h"

/* RFC 3501 §9: address = "(" name adl mailbox host ")". */
static bool read_address(struct imap_scan *scan, struct imap_envelope_address *ret_address)
{
    span_t route = SPAN_NONE;
    return imap_scan_byte(scan, '(') && imap_scan_nstring(scan, &ret_address->name) && imap_scan_space(scan) &&
           imap_scan_nstring(scan, &route) && imap_scan_space(scan) && imap_scan_nstring(scan, &ret_address->mailbox) &&
           imap_scan_space(scan) && imap_scan_nstring(scan, &ret_address->host) && imap_scan_byte(scan, ')');
}

/* The first one of a list; the others are passed over. */
static bool read_addresses(struct imap_scan *scan, struct imap_envelope_address *ret_first)
{
    if (imap_scan_word(scan, "NIL"))
        return imap_scan_space(scan);
    if (!imap_scan_byte(scan, '(') || !read_address(scan, ret_first))
        return false;
    while (!imap_scan_byte(scan, ')')) {
        struct imap_envelope_address other;
        (void)imap_scan_byte(scan, ' ');
        if (!read_address(scan, &other))
            return false;
    }
    return imap_scan_space(scan);
}

static bool read_all(struct imap_scan *scan, struct imap_envelope *envelope)
{
    struct imap_envelope_address other;
    return imap_scan_byte(scan, '(') && imap_scan_nstring(scan, &envelope->date) && imap_scan_space(scan) &&
           imap_scan_nstring(scan, &envelope->subject) && imap_scan_space(scan) &&
           read_addresses(scan, &envelope->from) && read_addresses(scan, &other) && read_addresses(scan, &other) &&
           read_addresses(scan, &envelope->to) && read_addresses(scan, &envelope->cc);
}

int imap_envelope_read(span_t text, struct arena *arena, struct imap_envelope *ret_envelope)
{
    struct imap_scan scan = {.rest = text, .arena = arena};
    struct imap_envelope envelope = {0};
    if (!read_all(&scan, &envelope))
        return scan.fault < 0 ? scan.fault : -EBADMSG;
    *ret_envelope = envelope;
    return 0;
}
