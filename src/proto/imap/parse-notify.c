#include <errno.h>

#include "proto/imap/scan.h"

static const struct imap_option events[] = {
    {"MessageNew", IMAP_EVENT_MESSAGE_NEW},
    {"MessageExpunge", IMAP_EVENT_MESSAGE_EXPUNGE},
    {"FlagChange", IMAP_EVENT_FLAG_CHANGE},
    {"MailboxName", IMAP_EVENT_MAILBOX_NAME},
    {"SubscriptionChange", IMAP_EVENT_SUBSCRIPTION_CHANGE},
    {"MailboxMetadataChange", IMAP_EVENT_MAILBOX_METADATA_CHANGE},
    {"ServerMetadataChange", IMAP_EVENT_SERVER_METADATA_CHANGE},
};

static bool is_selected(const struct imap_notify_group *group)
{
    enum imap_scope_kind kind = group->scope.parts[0].kind;
    return kind == IMAP_SCOPE_SELECTED || kind == IMAP_SCOPE_SELECTED_DELAYED;
}

/* RFC 5465 §8: what a new message is to be told with goes with the selected mailbox alone. */
static bool scan_event(struct imap_scan *scan, struct imap_notify *notify, struct imap_notify_group *group)
{
    size_t found = 0;
    while (found < COUNT_OF(events) && !imap_scan_word(scan, events[found].name))
        found++;
    if (found == COUNT_OF(events)) {
        span_t name = SPAN_NONE;
        notify->has_unknown = true; /* known to others, maybe: NO, not BAD (RFC 5465 §3.1) */
        return imap_scan_atom(scan, &name);
    }
    group->events |= events[found].bit;
    if (events[found].bit != IMAP_EVENT_MESSAGE_NEW)
        return true;
    span_t after = scan->rest;
    (void)imap_scan_byte(scan, ' ');
    if (!imap_scan_peek(scan, '(')) {
        scan->rest = after;
        return true;
    }
    return is_selected(group) ? imap_scan_fetch_list(scan, &notify->fetch)
                              : imap_scan_fail(scan, "Only of the selected mailbox are messages told with attributes");
}

/* RFC 5465 §5, §6.1. */
static bool check_events(struct imap_scan *scan, const struct imap_notify_group *group)
{
    const unsigned both = IMAP_EVENT_MESSAGE_NEW | IMAP_EVENT_MESSAGE_EXPUNGE;
    if (is_selected(group) && (group->events & ~(unsigned)IMAP_EVENTS_OF_MESSAGES) != 0)
        return imap_scan_fail(scan, "The selected mailbox has events of messages alone");
    if ((group->events & IMAP_EVENTS_OF_MESSAGES) != 0 && (group->events & both) != both)
        return imap_scan_fail(scan, "MessageNew and MessageExpunge belong together, and with FlagChange");
    return true;
}

static bool scan_events(struct imap_scan *scan, struct imap_notify *notify, struct imap_notify_group *group)
{
    if (imap_scan_word(scan, "NONE"))
        return true;
    if (!imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected a list of events");
    do
        if (!scan_event(scan, notify, group))
            return false;
    while (imap_scan_byte(scan, ' '));
    return imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the events");
}

static bool scan_group(struct imap_scan *scan, struct imap_notify *notify, struct imap_notify_group *group)
{
    if (!imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected a group of events");
    if (!imap_scan_scope_part(scan, &group->scope) || !imap_scan_space(scan))
        return false;
    if (group->scope.parts[0].kind == IMAP_SCOPE_SUBTREE_ONE)
        return imap_scan_fail(scan, "Unknown kind of mailboxes");
    if (!scan_events(scan, notify, group))
        return false;
    if (!imap_scan_byte(scan, ')'))
        return imap_scan_fail(scan, "Expected ) after a group of events");
    return check_events(scan, group);
}

/* RFC 5465 §6.1: one of them at the most. */
static bool check_selected(struct imap_scan *scan, const struct imap_notify *notify)
{
    size_t count = 0;
    for (size_t i = 0; i < notify->count; i++)
        count += is_selected(&notify->groups[i]);
    return count <= 1 || imap_scan_fail(scan, "The selected mailbox can be said once");
}

static bool scan_groups(struct imap_scan *scan, struct imap_notify *notify)
{
    size_t used = 0;
    notify->groups = arena_alloc_array(scan->arena, IMAP_NOTIFY_GROUPS_MAX, sizeof(*notify->groups));
    struct imap_scope_part *parts = arena_alloc_array(scan->arena, IMAP_SCOPES_MAX, sizeof(*parts));
    if (notify->groups == NULL || parts == NULL) {
        scan->fault = -ENOMEM;
        return false;
    }
    do {
        if (notify->count == IMAP_NOTIFY_GROUPS_MAX)
            return imap_scan_fail(scan, "Too many groups of events");
        struct imap_notify_group *group = &notify->groups[notify->count++];
        group->scope = (struct imap_scope){.parts = parts + used, .room = IMAP_SCOPES_MAX - used};
        if (!scan_group(scan, notify, group))
            return false;
        used += group->scope.count;
    } while (imap_scan_byte(scan, ' ') && !imap_scan_at_end(scan));
    return check_selected(scan, notify);
}

/* RFC 5465 §8. */
bool imap_parse_notify(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan))
        return false;
    if (imap_scan_word(scan, "NONE"))
        return imap_scan_end(scan);
    if (!imap_scan_word(scan, "SET") || !imap_scan_space(scan))
        return imap_scan_fail(scan, "Expected SET or NONE");
    command->notify.status = imap_scan_word(scan, "STATUS");
    if (command->notify.status && !imap_scan_space(scan))
        return false;
    return scan_groups(scan, &command->notify) && imap_scan_end(scan);
}
