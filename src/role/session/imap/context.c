#include "role/session/imap/context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "role/session/imap/fetch.h"
#include "role/session/imap/keep.h"
#include "role/session/imap/sort.h"

struct context {
    struct kept kept;
    struct search_since since;
    uint32_t *uids; /* in the order of the answer, which is a rising one unless it was sorted */
    size_t count;
};

struct contexts {
    struct client *client;
    struct context *all[CONTEXTS_MAX];
    size_t count;
};

static bool is_sorted(const struct context *context)
{
    return context->kept.command->verb == IMAP_SORT;
}

static void context_free(struct context *context)
{
    if (context == NULL)
        return;
    kept_free(&context->kept);
    free(context->uids);
    free(context);
}
SCOPE_OF(context)

void contexts_free(struct contexts *contexts)
{
    for (size_t i = 0; contexts != NULL && i < contexts->count; i++)
        context_free(contexts->all[i]);
    free(contexts);
}

static size_t find_context(const struct contexts *contexts, span_t tag)
{
    size_t at = 0;
    while (contexts != NULL && at < contexts->count && !span_equal(contexts->all[at]->kept.command->tag, tag))
        at++;
    return at;
}

bool context_is_under(const struct client *client, span_t tag)
{
    return client->contexts != NULL && find_context(client->contexts, tag) < client->contexts->count;
}

/* --- lists of UIDs --- */

static int compare_uids(const void *one, const void *other)
{
    uint32_t left = *(const uint32_t *)one;
    uint32_t right = *(const uint32_t *)other;
    return left < right ? -1 : left > right;
}

static bool has_uid(const uint32_t *rising, size_t count, uint32_t uid)
{
    return count > 0 && bsearch(&uid, rising, count, sizeof(uid), compare_uids) != NULL;
}

/* Those of the first list that are in the second, or are not; both rise. *ret_uids is to be freed. */
enum which { WHICH_ARE_IN, WHICH_ARE_NOT_IN };
static int sift(const uint32_t *uids, size_t count, const uint32_t *others, size_t other_count, enum which which,
                struct search_found *ret_found)
{
    uint32_t *kept = mem_new_array(count + 1, sizeof(*kept));
    if (kept == NULL)
        return -ENOMEM;
    *ret_found = (struct search_found){.uids = kept};
    for (size_t i = 0; i < count; i++)
        if (has_uid(others, other_count, uids[i]) == (which == WHICH_ARE_IN))
            kept[ret_found->count++] = uids[i];
    return 0;
}

/* --- what is written --- */

static uint32_t shown(const struct context *context, const struct view *view, uint32_t uid)
{
    return context->kept.command->uid ? uid : (uint32_t)view_number(view, uid);
}

static void begin_response(const struct context *context, struct buf *out, const char *item)
{
    buf_append_text(out, "* ESEARCH (TAG ");
    imap_write_quoted(out, context->kept.command->tag);
    buf_append_format(out, context->kept.command->uid ? ") UID %s (" : ") %s (", item);
}

/* RFC 5267 §4.3.3, §4.3.4: in the order of the mailbox there is no need to say where. */
static void write_set(const struct context *context, const struct view *view, const char *item, const uint32_t *uids,
                      size_t count, struct buf *out)
{
    struct imap_set_writer writer;
    begin_response(context, out, item);
    buf_append_text(out, "0 ");
    imap_set_writer_start(&writer, out);
    for (size_t i = 0; i < count; i++)
        imap_set_writer_add(&writer, shown(context, view, uids[i]));
    imap_set_writer_end(&writer);
    buf_append_text(out, ")\r\n");
}

