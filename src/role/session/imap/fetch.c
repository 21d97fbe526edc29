#include "role/session/imap/fetch.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "role/session/flags.h"

#define CHUNK_ROWS 64U      /* messages whose content is asked for are dealt with in such chunks */
#define STEP_FULL 100       /* ends a walk of the vault early */
#define NARROW_BYTES 49152U /* of responses made in one walk */
#define STRUCTURE (IMAP_FETCH_ENVELOPE | IMAP_FETCH_BODY | IMAP_FETCH_BODYSTRUCTURE)

struct fetch {
    struct run *run;
    unsigned items;
    size_t index;  /* of the view: at or before the next UID */
    uint32_t next; /* UID to go on from */
    struct buf *out;
    /* Flags as text: most messages have the same as the one before. */
    struct buf flags;
    uint64_t flags_of;
    bool flags_recent;
    bool flags_known;
    /* of messages with content */
    struct vault_member *rows;
    size_t count;
    int fault; /* of the last message that could not be read */
};

static size_t find_number(struct fetch *fetch, uint32_t uid)
{
    const struct view *view = fetch->run->client->view;
    while (fetch->index < view->count && view->uids[fetch->index] < uid)
        fetch->index++;
    return fetch->index < view->count && view->uids[fetch->index] == uid ? fetch->index + 1 : 0;
}

static void write_flags(struct fetch *fetch, const struct vault_member *member, bool begun)
{
    bool recent = view_is_recent(fetch->run->client->view, member->uid);
    if (!fetch->flags_known || fetch->flags_of != member->flags || fetch->flags_recent != recent) {
        buf_clear(&fetch->flags);
        flags_write(fetch->run->vault, member->flags, recent, &fetch->flags);
        fetch->flags_known = true;
        fetch->flags_of = member->flags;
        fetch->flags_recent = recent;
    }
    buf_append_text(fetch->out, begun ? " FLAGS (" : "FLAGS (");
    buf_append(fetch->out, buf_span(&fetch->flags));
    buf_append_byte(fetch->out, ')');
}

/* One row's numbers, written by hand: this is what a client does for a hundred thousand messages at a time. false:
 * none of its items was asked for. */
#define ROW_MAX 160U
static size_t put_text(uint8_t *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return len;
}

static bool write_row(struct fetch *fetch, size_t number, const struct vault_member *member)
{
    uint8_t row[ROW_MAX];
    size_t len = put_text(row, "* ", 2);
    len += imap_put_u64(row + len, number);
    len += put_text(row + len, " FETCH (", 8);
    size_t empty = len;
    if ((fetch->items & IMAP_FETCH_UID) != 0) {
        len += put_text(row + len, "UID ", 4);
        len += imap_put_u64(row + len, member->uid);
    }
    if ((fetch->items & IMAP_FETCH_SIZE) != 0) {
        len += put_text(row + len, " RFC822.SIZE ", 13);
        len += imap_put_u64(row + len, member->size);
    }
    if ((fetch->items & IMAP_FETCH_INTERNALDATE) != 0) {
        int64_t seconds = member->received / 1000000 - (member->received % 1000000 < 0);
        len += put_text(row + len, " INTERNALDATE ", 14);
        len += imap_put_date_time(row + len, seconds);
    }
    if ((fetch->items & IMAP_FETCH_MODSEQ) != 0) {
        len += put_text(row + len, " MODSEQ (", 9);
        len += imap_put_u64(row + len, member->modseq);
        row[len++] = ')';
    }
    /* Items are separated, not preceded, by a space. */
    if (len > empty && row[empty] == ' ') {
        memmove(row + empty, row + empty + 1, len - empty - 1);
        len--;
    }
    buf_append(fetch->out, span_of(row, len));
    return len > empty;
}

/* --- what the narrow rows hold is answered from within the walk --- */

static int on_narrow(void *arg, const struct vault_member *member)
{
    struct fetch *fetch = arg;
    if (buf_len(fetch->out) >= NARROW_BYTES) {
        fetch->next = member->uid;
        return STEP_FULL;
    }
    size_t number = find_number(fetch, member->uid);
    if (number == 0)
        return 0;
    bool begun = write_row(fetch, number, member);
    if ((fetch->items & IMAP_FETCH_FLAGS) != 0)
        write_flags(fetch, member, begun);
    buf_append_text(fetch->out, ")\r\n");
    return buf_fault(fetch->out);
}

static int on_row(void *arg, const struct vault_member *member)
{
    struct fetch *fetch = arg;
    if (fetch->count == CHUNK_ROWS) {
        fetch->next = member->uid;
        return STEP_FULL;
    }
    fetch->rows[fetch->count++] = *member;
    return 0;
}

static int walk(struct fetch *fetch, uint32_t last, vault_member_fn fn)
{
    struct vault_range range = {fetch->next, last};
    const struct imap_command *command = fetch->run->command;
    uint64_t mailbox = fetch->run->client->view->mailbox;
    if (command->fetch.modified)
        return vault_member_changes(fetch->run->vault, mailbox, range, command->fetch.changed_since, fn, fetch);
    return vault_member_scan(fetch->run->vault, mailbox, range, fn, fetch);
}

static int fetch_narrow(struct task *task, struct fetch *fetch, struct vault_range range)
{
    int result = STEP_FULL;
    fetch->next = range.first;
    fetch->index = view_find(fetch->run->client->view, range.first);
    while (result == STEP_FULL) {
        result = walk(fetch, range.last, on_narrow);
        if (result < 0)
            return result;
        if (buf_len(fetch->out) < NARROW_BYTES)
            continue;
        int sent = stream_write(task, fetch->run->client->stream, buf_span(fetch->out), CLIENT_WRITE_MS);
        buf_clear(fetch->out);
        if (sent == 0 && result == STEP_FULL)
            sent = task_yield(task);
        if (sent < 0)
            return sent;
    }
    return 0;
}

