#include "proto/imap/scan.h"

#include <errno.h>

#define LIST_PATTERNS_MAX 100U

/* RFC 3501 §6.3.1; "(CONDSTORE)" is RFC 7162 §3.1.8. */
bool imap_parse_select(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_mailbox(scan, &command->mailbox))
        return false;
    if (!imap_scan_byte(scan, ' ') || !imap_scan_byte(scan, '('))
        return imap_scan_end(scan);
    while (!imap_scan_byte(scan, ')')) {
        if (!imap_scan_word(scan, "CONDSTORE"))
            return imap_scan_fail(scan, "Unknown SELECT parameter");
        command->select.condstore = true;
        (void)imap_scan_byte(scan, ' ');
    }
    return imap_scan_end(scan);
}

/* RFC 3501 §6.3.3; "(USE (\Sent))" is RFC 6154 §3. */
bool imap_parse_create(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_mailbox(scan, &command->mailbox))
        return false;
    if (!imap_scan_byte(scan, ' '))
        return imap_scan_end(scan);
    bool well =
        imap_scan_byte(scan, '(') && imap_scan_word(scan, "USE") && imap_scan_space(scan) && imap_scan_byte(scan, '(');
    if (!well)
        return imap_scan_fail(scan, "Unknown CREATE parameter");
    if (imap_scan_byte(scan, '\\')) {
        if (!imap_scan_atom(scan, &command->create.use))
            return false;
        if (imap_scan_peek(scan, ' '))
            return imap_scan_fail(scan, "Only one special use is possible");
    }
    if (!imap_scan_byte(scan, ')') || !imap_scan_byte(scan, ')'))
        return imap_scan_fail(scan, "Bad CREATE parameter");
    return imap_scan_end(scan);
}

/* RFC 3501 §6.3.5. */
bool imap_parse_rename(struct imap_scan *scan, struct imap_command *command)
{
    return imap_scan_space(scan) && imap_scan_mailbox(scan, &command->mailbox) && imap_scan_space(scan) &&
           imap_scan_mailbox(scan, &command->rename.name) && imap_scan_end(scan);
}

struct option {
    const char *name;
    unsigned bit;
};

static bool scan_options(struct imap_scan *scan, const struct option *options, size_t count, unsigned *into)
{
    while (!imap_scan_byte(scan, ')')) {
        size_t found = 0;
        while (found < count && !imap_scan_word(scan, options[found].name))
            found++;
        if (found == count)
            return imap_scan_fail(scan, "Unknown LIST option");
        *into |= options[found].bit;
        (void)imap_scan_byte(scan, ' ');
    }
    return true;
}

static bool scan_patterns(struct imap_scan *scan, struct imap_command *command)
{
    bool many = imap_scan_byte(scan, '(');
    command->list.extended |= many;
    command->list.patterns = arena_alloc_array(scan->arena, many ? LIST_PATTERNS_MAX : 1, sizeof(span_t));
    if (command->list.patterns == NULL) {
        scan->fault = -ENOMEM;
        return false;
    }
    if (!many) {
        command->list.count = 1;
        return imap_scan_list_mailbox(scan, &command->list.patterns[0]);
    }
    do {
        if (command->list.count == LIST_PATTERNS_MAX)
            return imap_scan_fail(scan, "Too many patterns");
        if (!imap_scan_list_mailbox(scan, &command->list.patterns[command->list.count++]))
            return false;
    } while (imap_scan_byte(scan, ' '));
    return imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the patterns");
}

/* RFC 3501 §6.3.8; the options, as RFC 6154 §2 and RFC 3348 need them, are RFC 5258 §3. */
bool imap_parse_list(struct imap_scan *scan, struct imap_command *command)
{
    static const struct option selects[] = {{"SUBSCRIBED", IMAP_LIST_SELECT_SUBSCRIBED},
                                            {"SPECIAL-USE", IMAP_LIST_SELECT_SPECIAL_USE},
                                            {"REMOTE", IMAP_LIST_SELECT_REMOTE},
                                            {"RECURSIVEMATCH", IMAP_LIST_SELECT_RECURSIVE}};
    static const struct option returns[] = {{"SUBSCRIBED", IMAP_LIST_RETURN_SUBSCRIBED},
                                            {"SPECIAL-USE", IMAP_LIST_RETURN_SPECIAL_USE},
                                            {"CHILDREN", IMAP_LIST_RETURN_CHILDREN}};
    if (!imap_scan_space(scan))
        return false;
    if (imap_scan_byte(scan, '(')) {
        command->list.extended = true;
        if (!scan_options(scan, selects, COUNT_OF(selects), &command->list.options) || !imap_scan_space(scan))
            return false;
    }
    if (!imap_scan_mailbox(scan, &command->list.reference) || !imap_scan_space(scan) || !scan_patterns(scan, command))
        return false;
    if (imap_scan_byte(scan, ' ')) {
        if (imap_scan_at_end(scan))
            return true;
        command->list.extended = true;
        if (!imap_scan_word(scan, "RETURN") || !imap_scan_space(scan) || !imap_scan_byte(scan, '('))
            return imap_scan_fail(scan, "Expected RETURN and a list");
        if (!scan_options(scan, returns, COUNT_OF(returns), &command->list.options))
            return false;
    }
    return imap_scan_end(scan);
}

/* RFC 3501 §6.3.9. */
bool imap_parse_lsub(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_mailbox(scan, &command->list.reference) || !imap_scan_space(scan))
        return false;
    command->list.patterns = arena_alloc(scan->arena, sizeof(span_t));
    if (command->list.patterns == NULL) {
        scan->fault = -ENOMEM;
        return false;
    }
    command->list.count = 1;
    return imap_scan_list_mailbox(scan, &command->list.patterns[0]) && imap_scan_end(scan);
}

/* RFC 3501 §6.3.10; HIGHESTMODSEQ is RFC 7162 §3.1.7. */
bool imap_parse_status(struct imap_scan *scan, struct imap_command *command)
{
    static const struct option items[] = {
        {"MESSAGES", IMAP_STATUS_MESSAGES}, {"RECENT", IMAP_STATUS_RECENT},
        {"UIDNEXT", IMAP_STATUS_UIDNEXT},   {"UIDVALIDITY", IMAP_STATUS_UIDVALIDITY},
        {"UNSEEN", IMAP_STATUS_UNSEEN},     {"HIGHESTMODSEQ", IMAP_STATUS_HIGHESTMODSEQ},
    };
    if (!imap_scan_space(scan) || !imap_scan_mailbox(scan, &command->mailbox) || !imap_scan_space(scan))
        return false;
    if (!imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected a list of STATUS items");
    if (!scan_options(scan, items, COUNT_OF(items), &command->status.items))
        return imap_scan_fail(scan, "Unknown STATUS item");
    if (command->status.items == 0)
        return imap_scan_fail(scan, "Expected a STATUS item");
    return imap_scan_end(scan);
}

/* RFC 3501 §6.3.11. */
bool imap_parse_append(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_mailbox(scan, &command->mailbox) || !imap_scan_space(scan))
        return false;
    if (imap_scan_peek(scan, '(')) {
        if (!imap_scan_flag_list(scan, &command->append.flags) || !imap_scan_space(scan))
            return false;
    }
    if (imap_scan_peek(scan, '"')) {
        command->append.dated = true;
        if (!imap_scan_date_time(scan, &command->append.seconds) || !imap_scan_space(scan))
            return false;
    }
    return imap_scan_literal(scan, &command->append.message) && imap_scan_end(scan);
}
