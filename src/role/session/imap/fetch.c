#include "role/session/imap/fetch.h"

#include <errno.h>

#include "base/mem.h"
#include "role/session/imap/resync.h"
#include "role/session/wire.h"

#define CHUNK_ROWS 64U      /* messages whose content is asked for are dealt with in such chunks */
#define CACHED_ROWS 512U    /* and those of which the caches are enough, in such */
#define STEP_FULL 100       /* ends a walk of the vault early */
#define NEEDS_MESSAGE 101   /* so does a message whose cache is empty */
#define ANSWER_BYTES 49152U /* of responses made in one walk */
#define STRUCTURE (IMAP_FETCH_ENVELOPE | IMAP_FETCH_BODY | IMAP_FETCH_BODYSTRUCTURE)

/* --- what the narrow rows hold is answered from within the walk --- */

static int on_narrow(void *arg, const struct vault_member *member)
{
    struct fetch *fetch = arg;
    if (buf_len(fetch->out) >= ANSWER_BYTES) {
        fetch->next = member->uid;
        return STEP_FULL;
    }
    size_t number = view_number(fetch->run->client->view, member->uid);
    if (number == 0)
        return 0;
    bool begun = fetch_write_row(fetch, number, member);
    if ((fetch->items & IMAP_FETCH_FLAGS) != 0)
        fetch_write_flags(fetch, member, begun);
    buf_append_text(fetch->out, ")\r\n");
    return buf_fault(fetch->out);
}

static int on_row(void *arg, const struct vault_member *member)
{
    struct fetch *fetch = arg;
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

static int send_full(struct task *task, struct fetch *fetch)
{
    if (buf_len(fetch->out) < ANSWER_BYTES)
        return buf_fault(fetch->out);
    int result = wire_write(task, fetch->run->client, buf_span(fetch->out));
    buf_clear(fetch->out);
    return result;
}

static int fetch_narrow(struct task *task, struct fetch *fetch, struct vault_range range)
{
    int result = STEP_FULL;
    fetch->next = range.first;
    while (result == STEP_FULL) {
        result = walk(fetch, range.last, on_narrow);
        if (result < 0)
            return result;
        int sent = send_full(task, fetch);
        if (sent == 0 && result == STEP_FULL)
            sent = task_yield(task);
        if (sent < 0)
            return sent;
    }
    return 0;
}

/* --- what needs the message --- */

/* Flags that have changed are told with the MODSEQ they have now (RFC 7162 §3.2). */
static int on_marked(void *arg, const struct vault_member *member)
{
    struct fetch *fetch = arg;
    if (fetch->run->client->condstore)
        fetch->items |= IMAP_FETCH_MODSEQ;
    for (size_t i = 0; i < fetch->count; i++)
        if (fetch->rows[i].uid == member->uid)
            fetch->rows[i].modseq = member->modseq;
    return 0;
}

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
    struct vault_flag_change change = {.mode = VAULT_FLAGS_ADD,
                                       .flags = VAULT_SEEN,
                                       .unchanged_since = UINT64_MAX,
                                       .on_done = on_marked,
                                       .arg = fetch};
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
    for (size_t i = 0; i < run->command->fetch.what.count; i++)
        if (!run->command->fetch.what.bodies[i].peek)
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
    if ((fetch->items & IMAP_FETCH_THREADID) != 0)
        result = fetch_thread(run, &source);
    if (result == 0 && (fetch->items & IMAP_FETCH_PREVIEW) != 0)
        result = fetch_preview(task, run, &source);
    if (result == 0 && (fetch->items & STRUCTURE) != 0)
        result = fetch_structure(task, run, &source, fetch->items);
    for (size_t i = 0; result == 0 && i < run->command->fetch.what.count; i++)
        result = fetch_body(task, run, &source, &run->command->fetch.what.bodies[i], streamed);
    source_deinit(&source);
    return result;
}

/* One response. What cannot be read is left out and remembered, unless part of it is on its way: then the connection
 * has to end, as its framing would be broken. */
