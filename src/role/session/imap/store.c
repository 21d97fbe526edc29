#include <errno.h>

#include "role/session/flags.h"
#include "role/session/imap/imap.h"
#include "role/session/imap/slice.h"
#include "role/session/teach.h"

#define SLICE 10000U

struct store {
    struct run *run;
    struct buf modified; /* those refused by UNCHANGEDSINCE */
    struct imap_set_writer refused;
    size_t refused_count;
};

static int on_done(void *arg, const struct vault_member *member)
{
    struct store *store = arg;
    struct run *run = store->run;
    struct view *view = run->client->view;
    bool modseq = run->client->condstore;
    size_t number = view_number(view, member->uid);
    if (number == 0)
        return 0;
    /* RFC 3501 §6.4.6: .SILENT leaves the flags out; RFC 7162 §3.1.3 has the new MODSEQ said all the same. */
    if (run->command->store.silent && !modseq)
        return 0;
    struct buf *out = &run->client->out;
    view_begin_fetch(view, number, member->uid, out);
    if (!view->uid_only && (run->command->uid || view->resyncs || view->rev2))
        buf_append_format(out, "UID %u ", member->uid);
    if (modseq)
        buf_append_format(out, "MODSEQ (%llu)", (unsigned long long)member->modseq);
    if (!run->command->store.silent) {
        buf_append_text(out, modseq ? " FLAGS (" : "FLAGS (");
        flags_write(run->vault, member->flags, view_is_recent(view, member->uid), out);
        buf_append_byte(out, ')');
    }
    buf_append_text(out, ")\r\n");
    return buf_fault(out);
}

static int on_refused(void *arg, const struct vault_member *member)
{
    struct store *store = arg;
    const struct view *view = store->run->client->view;
    uint32_t number = (uint32_t)view_number(view, member->uid);
    imap_set_writer_add(&store->refused, store->run->command->uid ? member->uid : number);
    store->refused_count++;
    return buf_fault(&store->modified);
}

static int change(struct store *store, const struct vault_range *ranges, size_t count)
{
    struct run *run = store->run;
    const struct imap_command *command = run->command;
    static const enum vault_flag_mode modes[] = {[IMAP_STORE_REPLACE] = VAULT_FLAGS_REPLACE,
                                                 [IMAP_STORE_ADD] = VAULT_FLAGS_ADD,
                                                 [IMAP_STORE_REMOVE] = VAULT_FLAGS_REMOVE};
    struct vault_flag_change wanted = {.mode = modes[command->store.mode],
                                       .unchanged_since =
                                           command->store.conditional ? command->store.unchanged_since : UINT64_MAX,
                                       .on_done = on_done,
                                       .on_refused = on_refused,
                                       .arg = store};
    int result = 0;
    if (command->store.mode == IMAP_STORE_REMOVE)
        wanted.flags = flags_find(run->vault, &command->store.flags);
    else
        result = flags_use(run->vault, &command->store.flags, &wanted.flags);
    if (result != 0)
        return result;
    return vault_member_store(run->vault, run->client->view->mailbox, ranges, count, &wanted);
}

/*
 * What others have changed is told first: after the change everything up to now counts as told (view_skip_flags).
 */
static int store_slice(struct store *store, const struct vault_range *ranges, size_t count)
{
    struct run *run = store->run;
    int result = run_tell_now(run);
    size_t mark = buf_len(&run->client->out);
    if (result == 0)
        result = run_begin(run);
    if (result < 0)
        return result;
    result = run_end(run, change(store, ranges, count));
    if (result == 0 && run->command->store.mode == IMAP_STORE_ADD)
        teach_marked(run->session, run->client->view->mailbox, ranges, count, &run->command->store.flags);
    if (result == 0)
        view_skip_flags(run->client->view);
    else
        buf_truncate(&run->client->out, mark);
    return result;
}

static int store_all(struct task *task, struct store *store, struct vault_range *ranges, size_t count)
{
    struct run *run = store->run;
    struct slicer slicer;
    slicer_init(&slicer, run->client->view, ranges, count);
    int result = 0;
    while (result == 0 && !slicer_is_done(&slicer)) {
        const struct vault_range *some = NULL;
        size_t some_count = slicer_next(&slicer, SLICE, &some);
        result = store_slice(store, some, some_count);
        if (result == 0)
            result = client_drain(task, run->client);
        if (result == 0 && !slicer_is_done(&slicer))
            result = run_progress(task, run, 0, 0);
        if (result == 0 && !slicer_is_done(&slicer))
            result = task_yield(task);
    }
    return result;
}

static int store_flags(struct task *task, struct store *store)
{
    struct run *run = store->run;
    struct vault_range *ranges = NULL;
    size_t count = 0;
    int result = 0;
    if (!run_ranges(run, &ranges, &count, &result))
        return result;
    result = store_all(task, store, ranges, count);
    if (result != 0)
        return result < 0 ? result : run_no(run, "[LIMIT] Too many keywords or not possible");
    if (store->refused_count == 0)
        return run_ok(run, "Stored");
    imap_set_writer_end(&store->refused);
    buf_clear(&run->reply);
    buf_append_text(&run->reply, "OK [MODIFIED ");
    buf_append(&run->reply, buf_span(&store->modified));
    buf_append_text(&run->reply, "] Some were changed meanwhile");
    return buf_fault(&run->reply);
}

int imap_do_store(struct task *task, struct run *run)
{
    if (run->client->view->read_only)
        return run_no(run, "[READ-ONLY] The mailbox is open for reading only");
    if (run->command->store.conditional)
        run->client->condstore = true; /* RFC 7162 §3.1 */
    struct store store = {.run = run};
    buf_init(&store.modified, 512 << 10);
    imap_set_writer_start(&store.refused, &store.modified);
    int result = store_flags(task, &store);
    buf_deinit(&store.modified);
    return result;
}