/* Takes UIDs, which rise, out of the result, and says so; each place is the one after those before it have gone. */
static void take_out(struct context *context, const struct view *view, const uint32_t *uids, size_t count,
                     struct buf *out)
{
    bool sorted = is_sorted(context);
    size_t kept = 0;
    if (count == 0)
        return;
    if (sorted)
        begin_response(context, out, "REMOVEFROM");
    else
        write_set(context, view, "REMOVEFROM", uids, count, out);
    const char *between = "";
    for (size_t i = 0; i < context->count; i++) {
        if (!has_uid(uids, count, context->uids[i])) {
            context->uids[kept++] = context->uids[i];
            continue;
        }
        if (sorted)
            buf_append_format(out, "%s%zu %u", between, kept + 1, shown(context, view, context->uids[i]));
        between = " ";
    }
    if (sorted)
        buf_append_text(out, ")\r\n");
    context->count = kept;
}

/* A copy of the result in rising order; to be freed. */
static int copy_rising(const struct context *context, size_t more, uint32_t **ret_uids)
{
    uint32_t *uids = mem_new_array(context->count + more + 1, sizeof(*uids));
    if (uids == NULL)
        return -ENOMEM;
    memcpy(uids, context->uids, context->count * sizeof(*uids));
    if (is_sorted(context))
        qsort(uids, context->count, sizeof(*uids), compare_uids);
    *ret_uids = uids;
    return 0;
}

/* RFC 5267 §4.3.4: before the expunges themselves are told. */
static void on_gone(void *arg, const uint32_t *gone, size_t count)
{
    struct contexts *contexts = arg;
    struct client *client = contexts->client;
    for (size_t i = 0; i < contexts->count; i++) {
        struct context *context = contexts->all[i];
        AUTO_FREE uint32_t *rising = NULL;
        struct search_found leaving = {0};
        int result = copy_rising(context, 0, &rising);
        if (result == 0)
            result = sift(gone, count, rising, context->count, WHICH_ARE_IN, &leaving);
        if (result == 0)
            take_out(context, client->view, leaving.uids, leaving.count, &client->out);
        else
            client->out.fault = result;
        free(leaving.uids);
    }
}

/* --- adding --- */

static void put_in_order(struct context *context, uint32_t *rising, size_t count)
{
    free(context->uids);
    context->uids = rising;
    context->count = count;
}

static int add_in_mailbox_order(struct context *context, const struct view *view, const struct search_found *added,
                                struct buf *out)
{
    uint32_t *uids = NULL;
    int result = copy_rising(context, added->count, &uids);
    if (result < 0)
        return result;
    memcpy(uids + context->count, added->uids, added->count * sizeof(*uids));
    qsort(uids, context->count + added->count, sizeof(*uids), compare_uids);
    put_in_order(context, uids, context->count + added->count);
    write_set(context, view, "ADDTO", added->uids, added->count, out);
    return 0;
}

/* What was there stays in the order it has, as what it is sorted by never changes; so each new place is final. */
static void write_added(const struct context *context, const struct view *view, const struct search_found *all,
                        const struct search_found *added, struct buf *out)
{
    begin_response(context, out, "ADDTO");
    const char *between = "";
    for (size_t i = 0; i < all->count; i++) {
        if (!has_uid(added->uids, added->count, all->uids[i]))
            continue;
        buf_append_format(out, "%s%zu %u", between, i + 1, shown(context, view, all->uids[i]));
        between = " ";
    }
    buf_append_text(out, ")\r\n");
}

static int add_sorted(struct task *task, struct run *run, struct context *context, const struct search_found *added)
{
    struct search_found all = {0};
    int result = copy_rising(context, added->count, &all.uids);
    if (result < 0)
        return result;
    memcpy(all.uids + context->count, added->uids, added->count * sizeof(*all.uids));
    all.count = context->count + added->count;
    qsort(all.uids, all.count, sizeof(*all.uids), compare_uids);
    struct search_found sorted = {.uids = mem_new_array(all.count + 1, sizeof(*all.uids))};
    result = sorted.uids == NULL ? -ENOMEM : sort_found(task, run, &all, sorted.uids, &sorted.count);
    free(all.uids);
    if (result < 0) {
        free(sorted.uids);
        return result;
    }
    write_added(context, run->client->view, &sorted, added, &run->client->out);
    put_in_order(context, sorted.uids, sorted.count);
    return 0;
}