static int fetch_message(struct task *task, struct fetch *fetch, const struct vault_member *member, bool seen)
{
    size_t number = view_number(fetch->run->client->view, member->uid);
    if (number == 0)
        return 0;
    size_t mark = buf_len(fetch->out);
    struct vault_member shown = *member;
    bool streamed = false;
    bool begun = fetch_write_row(fetch, number, member);
    if (seen)
        shown.flags |= VAULT_SEEN;
    if ((fetch->items & IMAP_FETCH_FLAGS) != 0 || shown.flags != member->flags) {
        fetch_write_flags(fetch, &shown, begun);
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

/* The rows of the next messages of the range, at most so many; false: there are none left. */
static int read_rows(struct fetch *fetch, uint32_t last, size_t most, bool *ret_any)
{
    const struct view *view = fetch->run->client->view;
    size_t first = view_find(view, fetch->next);
    size_t left = view_count(view) - first;
    fetch->count = 0;
    *ret_any = left > 0 && fetch->next <= last;
    if (!*ret_any)
        return 0;
    uint32_t end = view_uid(view, first + (left < most ? left : most) - 1);
    int result = walk(fetch, end < last ? end : last, on_row);
    *ret_any = end < last;
    fetch->next = end < last ? end + 1 : last;
    return result;
}

static int fetch_content(struct task *task, struct fetch *fetch, struct vault_range range)
{
    bool seen = sets_seen(fetch->run);
    bool more = true;
    fetch->next = range.first;
    while (more) {
        int result = read_rows(fetch, range.last, CHUNK_ROWS, &more);
        if (result == 0 && seen)
            result = mark_seen(fetch);
        for (size_t i = 0; result == 0 && i < fetch->count; i++)
            result = fetch_message(task, fetch, &fetch->rows[i], seen);
        if (result == 0)
            result = task_yield(task);
        if (result < 0)
            return result;
    }
    return 0;
}

/* --- what the caches hold is answered a chunk at a time --- */

static int on_cache(void *arg, size_t index, span_t envelope, span_t structure)
{
    struct fetch *fetch = arg;
    const struct vault_member *member = &fetch->rows[fetch->done];
    (void)index;
    if (buf_len(fetch->out) >= ANSWER_BYTES)
        return STEP_FULL;
    if (!fetch_is_cached(fetch->run, envelope, structure, fetch->items))
        return NEEDS_MESSAGE;
    fetch->done++;
    size_t number = view_number(fetch->run->client->view, member->uid);
    if (number == 0)
        return 0;
    bool begun = fetch_write_row(fetch, number, member);
    if ((fetch->items & IMAP_FETCH_FLAGS) != 0) {
        fetch_write_flags(fetch, member, begun);
        begun = true;
    }
    fetch_write_cached(fetch->out, envelope, structure, fetch->items, begun);
    buf_append_text(fetch->out, ")\r\n");
    return buf_fault(fetch->out);
}

/* All rows that were read; one without a cache is made from its message. */
static int answer_cached(struct task *task, struct fetch *fetch)
{
    uint64_t ids[CACHED_ROWS];
    for (size_t i = 0; i < fetch->count; i++)
        ids[i] = fetch->rows[i].email;
    fetch->done = 0;
    while (fetch->done < fetch->count) {
        int result =
            vault_email_read_caches(fetch->run->vault, ids + fetch->done, fetch->count - fetch->done, on_cache, fetch);
        if (result == NEEDS_MESSAGE)
            result = fetch_message(task, fetch, &fetch->rows[fetch->done++], false);
        if (result >= 0)
            result = send_full(task, fetch);
        if (result == 0)
            result = task_yield(task);
        if (result < 0)
            return result;
    }
    return 0;
}

static int fetch_cached(struct task *task, struct fetch *fetch, struct vault_range range)
{
    bool more = true;
    fetch->next = range.first;
    while (more) {
        int result = read_rows(fetch, range.last, CACHED_ROWS, &more);
        if (result == 0)
            result = answer_cached(task, fetch);
        if (result < 0)
            return result;
    }
    return 0;
}

typedef int fetch_way(struct task *task, struct fetch *fetch, struct vault_range range);

/* RFC 7162 §3.2.6: what is gone comes before what has changed. */
static int tell_vanished(struct run *run)
{
    int result = run_saved_set(run, &run->command->set);
    return result < 0 ? result : resync_vanished(run, &run->command->set, run->command->fetch.changed_since);
}

/* RFC 9394 §3.2: of the messages in the ranges only those at these places. *count ranges become fewer. */
static void take_part(const struct view *view, const struct imap_partial *partial, struct vault_range *ranges,
                      size_t *count)
{
    int64_t total = 0;
    for (size_t i = 0; i < *count; i++)
        total += (int64_t)(view_find(view, ranges[i].last) + 1 - view_find(view, ranges[i].first));
    int64_t first = partial->first > 0 ? partial->first : total + 1 + partial->last;
    int64_t last = partial->first > 0 ? partial->last : total + 1 + partial->first;
    int64_t at = 1; /* the place of the first message in the range at hand */
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        size_t begin = view_find(view, ranges[i].first);
        int64_t len = (int64_t)(view_find(view, ranges[i].last) + 1 - begin);
        int64_t from = first > at ? first - at : 0;
        int64_t to = last - at < len - 1 ? last - at : len - 1;
        at += len;
        if (from <= to)
            ranges[kept++] =
                (struct vault_range){view_uid(view, begin + (size_t)from), view_uid(view, begin + (size_t)to)};
    }
    *count = kept;
}

static int fetch_ranges(struct task *task, struct fetch *fetch, const struct vault_range *ranges, size_t count)
{
    const struct imap_fetch *what = &fetch->run->command->fetch.what;
    fetch->rows = arena_alloc_array(fetch->run->arena, CACHED_ROWS, sizeof(*fetch->rows));
    if (fetch->rows == NULL)
        return -ENOMEM;
    bool content = what->count > 0 || (fetch->items & (IMAP_FETCH_THREADID | IMAP_FETCH_PREVIEW)) != 0;
    fetch_way *way = content ? fetch_content : (fetch->items & STRUCTURE) != 0 ? fetch_cached : fetch_narrow;
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = way(task, fetch, ranges[i]);
    return result;
}

static int fetch_all(struct task *task, struct fetch *fetch)
{
    struct run *run = fetch->run;
    struct vault_range *ranges = NULL;
    size_t count = 0;
    int result = run->command->fetch.vanished ? tell_vanished(run) : 0;
    if (result < 0 || !run_ranges(run, &ranges, &count, &result))
        return result;
    if (run->command->fetch.partly)
        take_part(run->client->view, &run->command->fetch.partial, ranges, &count);
    result = fetch_ranges(task, fetch, ranges, count);
    if (result < 0 || fetch->fault < 0)
        return result < 0 ? result : fetch->fault;
    return run_ok(run, "Fetched");
}

int imap_do_fetch(struct task *task, struct run *run)
{
    if (run->command->fetch.vanished && !run_is_enabled(run, IMAP_ENABLE_QRESYNC))
        return run_bad(run, "ENABLE QRESYNC first"); /* RFC 7162 §3.2.6 */
    if ((run->command->fetch.what.items & IMAP_FETCH_MODSEQ) != 0)
        run->client->condstore = true; /* RFC 7162 §3.1: it says that the client knows of it */
    struct fetch fetch = {.run = run, .items = run->command->fetch.what.items, .out = &run->client->out};
    if (run->client->view->uid_only && run->command->fetch.uid_implied)
        fetch.items &= ~(unsigned)IMAP_FETCH_UID; /* RFC 9586 §3.3: UIDFETCH says it already */
    buf_init(&fetch.flags, 65536);
    int result = fetch_all(task, &fetch);
    buf_deinit(&fetch.flags);
    return result;
}

int fetch_unasked(struct task *task, struct client *client, const struct imap_fetch *what, struct vault_range range)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO_FREE struct imap_command *command = mem_new(sizeof(*command));
    int result = command == NULL ? -ENOMEM : arena_new(CLIENT_ARENA_MAX, &arena);
    if (result < 0)
        return result;
    *command = (struct imap_command){.verb = IMAP_FETCH, .uid = true, .fetch = {.what = *what}};
    struct run run = {.client = client,
                      .session = client->session,
                      .vault = client->session->vault,
                      .command = command,
                      .arena = arena,
                      .told = loop_now(client->session->loop)};
    struct fetch fetch = {.run = &run, .items = what->items, .out = &client->out};
    buf_init(&fetch.flags, 65536);
    result = fetch_ranges(task, &fetch, &range, 1);
    buf_deinit(&fetch.flags);
    return result;
}
