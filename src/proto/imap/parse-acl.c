#include "proto/imap/scan.h"

static bool scan_identifier(struct imap_scan *scan, struct imap_command *command)
{
    return imap_scan_space(scan) && imap_scan_mailbox(scan, &command->mailbox) && imap_scan_space(scan) &&
           imap_scan_astring(scan, &command->acl.identifier);
}

/* RFC 4314 §3.1: mod-rights is [+/-] and lower case letters and digits, any others are BAD. */
bool imap_parse_setacl(struct imap_scan *scan, struct imap_command *command)
{
    if (!scan_identifier(scan, command) || !imap_scan_space(scan) || !imap_scan_astring(scan, &command->acl.rights))
        return false;
    for (size_t i = 0; i < command->acl.rights.len; i++) {
        uint8_t right = command->acl.rights.at[i];
        bool is_sign = i == 0 && (right == '+' || right == '-');
        if (!is_sign && !ascii_is_digit(right) && !(right >= 'a' && right <= 'z'))
            return imap_scan_fail(scan, "Not a right");
    }
    return imap_scan_end(scan);
}

/* RFC 4314 §3.2, §3.4: DELETEACL and LISTRIGHTS. */
bool imap_parse_identifier(struct imap_scan *scan, struct imap_command *command)
{
    return scan_identifier(scan, command) && imap_scan_end(scan);
}