/* RFC 5465 §7: what came in, and matches, is told of first. */
static int show_added(struct task *task, struct run *run, const struct context *context,
                      const struct search_found *added)
{
    const struct imap_fetch *what = &context->kept.command->search.update;
    int result = 0;
    for (size_t i = 0; result == 0 && (what->items != 0 || what->count > 0) && i < added->count; i++)
        if (added->uids[i] > context->since.uid)
            result = fetch_unasked(task, run->client, what, (struct vault_range){added->uids[i], added->uids[i]});
    return result;
}

/* --- updating --- */

static int compare_result(struct task *task, struct run *run, struct context *context,
                          const struct search_found *changed, const struct search_found *found)
{
    AUTO_FREE uint32_t *rising = NULL;
    struct search_found added = {0};
    struct search_found unfound = {0};
    struct search_found leaving = {0};
    int result = copy_rising(context, 0, &rising);
    if (result == 0)
        result = sift(changed->uids, changed->count, found->uids, found->count, WHICH_ARE_NOT_IN, &unfound);
    if (result == 0)
        result = sift(unfound.uids, unfound.count, rising, context->count, WHICH_ARE_IN, &leaving);
    if (result == 0)
        result = sift(found->uids, found->count, rising, context->count, WHICH_ARE_NOT_IN, &added);
    if (result == 0)
        take_out(context, run->client->view, leaving.uids, leaving.count, &run->client->out);
    if (result == 0 && added.count > 0)
        result = show_added(task, run, context, &added);
    if (result == 0 && added.count > 0)
        result = is_sorted(context) ? add_sorted(task, run, context, &added)
                                    : add_in_mailbox_order(context, run->client->view, &added, &run->client->out);
    free(added.uids);
    free(unfound.uids);
    free(leaving.uids);
    return result;
}

/* The keys of the command, with sets of their own, as the search changes them. */
static int prepare(struct client *client, const struct context *context, struct arena *arena, struct run *ret_run)
{
    struct imap_command *command = arena_alloc(arena, sizeof(*command));
    if (command == NULL)
        return -ENOMEM;
    *command = *context->kept.command;
    *ret_run = (struct run){.client = client,
                            .session = client->session,
                            .vault = client->session->vault,
                            .command = command,
                            .arena = arena,
                            .told = INT64_MAX}; /* nobody waits, so nothing is said of progress */
    return search_copy_keys(arena, context->kept.command->search.keys, &command->search.keys);
}

static int update(struct task *task, struct client *client, struct context *context)
{
    AUTO(arena) struct arena *arena = NULL;
    struct search_since now = {client->view->flags_seen, view_last_uid(client->view)};
    struct search_found changed = {0};
    struct search_found found = {0};
    struct run run;
    if (now.modseq == context->since.modseq && now.uid <= context->since.uid)
        return 0;
    int result = arena_new(CLIENT_ARENA_MAX, &arena);
    if (result == 0)
        result = prepare(client, context, arena, &run);
    if (result == 0)
        result = search_again(task, &run, &context->since, &changed, &found);
    if (result == 0 && changed.count > 0)
        result = compare_result(task, &run, context, &changed, &found);
    free(changed.uids);
    free(found.uids);
    context->since = now;
    return result;
}

int contexts_update(struct task *task, struct client *client)
{
    struct contexts *contexts = client->contexts;
    int result = 0;
    for (size_t i = 0; result == 0 && contexts != NULL && i < contexts->count; i++) {
        result = update(task, client, contexts->all[i]);
        if (result == 0)
            result = client_drain(task, client);
    }
    return result;
}

/* --- beginning and ending --- */

