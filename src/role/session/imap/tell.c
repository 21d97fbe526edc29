#include "role/session/imap/tell.h"

#include "role/session/imap/context.h"
#include "role/session/imap/fetch.h"
#include "role/session/imap/notify.h"

struct view_format tell_format(const struct client *client, enum tell_moment moment)
{
    struct view_format format = {.modseq = client->condstore};
    if (moment != TELL_AFTER_NUMBERS && moment != TELL_BETWEEN)
        format.expunge = VIEW_TELL_EXPUNGED;
    if (client->notify == NULL)
        return format;
    unsigned events = notify_events_of_selected(client->notify);
    if (notify_is_immediate(client->notify)) /* RFC 5465 §6.1.1 */
        format.expunge = VIEW_TELL_EXPUNGED;
    if ((events & IMAP_EVENT_MESSAGE_EXPUNGE) == 0 && moment != TELL_AFTER_EXPUNGE)
        format.expunge = VIEW_KEEP_EXPUNGED;
    format.uid = true; /* RFC 5465 §5.1 */
    format.is_blind = (events & IMAP_EVENT_MESSAGE_NEW) == 0;
    format.is_flagless = (events & IMAP_EVENT_FLAG_CHANGE) == 0;
    return format;
}

/* RFC 5465 §5.2: each with what the client wants to know of it, but for those that it made itself. */
static int show_new(struct task *task, struct client *client)
{
    struct view *view = client->view;
    uint32_t first = view->shown + 1;
    uint32_t last = view_last_uid(view);
    struct imap_range made = client->made;
    view->shown = last > view->shown ? last : view->shown;
    const struct imap_fetch *what = client->notify != NULL ? notify_of_new(client->notify) : NULL;
    if (what == NULL || first > last)
        return 0;
    if (made.last < first || made.first > last)
        return fetch_unasked(task, client, what, (struct vault_range){first, last});
    int result = 0;
    if (first < made.first)
        result = fetch_unasked(task, client, what, (struct vault_range){first, made.first - 1});
    if (result == 0 && made.last < last)
        result = fetch_unasked(task, client, what, (struct vault_range){made.last + 1, last});
    return result;
}

int tell_all(struct task *task, struct client *client, enum tell_moment moment, enum view_uid uid)
{
    struct view_format format = tell_format(client, moment);
    format.uid |= uid == VIEW_WITH_UID;
    int result = client_tell(task, client, format);
    if (result == 0 && client->view != NULL)
        result = contexts_update(task, client);
    if (result == 0 && client->view != NULL && !format.is_blind)
        result = show_new(task, client);
    client->made = (struct imap_range){0};
    if (result == 0 && client->notify != NULL)
        result = notify_tell(task, client);
    return result;
}
