#include "role/session/imap/notify.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "role/session/imap/context.h"
#include "role/session/imap/keep.h"
#include "role/session/imap/scope.h"
#include "role/session/imap/tell.h"
#include "role/session/notices.h"
#include "role/session/takein.h"

/* What the client was told last of a mailbox. */
struct watch {
    uint64_t id;
    uint64_t modseq;
    uint32_t uidnext;
    uint32_t total;
    uint32_t unseen;
    unsigned round; /* the last look that met it */
};

struct notify {
    struct kept kept;
    const struct imap_notify *wanted;
    const struct imap_notify_group *selected; /* or NULL */
    uint64_t notice;                          /* the next one to be told */
    uint64_t modseq;                          /* of the account, when it was last looked at */
    bool has_looked;
    unsigned round;
    struct watch *watches; /* in order of ids */
    size_t count;
    size_t room;
};

void notify_free(struct notify *notify, struct session *session)
{
    if (notify == NULL)
        return;
    notices_ignore(session);
    kept_free(&notify->kept);
    free(notify->watches);
    free(notify);
}

static bool is_of_selected(const struct imap_notify_group *group)
{
    enum imap_scope_kind kind = group->scope.parts[0].kind;
    return kind == IMAP_SCOPE_SELECTED || kind == IMAP_SCOPE_SELECTED_DELAYED;
}

static int notify_new(struct run *run, struct notify **ret_notify)
{
    AUTO_FREE struct notify *notify = mem_new(sizeof(*notify));
    if (notify == NULL)
        return -ENOMEM;
    int result = kept_new(run, &notify->kept);
    if (result < 0)
        return result;
    result = notices_listen(run->session, &notify->notice);
    if (result < 0) {
        kept_free(&notify->kept);
        return result;
    }
    notify->wanted = &notify->kept.command->notify;
    for (size_t i = 0; i < notify->wanted->count; i++)
        if (is_of_selected(&notify->wanted->groups[i]))
            notify->selected = &notify->wanted->groups[i];
    *ret_notify = TAKE(notify);
    return 0;
}

unsigned notify_events_of_selected(const struct notify *notify)
{
    return notify->selected == NULL ? 0 : notify->selected->events;
}

bool notify_is_immediate(const struct notify *notify)
{
    return notify->selected != NULL && notify->selected->scope.parts[0].kind == IMAP_SCOPE_SELECTED;
}

const struct imap_fetch *notify_of_new(const struct notify *notify)
{
    const struct imap_fetch *fetch = &notify->wanted->fetch;
    return fetch->items != 0 || fetch->count > 0 ? fetch : NULL;
}

/* --- messages in other mailboxes --- */

/* Others than the selected one, whose messages have events of their own (RFC 5465 §3.1). */
static unsigned events_in(const struct notify *notify, const struct vault_mailbox *mailbox)
{
    unsigned events = 0;
    for (size_t i = 0; i < notify->wanted->count; i++) {
        const struct imap_notify_group *group = &notify->wanted->groups[i];
        if (!is_of_selected(group) && scope_covers(&group->scope, mailbox, false))
            events |= group->events & IMAP_EVENTS_OF_MESSAGES;
    }
    return mailbox->selectable ? events : 0;
}