/* RFC 5267 §4.3: numbers, and "$", mean the messages that they mean now. As deep as the grammar allows. */
static int fix_numbers(struct run *run, struct imap_search_key *keys)
{
    const struct view *view = run->client->view;
    int result = 0;
    for (struct imap_search_key *key = keys; result == 0 && key != NULL; key = key->next) {
        bool by_number = key->kind == IMAP_KEY_SET && !key->set.saved;
        result = run_saved_set(run, &key->set);
        if (key->kind == IMAP_KEY_SET)
            key->kind = IMAP_KEY_UID;
        if (by_number)
            imap_set_fix(&key->set, (uint32_t)view_count(view));
        size_t kept = 0;
        for (size_t i = 0; by_number && i < key->set.count; i++) {
            struct imap_range range = key->set.ranges[i];
            uint32_t last = range.last < view_count(view) ? range.last : (uint32_t)view_count(view);
            if (range.first <= last)
                key->set.ranges[kept++] =
                    (struct imap_range){view_uid(view, range.first - 1), view_uid(view, last - 1)};
        }
        key->set.count = by_number ? kept : key->set.count;
        key->set.saved = false;
        if (result == 0)
            result = fix_numbers(run, key->children);
    }
    return result;
}

static bool sorts_by_relevancy(const struct imap_command *command)
{
    for (size_t i = 0; i < command->search.order_count; i++)
        if (command->search.order[i].field == IMAP_SORT_RELEVANCY)
            return true;
    return false;
}

/* RFC 5267 §4.3.1. */
void context_refuse(struct run *run, const char *why)
{
    struct buf *out = &run->client->out;
    buf_append_text(out, "* NO [NOUPDATE ");
    imap_write_quoted(out, run->command->tag);
    buf_append_format(out, "] %s\r\n", why);
}

static int context_new(struct run *run, const uint32_t *uids, size_t count, struct context **ret_context)
{
    AUTO(context) struct context *context = mem_new(sizeof(*context));
    if (context == NULL)
        return -ENOMEM;
    int result = kept_new(run, &context->kept);
    if (result < 0)
        return result;
    struct run keeping = *run;
    keeping.arena = context->kept.arena;
    result = fix_numbers(&keeping, context->kept.command->search.keys);
    context->uids = mem_new_array(count + 1, sizeof(*context->uids));
    if (result == 0 && context->uids == NULL)
        result = -ENOMEM;
    if (result < 0)
        return result;
    if (count > 0)
        memcpy(context->uids, uids, count * sizeof(*uids));
    context->count = count;
    context->since = (struct search_since){run->client->view->flags_seen, view_last_uid(run->client->view)};
    *ret_context = TAKE(context);
    return 0;
}

int context_add(struct run *run, const uint32_t *uids, size_t count)
{
    struct client *client = run->client;
    if (client->contexts == NULL)
        client->contexts = mem_new(sizeof(*client->contexts));
    struct contexts *contexts = client->contexts;
    if (contexts == NULL)
        return -ENOMEM;
    contexts->client = client;
    client->view->on_gone = on_gone;
    client->view->gone_arg = contexts;
    const char *why = contexts->count == CONTEXTS_MAX    ? "Too many contexts"
                      : count > CONTEXT_UIDS_MAX         ? "Too many results"
                      : run->command->verb != IMAP_SORT  ? NULL
                      : count > CONTEXT_SORTED_MAX       ? "Too many results to sort anew"
                      : sorts_by_relevancy(run->command) ? "Relevancy is not kept up to date"
                                                         : NULL;
    if (why != NULL) {
        context_refuse(run, why);
        return 0;
    }
    int result = context_new(run, uids, count, &contexts->all[contexts->count]);
    contexts->count += result == 0;
    return result;
}

/* RFC 5267 §4.3.5: all of them, or none. */
int imap_do_cancelupdate(struct task *task, struct run *run)
{
    (void)task;
    struct contexts *contexts = run->client->contexts;
    for (size_t i = 0; i < run->command->cancel.count; i++)
        if (!context_is_under(run->client, run->command->cancel.tags[i]))
            return run_no(run, "Nothing is told under one of these tags");
    for (size_t i = 0; i < run->command->cancel.count; i++) {
        size_t at = find_context(contexts, run->command->cancel.tags[i]);
        if (at == contexts->count)
            continue; /* said twice */
        context_free(contexts->all[at]);
        contexts->all[at] = contexts->all[--contexts->count];
    }
    return run_ok(run, "No further updates");
}
