#include "proto/imap/scan.h"

#include <errno.h>

#define LIST_PATTERNS_MAX 100U

/* RFC 7162 §3.2.5: (uidvalidity modseq [known-uids] [(known-numbers known-uids)]), without "*" and "$". */
static bool scan_known(struct imap_scan *scan, struct imap_set *ret_set)
{
    if (!imap_scan_set(scan, ret_set))
        return false;
    return !(ret_set->saved || imap_set_beyond(ret_set, IMAP_SET_STAR - 1)) ||
           imap_scan_fail(scan, "Neither * nor $ is possible here");
}

static bool scan_qresync(struct imap_scan *scan, struct imap_qresync *qresync)
{
    uint64_t uidvalidity = 0;
    if (!imap_scan_space(scan) || !imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected ( after QRESYNC");
    if (!imap_scan_number(scan, UINT32_MAX, &uidvalidity) || !imap_scan_space(scan) ||
        !imap_scan_number(scan, INT64_MAX, &qresync->modseq))
        return false;
    if (uidvalidity == 0 || qresync->modseq == 0)
        return imap_scan_fail(scan, "Zero is no UIDVALIDITY and no MODSEQ");
    qresync->uidvalidity = (uint32_t)uidvalidity;
    if (imap_scan_byte(scan, ' ') && !imap_scan_peek(scan, '(')) {
        if (!scan_known(scan, &qresync->known))
            return false;
        (void)imap_scan_byte(scan, ' ');
    }
    if (imap_scan_byte(scan, '(')) {
        bool well = scan_known(scan, &qresync->numbers) && imap_scan_space(scan) && scan_known(scan, &qresync->uids);
        if (!well || !imap_scan_byte(scan, ')'))
            return imap_scan_fail(scan, "Bad match data in QRESYNC");
    }
    return imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after QRESYNC");
}

/* RFC 3501 §6.3.1; its parameters are RFC 7162 §3.1.8 and §3.2.5. */
bool imap_parse_select(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_mailbox(scan, &command->mailbox))
        return false;
    if (!imap_scan_byte(scan, ' ') || !imap_scan_byte(scan, '('))
        return imap_scan_end(scan);
    do {
        if (imap_scan_word(scan, "CONDSTORE"))
            command->select.condstore = true;
        else if (imap_scan_word(scan, "QRESYNC"))
            command->select.resync = true;
        else
            return imap_scan_fail(scan, "Unknown SELECT parameter");
        if (command->select.resync && command->select.qresync.uidvalidity == 0 &&
            !scan_qresync(scan, &command->select.qresync))
            return false;
    } while (imap_scan_byte(scan, ' '));
    return (imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the parameters")) &&
           imap_scan_end(scan);
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
    while (imap_scan_byte(scan, '\\')) {
        command->create.many_uses = command->create.use.len > 0;
        if (!imap_scan_atom(scan, &command->create.use))
            return false;
        (void)imap_scan_byte(scan, ' ');
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

/* RFC 5258 §3.2, and with STATUS RFC 5819 §2. */
static bool scan_list_returns(struct imap_scan *scan, struct imap_command *command)
{
    static const struct imap_option returns[] = {{"SUBSCRIBED", IMAP_LIST_RETURN_SUBSCRIBED},
                                                 {"SPECIAL-USE", IMAP_LIST_RETURN_SPECIAL_USE},
                                                 {"CHILDREN", IMAP_LIST_RETURN_CHILDREN},
                                                 {"MYRIGHTS", IMAP_LIST_RETURN_MYRIGHTS}};
    while (!imap_scan_byte(scan, ')')) {
        if (imap_scan_word(scan, "STATUS")) {
            if (!imap_scan_space(scan) || !imap_scan_status_items(scan, &command->list.status))
                return false;
            (void)imap_scan_byte(scan, ' ');
            continue;
        }
        if (imap_scan_word(scan, "METADATA")) { /* RFC 9590 §3 */
            if (!imap_scan_space(scan) || !imap_scan_entries(scan, &command->list.metadata))
                return false;
            (void)imap_scan_byte(scan, ' ');
            continue;
        }
        size_t found = 0;
        while (found < COUNT_OF(returns) && !imap_scan_word(scan, returns[found].name))
            found++;
        if (found == COUNT_OF(returns))
            return imap_scan_fail(scan, "Unknown LIST option");
        command->list.options |= returns[found].bit;
        (void)imap_scan_byte(scan, ' ');
    }
    return true;
}

/* RFC 3501 §6.3.8; the options, as RFC 6154 §2 and RFC 3348 need them, are RFC 5258 §3. */
bool imap_parse_list(struct imap_scan *scan, struct imap_command *command)
{
    static const struct imap_option selects[] = {{"SUBSCRIBED", IMAP_LIST_SELECT_SUBSCRIBED},
                                                 {"SPECIAL-USE", IMAP_LIST_SELECT_SPECIAL_USE},
                                                 {"REMOTE", IMAP_LIST_SELECT_REMOTE},
                                                 {"RECURSIVEMATCH", IMAP_LIST_SELECT_RECURSIVE}};
    if (!imap_scan_space(scan))
        return false;
    if (imap_scan_byte(scan, '(')) {
        command->list.extended = true;
        if (!imap_scan_options(scan, selects, COUNT_OF(selects), &command->list.options, "Unknown LIST option") ||
            !imap_scan_space(scan))
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
        if (!scan_list_returns(scan, command))
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

/* RFC 3501 §6.3.10. */
bool imap_parse_status(struct imap_scan *scan, struct imap_command *command)
{
    return imap_scan_space(scan) && imap_scan_mailbox(scan, &command->mailbox) && imap_scan_space(scan) &&
           imap_scan_status_items(scan, &command->status.items) && imap_scan_end(scan);
}