/* Where it stands, or should stand. */
static size_t find_watch(const struct notify *notify, uint64_t id)
{
    size_t low = 0;
    size_t high = notify->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (notify->watches[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int insert_watch(struct notify *notify, size_t at, uint64_t id)
{
    if (notify->count == NOTIFY_MAILBOXES_MAX)
        return -E2BIG;
    struct watch *more = mem_grow(notify->watches, notify->count, &notify->room, sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    notify->watches = more;
    for (size_t i = notify->count++; i > at; i--)
        notify->watches[i] = notify->watches[i - 1];
    notify->watches[at] = (struct watch){.id = id};
    return 0;
}

/* One look at all mailboxes. */
struct look {
    struct run *run;
    struct notify *notify;
    enum { LOOK_TO_KNOW, LOOK_WITH_STATUS, LOOK_FOR_CHANGES } purpose;
};

/* RFC 5465 §3.1: what a STATUS response to NOTIFY SET STATUS has. */
static unsigned items_at_first(unsigned events)
{
    unsigned items = IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT | IMAP_STATUS_UIDVALIDITY;
    return (events & IMAP_EVENT_FLAG_CHANGE) != 0 ? items | IMAP_STATUS_HIGHESTMODSEQ : items;
}

/* RFC 5465 §5.1, §5.2, §5.3: what it has after a change, or nothing where the client does not want to know. */
static unsigned items_of_change(const struct look *look, const struct watch *known, const struct vault_mailbox *now,
                                unsigned events)
{
    const struct client *client = look->run->client;
    unsigned items = 0;
    unsigned modseq = client->condstore ? (unsigned)IMAP_STATUS_HIGHESTMODSEQ : 0;
    if (now->uidnext != known->uidnext || now->total != known->total)
        items = (unsigned)IMAP_STATUS_UIDNEXT | (unsigned)IMAP_STATUS_MESSAGES | modseq;
    if ((events & IMAP_EVENT_FLAG_CHANGE) == 0)
        return items;
    if (now->unseen != known->unseen)
        items |= (unsigned)IMAP_STATUS_UIDVALIDITY | (unsigned)IMAP_STATUS_UNSEEN | modseq;
    if (now->highest_modseq != known->modseq && modseq != 0)
        items |= (unsigned)IMAP_STATUS_UIDVALIDITY | modseq;
    return items;
}

static void write_status(struct run *run, const struct vault_mailbox *mailbox, unsigned items)
{
    struct buf *out = &run->client->out;
    bool condstore = run->client->condstore;
    buf_append_text(out, "* STATUS ");
    run_write_mailbox(run, out, span_of_text(mailbox->name));
    buf_append_byte(out, ' ');
    status_write(run, mailbox, items);
    buf_append_text(out, "\r\n");
    run->client->condstore = condstore; /* it did not ask for HIGHESTMODSEQ */
}

static int on_mailbox(void *arg, const struct vault_mailbox *mailbox)
{
    struct look *look = arg;
    struct notify *notify = look->notify;
    const struct view *view = look->run->client->view;
    unsigned events = events_in(notify, mailbox);
    if (events == 0)
        return 0;
    size_t at = find_watch(notify, mailbox->id);
    bool is_known = at < notify->count && notify->watches[at].id == mailbox->id;
    int result = is_known ? 0 : insert_watch(notify, at, mailbox->id);
    if (result < 0)
        return result;
    struct watch *watch = &notify->watches[at];
    unsigned items = 0;
    if (look->purpose == LOOK_WITH_STATUS || (look->purpose == LOOK_FOR_CHANGES && !is_known))
        items = items_at_first(events);
    else if (look->purpose == LOOK_FOR_CHANGES)
        items = items_of_change(look, watch, mailbox, events);
    if (items != 0 && (view == NULL || view->mailbox != mailbox->id))
        write_status(look->run, mailbox, items);
    *watch = (struct watch){.id = mailbox->id,
                            .modseq = mailbox->highest_modseq,
                            .uidnext = mailbox->uidnext,
                            .total = mailbox->total,
                            .unseen = mailbox->unseen,
                            .round = notify->round};
    return buf_fault(&look->run->client->out);
}

static bool watches_messages(const struct notify *notify)
{
    for (size_t i = 0; i < notify->wanted->count; i++)
        if (!is_of_selected(&notify->wanted->groups[i]) &&
            (notify->wanted->groups[i].events & IMAP_EVENTS_OF_MESSAGES) != 0)
            return true;
    return false;
}

/* Mailboxes that are gone, or not meant any more, are forgotten. */
static int look_at_all(struct look *look)
{
    struct notify *notify = look->notify;
    uint64_t modseq = vault_modseq(look->run->vault);
    if (!watches_messages(notify) || (notify->has_looked && notify->modseq == modseq))
        return 0;
    notify->round++;
    int result = vault_mailbox_list(look->run->vault, on_mailbox, look);
    size_t kept = 0;
    for (size_t i = 0; result == 0 && i < notify->count; i++)
        if (notify->watches[i].round == notify->round)
            notify->watches[kept++] = notify->watches[i];
    if (result == 0)
        notify->count = kept;
    notify->modseq = modseq;
    notify->has_looked = true;
    return result;
}

/* --- what happens to mailboxes --- */

static bool wants(const struct notify *notify, unsigned event, span_t name, bool is_subscribed)
{
    for (size_t i = 0; i < notify->wanted->count; i++) {
        const struct imap_notify_group *group = &notify->wanted->groups[i];
        if ((group->events & event) != 0 && scope_covers_name(&group->scope, name, is_subscribed))
            return true;
    }
    return false;
}

/* RFC 5465 §5.7: an event of the server is not one of any mailbox. */
static bool wants_of_server(const struct notify *notify)
{
    for (size_t i = 0; i < notify->wanted->count; i++)
        if ((notify->wanted->groups[i].events & IMAP_EVENT_SERVER_METADATA_CHANGE) != 0)
            return true;
    return false;
}

/* RFC 5464 §4.4.2: the names of entries alone. */
static void write_entry(struct run *run, const struct notice *notice)
{
    struct buf *out = &run->client->out;
    buf_append_text(out, "* METADATA ");
    run_write_mailbox(run, out, notice->name);
    buf_append_byte(out, ' ');
    imap_write_astring(out, notice->other);
    buf_append_text(out, "\r\n");
}

static int tell_notice(struct run *run, const struct notify *notify, const struct notice *notice)
{
    struct vault_mailbox mailbox;
    int result = vault_mailbox_find(run->vault, notice->name, &mailbox);
    bool is_subscribed = result == 0 && mailbox.subscribed;
    if (result < 0)
        return result;
    switch (notice->kind) {
    case NOTICE_NAME: /* RFC 5465 §5.4 */
        if (wants(notify, IMAP_EVENT_MAILBOX_NAME, notice->name, is_subscribed) ||
            (notice->other.len > 0 && wants(notify, IMAP_EVENT_MAILBOX_NAME, notice->other, is_subscribed)))
            return list_write_one(run, notice->name, notice->other);
        return 0;
    case NOTICE_SUBSCRIPTION: /* RFC 5465 §5.5; who watches what is subscribed hears of what is not any more */
        if (wants(notify, IMAP_EVENT_SUBSCRIPTION_CHANGE, notice->name, true))
            return list_write_one(run, notice->name, SPAN_NONE);
        return 0;
    case NOTICE_METADATA: /* RFC 5465 §5.6, §5.7 */
        if (notice->name.len == 0 ? wants_of_server(notify)
                                  : wants(notify, IMAP_EVENT_MAILBOX_METADATA_CHANGE, notice->name, is_subscribed))
            write_entry(run, notice);
        return 0;
    }
    return 0;
}

/* RFC 5465 §5: what the client has done itself it knows. */
static int tell_notices(struct run *run, struct notify *notify)
{
    struct notice notice;
    int result = notices_get(run->session, notify->notice, &notice);
    for (; result == 0; result = notices_get(run->session, notify->notice, &notice)) {
        int told = notice.origin == run->client ? 0 : tell_notice(run, notify, &notice);
        if (told < 0)
            return told;
        notify->notice++;
    }
    return result == NOTICE_LOST ? -E2BIG : 0;
}

/* --- all of it --- */

static int look_around(struct client *client, struct notify *notify, struct arena *arena, struct look *look)
{
    struct run run = {.client = client, .session = client->session, .vault = client->session->vault, .arena = arena};
    look->run = &run;
    look->notify = notify;
    int result = look->purpose == LOOK_FOR_CHANGES ? tell_notices(&run, notify) : 0;
    return result == 0 ? look_at_all(look) : result;
}

/* RFC 5465 §5.8: as if NOTIFY NONE had come. */
static void overflow(struct client *client)
{
    static const struct imap_notify none = {0};
    struct notify *notify = client->notify;
    notify->wanted = &none;
    notify->selected = NULL;
    notify->notice = client->session->notice_count;
    imap_write_status(&client->out, SPAN("*"), "OK", "[NOTIFICATIONOVERFLOW] Too much happens, or is watched");
}

int notify_tell(struct task *task, struct client *client)
{
    struct look look = {.purpose = LOOK_FOR_CHANGES};
    int result = look_around(client, client->notify, NULL, &look);
    if (result == -E2BIG) {
        overflow(client);
        result = 0;
    }
    return result < 0 ? result : client_drain(task, client);
}

/* RFC 5465 §3.1: SET is a NOOP as well, by what was in effect before it. */
static int tell_accumulated(struct task *task, struct run *run)
{
    struct client *client = run->client;
    int result = takein_wait(task, run->session);
    if (result < 0)
        return result;
    struct view_format format = {.expunge = VIEW_TELL_EXPUNGED, .modseq = client->condstore};
    result = client_tell(task, client, format);
    if (result == 0 && client->view != NULL)
        client->view->shown = view_last_uid(client->view);
    return result;
}

int imap_do_notify(struct task *task, struct run *run)
{
    struct client *client = run->client;
    const struct imap_notify *wanted = &run->command->notify;
    if (wanted->has_unknown)
        return run_no(run, "[BADEVENT (" IMAP_EVENT_NAMES ")] An event that is not told here");
    struct notify *notify = NULL;
    int result = wanted->count > 0 ? tell_accumulated(task, run) : 0;
    if (result == VIEW_GONE)
        return run_ok(run, "The selected mailbox is gone");
    if (result == 0)
        result = notify_new(run, &notify);
    if (result < 0)
        return result;
    struct look look = {.purpose = wanted->status ? LOOK_WITH_STATUS : LOOK_TO_KNOW};
    size_t mark = buf_len(&client->out);
    result = look_around(client, notify, run->arena, &look);
    if (result < 0) {
        buf_truncate(&client->out, mark);
        notify_free(notify, run->session);
        return result == -E2BIG ? run_no(run, "[NOTIFICATIONOVERFLOW] Too many mailboxes to watch") : result;
    }
    notify_free(client->notify, run->session);
    client->notify = notify;
    return run_ok(run, "Will be told");
}
