#include "proto/imap/scan.h"

#include <errno.h>

static bool out_of_memory(struct imap_scan *scan)
{
    scan->fault = -ENOMEM;
    return imap_scan_fail(scan, "Command too large");
}

/* One more place at the end of an array that grows by doubling. */
static void *add_place(struct imap_scan *scan, void **array, size_t count, size_t size)
{
    if ((count & (count - 1)) == 0) {
        uint8_t *more = arena_alloc_array(scan->arena, count == 0 ? 1 : 2 * count, size);
        if (more == NULL) {
            (void)out_of_memory(scan);
            return NULL;
        }
        for (size_t i = 0; i < count * size; i++)
            more[i] = ((const uint8_t *)*array)[i];
        *array = more;
    }
    return (uint8_t *)*array + count * size;
}

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
        void *parts = message->parts;
        struct imap_cat_part *part = message->part_count == IMAP_CAT_PARTS_MAX
                                         ? NULL
                                         : add_place(scan, &parts, message->part_count, sizeof(*part));
        if (part == NULL)
            return imap_scan_fail(scan, "Too many parts");
        message->parts = parts;
        message->part_count++;
        if (!scan_part(scan, part))
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

static struct imap_new_message *add_message(struct imap_scan *scan, struct imap_command *command)
{
    if (command->append.count == IMAP_MESSAGES_MAX) {
        (void)imap_scan_fail(scan, "Too many messages");
        return NULL;
    }
    void *messages = command->append.messages;
    struct imap_new_message *message = add_place(scan, &messages, command->append.count, sizeof(*message));
    command->append.messages = messages;
    command->append.count += message != NULL;
    return message;
}

/* RFC 3501 §6.3.11; more than one message is RFC 3502 §6.3.11. */
bool imap_parse_append(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_mailbox(scan, &command->mailbox))
        return false;
    do {
        struct imap_new_message *message = add_message(scan, command);
        if (message == NULL || !scan_message(scan, message))
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
    if (!imap_scan_space(scan) || !imap_scan_mailbox(scan, &command->mailbox))
        return false;
    struct imap_new_message *message = add_message(scan, command);
    return message != NULL && scan_message(scan, message) && imap_scan_end(scan);
}
