#include "role/session/imap/scope.h"

#include "proto/imap/mailbox.h"

static bool is_below(span_t name, span_t top)
{
    return top.len == 0 || span_equal(name, top) ||
           (name.len > top.len && span_starts(name, top) && name.at[top.len] == IMAP_SEPARATOR);
}

/* RFC 7377 §2.2: subtree-one goes one level down. */
static bool is_child(span_t name, span_t top)
{
    span_t rest = span_from(name, top.len == 0 ? 0 : top.len + 1);
    return is_below(name, top) && span_find_byte(rest, IMAP_SEPARATOR) == rest.len;
}

static span_t in_right_case(span_t name)
{
    return span_equal_nocase(name, SPAN("INBOX")) ? SPAN("INBOX") : name;
}

static bool part_covers(const struct imap_scope_part *part, span_t name, bool is_subscribed, bool is_selected)
{
    span_t asked = in_right_case(part->name);
    switch (part->kind) {
    case IMAP_SCOPE_SELECTED:
    case IMAP_SCOPE_SELECTED_DELAYED:
        return is_selected;
    case IMAP_SCOPE_INBOXES:
        return span_equal(name, SPAN("INBOX"));
    case IMAP_SCOPE_PERSONAL:
        return true;
    case IMAP_SCOPE_SUBSCRIBED:
        return is_subscribed;
    case IMAP_SCOPE_SUBTREE:
        return is_below(name, asked);
    case IMAP_SCOPE_SUBTREE_ONE:
        return is_child(name, asked);
    case IMAP_SCOPE_MAILBOXES:
        return span_equal(name, asked);
    }
    return false;
}

static bool covers(const struct imap_scope *scope, span_t name, bool is_subscribed, bool is_selected)
{
    for (size_t i = 0; i < scope->count; i++)
        if (part_covers(&scope->parts[i], name, is_subscribed, is_selected))
            return true;
    return false;
}

bool scope_covers(const struct imap_scope *scope, const struct vault_mailbox *mailbox, bool is_selected)
{
    return covers(scope, span_of_text(mailbox->name), mailbox->subscribed, is_selected);
}

bool scope_covers_name(const struct imap_scope *scope, span_t name, bool is_subscribed)
{
    return covers(scope, name, is_subscribed, false);
}
