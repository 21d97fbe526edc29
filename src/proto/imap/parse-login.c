#include "proto/imap/scan.h"

#include <errno.h>

#define ID_PAIRS_MAX 30U /* RFC 2971 §3.3 */

/* RFC 3501 §6.2.3. */
bool imap_parse_login(struct imap_scan *scan, struct imap_command *command)
{
    return imap_scan_space(scan) && imap_scan_astring(scan, &command->login.user) && imap_scan_space(scan) &&
           imap_scan_astring(scan, &command->login.password) && imap_scan_end(scan);
}

/* RFC 3501 §6.2.2; the initial response is RFC 4959 §3. */
bool imap_parse_authenticate(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_atom(scan, &command->authenticate.mechanism))
        return false;
    if (!imap_scan_byte(scan, ' '))
        return imap_scan_end(scan);
    command->authenticate.has_initial = true;
    return imap_scan_astring(scan, &command->authenticate.initial) && imap_scan_end(scan);
}

/* RFC 2971 §3.3: id = "ID" SPACE id_params_list. */
bool imap_parse_id(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan))
        return false;
    if (imap_scan_word(scan, "NIL"))
        return imap_scan_end(scan);
    if (!imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected NIL or a list");
    command->id.pairs = arena_alloc_array(scan->arena, ID_PAIRS_MAX, sizeof(*command->id.pairs));
    if (command->id.pairs == NULL) {
        scan->fault = -ENOMEM;
        return false;
    }
    while (!imap_scan_byte(scan, ')')) {
        if (command->id.count > 0 && !imap_scan_space(scan))
            return false;
        if (command->id.count == ID_PAIRS_MAX)
            return imap_scan_fail(scan, "Too many ID fields");
        struct imap_parameter *pair = &command->id.pairs[command->id.count++];
        if (!imap_scan_string(scan, &pair->name) || !imap_scan_space(scan) || !imap_scan_nstring(scan, &pair->value))
            return false;
    }
    return imap_scan_end(scan);
}

/* RFC 5161 §3.1: what is not known is passed over. */
bool imap_parse_enable(struct imap_scan *scan, struct imap_command *command)
{
    static const struct imap_option names[] = {{"CONDSTORE", IMAP_ENABLE_CONDSTORE},
                                               {"QRESYNC", IMAP_ENABLE_QRESYNC},
                                               {"UTF8=ACCEPT", IMAP_ENABLE_UTF8},
                                               {"UIDONLY", IMAP_ENABLE_UIDONLY},
                                               {"IMAP4rev2", IMAP_ENABLE_REV2}};
    do {
        span_t capability = SPAN_NONE;
        if (!imap_scan_space(scan) || !imap_scan_atom(scan, &capability))
            return false;
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (span_equal_nocase(capability, span_of_text(names[i].name)))
                command->enable.known |= names[i].bit;
    } while (!imap_scan_at_end(scan));
    return true;
}

/* RFC 4978 §3. */
bool imap_parse_compress(struct imap_scan *scan, struct imap_command *command)
{
    return imap_scan_space(scan) && imap_scan_atom(scan, &command->compress.algorithm) && imap_scan_end(scan);
}