/* --- what needs the message --- */

/* RFC 3501 §6.4.5: reading a body sets \Seen, and the new flags are part of the answer. */
static int mark_seen(struct fetch *fetch)
{
    struct run *run = fetch->run;
    struct vault_range ranges[CHUNK_ROWS];
    size_t count = 0;
    for (size_t i = 0; i < fetch->count; i++)
        if ((fetch->rows[i].flags & VAULT_SEEN) == 0)
            ranges[count++] = (struct vault_range){fetch->rows[i].uid, fetch->rows[i].uid};
    if (count == 0)
        return 0;
    int result = run_tell_now(run);
    if (result == 0)
        result = run_begin_relaxed(run);
    if (result < 0)
        return result;
    struct vault_flag_change change = {.mode = VAULT_FLAGS_ADD, .flags = VAULT_SEEN, .unchanged_since = UINT64_MAX};
    result = vault_member_store(run->vault, run->client->view->mailbox, ranges, count, &change);
    result = run_end(run, result);
    if (result != 0)
        return result < 0 ? result : 0;
    view_skip_flags(run->client->view);
    return 0;
}

static bool sets_seen(const struct run *run)
{
    if (run->client->view->read_only)
        return false;
    for (size_t i = 0; i < run->command->fetch.count; i++)
        if (!run->command->fetch.bodies[i].peek)
            return true;
    return false;
}

static int write_content(struct task *task, struct fetch *fetch, const struct vault_member *member, bool begun,
                         bool *streamed)
{
    struct run *run = fetch->run;
    struct source source;
    source_init(&source, run->session, member->email);
    source.begun = begun;
    int result = 0;
    if ((fetch->items & STRUCTURE) != 0)
        result = fetch_structure(task, run, &source, fetch->items);
    for (size_t i = 0; result == 0 && i < run->command->fetch.count; i++)
        result = fetch_body(task, run, &source, &run->command->fetch.bodies[i], streamed);
    source_deinit(&source);
    return result;
}

/* One response. What cannot be read is left out and remembered, unless part of it is on its way: then the connection
 * has to end, as its framing would be broken. */
static int fetch_message(struct task *task, struct fetch *fetch, const struct vault_member *member, bool seen)
{
    size_t number = find_number(fetch, member->uid);
    if (number == 0)
        return 0;
    size_t mark = buf_len(fetch->out);
    struct vault_member shown = *member;
    bool streamed = false;
    bool begun = write_row(fetch, number, member);
    if (seen)
        shown.flags |= VAULT_SEEN;
    if ((fetch->items & IMAP_FETCH_FLAGS) != 0 || shown.flags != member->flags) {
        write_flags(fetch, &shown, begun);
        begun = true;
    }
    int result = write_content(task, fetch, member, begun, &streamed);
    if (result < 0 && (streamed || result == -ECANCELED || result == -EPIPE || result == -ECONNRESET))
        return streamed && result != -ECANCELED ? -EPROTO : result;
    if (result < 0) {
        buf_truncate(fetch->out, mark);
        fetch->fault = result;
        return 0;
    }
    buf_append_text(fetch->out, ")\r\n");
    return client_drain(task, fetch->run->client);
}

static int fetch_content(struct task *task, struct fetch *fetch, struct vault_range range)
{
    bool seen = sets_seen(fetch->run);
    int result = STEP_FULL;
    fetch->next = range.first;
    fetch->index = view_find(fetch->run->client->view, range.first);
    while (result == STEP_FULL) {
        fetch->count = 0;
        result = walk(fetch, range.last, on_row);
        int done = result < 0 ? result : seen ? mark_seen(fetch) : 0;
        for (size_t i = 0; done == 0 && i < fetch->count; i++)
            done = fetch_message(task, fetch, &fetch->rows[i], seen);
        if (done == 0)
            done = task_yield(task);
        if (done < 0)
            return done;
    }
    return 0;
}

static int fetch_all(struct task *task, struct fetch *fetch)
{
    struct run *run = fetch->run;
    struct vault_range *ranges = NULL;
    size_t count = 0;
    int result = 0;
    if (!run_ranges(run, &ranges, &count, &result))
        return result;
    bool narrow = run->command->fetch.count == 0 && (fetch->items & STRUCTURE) == 0;
    if (!narrow) {
        fetch->rows = arena_alloc_array(run->arena, CHUNK_ROWS, sizeof(*fetch->rows));
        if (fetch->rows == NULL)
            return -ENOMEM;
    }
    for (size_t i = 0; result == 0 && i < count; i++)
        result = narrow ? fetch_narrow(task, fetch, ranges[i]) : fetch_content(task, fetch, ranges[i]);
    if (result < 0 || fetch->fault < 0)
        return result < 0 ? result : fetch->fault;
    return run_ok(run, "Fetched");
}

int imap_do_fetch(struct task *task, struct run *run)
{
    if ((run->command->fetch.items & IMAP_FETCH_MODSEQ) != 0)
        run->client->condstore = true; /* RFC 7162 §3.1: it says that the client knows of it */
    struct fetch fetch = {.run = run, .items = run->command->fetch.items, .out = &run->client->out};
    buf_init(&fetch.flags, 65536);
    int result = fetch_all(task, &fetch);
    buf_deinit(&fetch.flags);
    return result;
}
