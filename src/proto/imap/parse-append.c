#include "proto/imap/scan.h"

/* RFC 6855 §4: UTF8 (~{n} …) */
static bool scan_utf8(struct imap_scan *scan, span_t *ret_bytes)
{
    bool well = imap_scan_space(scan) && imap_scan_byte(scan, '(') && imap_scan_literal8(scan, ret_bytes) &&
                imap_scan_byte(scan, ')');
    return well || imap_scan_fail(scan, "Bad UTF8 argument");
}

/* RFC 4469 §5: cat-part. */
static bool scan_part(struct imap_scan *scan, struct imap_cat_part *part)
{
    *part = (struct imap_cat_part){.is_url = imap_scan_word(scan, "URL")};
    if (part->is_url)
        return imap_scan_space(scan) && imap_scan_astring(scan, &part->bytes);
    if (imap_scan_word(scan, "TEXT"))
        return imap_scan_space(scan) && imap_scan_literal8(scan, &part->bytes);
    return imap_scan_word(scan, "UTF8") ? scan_utf8(scan, &part->bytes) : imap_scan_fail(scan, "Expected TEXT or URL");
}

static bool scan_parts(struct imap_scan *scan, struct imap_new_message *message)
{
    if (!imap_scan_space(scan) || !imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected the parts of the message");
    do {
        if (message->part_count == IMAP_CAT_PARTS_MAX)
            return imap_scan_fail(scan, "Too many parts");
        struct imap_cat_part *parts = imap_scan_grow(scan, message->parts, message->part_count, sizeof(*parts));
        if (parts == NULL)
            return false;
        message->parts = parts;
        if (!scan_part(scan, &parts[message->part_count++]))
            return false;
    } while (imap_scan_byte(scan, ' '));
    return imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the parts");
}

/* append-message (RFC 4466 §6): its leading space, flags, date, and one of the forms of its bytes. */
static bool scan_message(struct imap_scan *scan, struct imap_new_message *message)
{
    *message = (struct imap_new_message){.dated = false};
    if (!imap_scan_space(scan))
        return false;
    if (imap_scan_peek(scan, '(') && (!imap_scan_flag_list(scan, &message->flags) || !imap_scan_space(scan)))
        return false;
    message->dated = imap_scan_peek(scan, '"');
    if (message->dated && (!imap_scan_date_time(scan, &message->seconds) || !imap_scan_space(scan)))
        return false;
    if (imap_scan_word(scan, "CATENATE"))
        return scan_parts(scan, message);
    if (imap_scan_word(scan, "UTF8"))
        return scan_utf8(scan, &message->bytes);
    return imap_scan_literal8(scan, &message->bytes);
}

static bool scan_next_message(struct imap_scan *scan, struct imap_command *command)
{
    if (command->append.count == IMAP_MESSAGES_MAX)
        return imap_scan_fail(scan, "Too many messages");
    struct imap_new_message *messages =
        imap_scan_grow(scan, command->append.messages, command->append.count, sizeof(*messages));
    if (messages == NULL)
        return false;
    command->append.messages = messages;
    return scan_message(scan, &messages[command->append.count++]);
}

/* RFC 3501 §6.3.11; more than one message is RFC 3502 §6.3.11. */
bool imap_parse_append(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_mailbox(scan, &command->mailbox))
        return false;
    do {
        if (!scan_next_message(scan, command))
            return false;
    } while (imap_scan_peek(scan, ' ') && span_trim(scan->rest).len > 0);
    return imap_scan_end(scan);
}

/* RFC 8508 §3.2: one message, by its number or UID. */
bool imap_parse_replace(struct imap_scan *scan, struct imap_command *command)
{
    struct imap_set *set = &command->set;
    if (!imap_scan_space(scan) || !imap_scan_set(scan, set))
        return false;
    if (set->saved || set->count != 1 || set->ranges[0].first != set->ranges[0].last)
        return imap_scan_fail(scan, "Expected the number of one message");
    return imap_scan_space(scan) && imap_scan_mailbox(scan, &command->mailbox) && scan_next_message(scan, command) &&
           imap_scan_end(scan);
}
