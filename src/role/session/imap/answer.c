#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "role/session/imap/context.h"
#include "role/session/imap/search.h"

#define NUMBERS_AT_ONCE 512U
#define NUMBER_MAX 21U /* with its space */

/* What SEARCH and SORT answer, and what they keep for "$". */

void search_number(const struct run *run, uint32_t *uids, size_t count)
{
    const struct view *view = run->client->view;
    for (size_t i = 0; i < count && !run->command->uid; i++)
        uids[i] = (uint32_t)view_find(view, uids[i]) + 1;
}

/* --- saving --- */

static int compare_ranges(const void *one, const void *other)
{
    const struct imap_range *left = one;
    const struct imap_range *right = other;
    return left->first < right->first ? -1 : left->first > right->first;
}

static void forget_saved(struct client *client)
{
    free(TAKE(client->saved));
    client->saved_count = 0;
}

/* Runs of UIDs that follow one another become one range. */
static size_t merge(struct imap_range *ranges, size_t count)
{
    size_t kept = 0;
    qsort(ranges, count, sizeof(*ranges), compare_ranges);
    for (size_t i = 1; i < count; i++) {
        if (ranges[i].first <= ranges[kept].last + 1)
            ranges[kept].last = ranges[i].last;
        else
            ranges[++kept] = ranges[i];
    }
    return kept + 1;
}

static int save_all(struct client *client, const uint32_t *uids, size_t count)
{
    struct imap_range *ranges = mem_new_array(count, sizeof(*ranges));
    if (ranges == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        ranges[i] = (struct imap_range){uids[i], uids[i]};
    count = merge(ranges, count);
    struct imap_range *less = mem_resize(ranges, count * sizeof(*ranges));
    client->saved = less != NULL ? less : ranges;
    client->saved_count = count;
    return 0;
}

/* The places from and to of the range in the result, from 0 on; false: it is beyond. */
static bool place_partial(const struct imap_partial *partial, size_t count, size_t *ret_from, size_t *ret_to)
{
    int64_t total = (int64_t)count;
    int64_t first = partial->first > 0 ? partial->first : total + 1 + partial->last;
    int64_t last = partial->first > 0 ? partial->last : total + 1 + partial->first;
    if (first < 1)
        first = 1;
    if (last > total)
        last = total;
    *ret_from = (size_t)first - 1;
    *ret_to = last > 0 ? (size_t)last - 1 : 0;
    return first <= last;
}

int search_save(struct run *run, const uint32_t *uids, size_t count)
{
    unsigned returns = run->command->search.returns;
    const unsigned ends = IMAP_RETURN_MIN | IMAP_RETURN_MAX;
    uint32_t some[2];
    size_t from = 0;
    size_t to = 0;
    if ((returns & IMAP_RETURN_SAVE) == 0)
        return 0;
    forget_saved(run->client);
    if (count == 0)
        return 0;
    /* RFC 9394 §3.1: with PARTIAL that part is saved. */
    if ((returns & IMAP_RETURN_PARTIAL) != 0) {
        if (!place_partial(&run->command->search.partial, count, &from, &to))
            return 0;
        return save_all(run->client, uids + from, to - from + 1);
    }
    /* RFC 5182 §2.4: MIN and MAX save what they answer, unless all is asked for. */
    if ((returns & ends) != 0 && (returns & (IMAP_RETURN_ALL | IMAP_RETURN_COUNT)) == 0) {
        size_t kept = 0;
        if ((returns & IMAP_RETURN_MIN) != 0)
            some[kept++] = uids[0];
        if ((returns & IMAP_RETURN_MAX) != 0)
            some[kept++] = uids[count - 1];
        return save_all(run->client, some, kept);
    }
    return save_all(run->client, uids, count);
}

/* --- answering --- */

int search_write_numbers(struct task *task, struct run *run, const uint32_t *numbers, size_t count)
{
    struct client *client = run->client;
    int result = 0;
    for (size_t i = 0; result == 0 && i < count;) {
        uint8_t *at = NULL;
        result = buf_reserve(&client->out, (size_t)NUMBERS_AT_ONCE * NUMBER_MAX, &at);
        if (result < 0)
            return result;
        size_t len = 0;
        for (size_t end = i + NUMBERS_AT_ONCE; i < count && i < end; i++) {
            at[len++] = ' ';
            len += imap_put_u64(at + len, numbers[i]);
        }
        buf_commit(&client->out, len);
        result = client_drain(task, client);
    }
    return result;
}

static void write_set(struct buf *out, const uint32_t *numbers, size_t count)
{
    struct imap_set_writer writer;
    imap_set_writer_start(&writer, out);
    for (size_t i = 0; i < count; i++)
        imap_set_writer_add(&writer, numbers[i]);
    imap_set_writer_end(&writer);
}

/* RFC 9394 §3.1: the range as it was asked for, and what stands there, or NIL. */
static void write_partial(struct run *run, const uint32_t *numbers, size_t count)
{
    struct buf *out = &run->client->out;
    const struct imap_partial *partial = &run->command->search.partial;
    size_t from = 0;
    size_t to = 0;
    buf_append_format(out, " PARTIAL (%lld:%lld ", (long long)partial->first, (long long)partial->last);
    if (place_partial(partial, count, &from, &to))
        write_set(out, numbers + from, to - from + 1);
    else
        buf_append_text(out, "NIL");
    buf_append_byte(out, ')');
}

/* RFC 6203 §4: of what is in the answer, in its order. */
static void write_relevancy(struct run *run, const uint8_t *scores, size_t count)
{
    struct buf *out = &run->client->out;
    size_t from = 0;
    size_t end = count;
    if ((run->command->search.returns & IMAP_RETURN_PARTIAL) != 0)
        end = place_partial(&run->command->search.partial, count, &from, &end) ? end + 1 : from;
    buf_append_text(out, " RELEVANCY (");
    for (size_t i = from; i < end; i++)
        buf_append_format(out, i > from ? " %u" : "%u", scores[i]);
    buf_append_byte(out, ')');
}

static void write_results(struct run *run, const uint32_t *numbers, const uint8_t *scores, size_t count,
                          uint64_t modseq)
{
    struct buf *out = &run->client->out;
    unsigned returns = run->command->search.returns;
    if ((returns & IMAP_RETURN_MIN) != 0 && count > 0)
        buf_append_format(out, " MIN %u", numbers[0]);
    if ((returns & IMAP_RETURN_MAX) != 0 && count > 0)
        buf_append_format(out, " MAX %u", numbers[count - 1]);
    if ((returns & IMAP_RETURN_COUNT) != 0)
        buf_append_format(out, " COUNT %zu", count);
    if ((returns & IMAP_RETURN_ALL) != 0 && count > 0) {
        buf_append_text(out, " ALL ");
        write_set(out, numbers, count);
    }
    if ((returns & IMAP_RETURN_PARTIAL) != 0)
        write_partial(run, numbers, count);
    if ((returns & IMAP_RETURN_RELEVANCY) != 0)
        write_relevancy(run, scores, count);
    if (run->command->search.modseq && count > 0)
        buf_append_format(out, " MODSEQ %llu", (unsigned long long)modseq);
    buf_append_text(out, "\r\n");
}

void search_write_extended(struct run *run, const uint32_t *numbers, const uint8_t *scores, size_t count,
                           uint64_t modseq)
{
    struct buf *out = &run->client->out;
    unsigned returns = run->command->search.returns;
    if ((returns & ~(unsigned)IMAP_RETURN_EXTENDED) == IMAP_RETURN_SAVE)
        return; /* SAVE alone is not answered (RFC 5182 §2.1) */
    buf_append_text(out, "* ESEARCH (TAG ");
    imap_write_quoted(out, run->command->tag);
    buf_append_text(out, run->command->uid ? ") UID" : ")");
    write_results(run, numbers, scores, count, modseq);
}

void search_write_in(struct run *run, span_t mailbox, uint32_t uidvalidity, const struct search_found *found)
{
    struct buf *out = &run->client->out;
    buf_append_text(out, "* ESEARCH (TAG ");
    imap_write_quoted(out, run->command->tag);
    buf_append_text(out, " MAILBOX ");
    run_write_mailbox(run, out, mailbox);
    buf_append_format(out, " UIDVALIDITY %u) UID", uidvalidity);
    write_results(run, found->uids, found->scores, found->count, found->modseq);
}
static int write_plain(struct task *task, struct run *run, const struct search_found *found)
{
    struct buf *out = &run->client->out;
    buf_append_text(out, "* SEARCH");
    int result = search_write_numbers(task, run, found->uids, found->count);
    if (run->command->search.modseq && found->count > 0)
        buf_append_format(out, " (MODSEQ %llu)", (unsigned long long)found->modseq);
    buf_append_text(out, "\r\n");
    return result;
}

static int answer(struct task *task, struct run *run, struct search_found *found)
{
    int result = search_save(run, found->uids, found->count);
    if (result == 0 && (run->command->search.returns & IMAP_RETURN_UPDATE) != 0)
        result = context_add(run, found->uids, found->count);
    if (result < 0)
        return result;
    search_number(run, found->uids, found->count);
    if (run->command->search.returns != 0)
        search_write_extended(run, found->uids, found->scores, found->count, found->modseq);
    else
        result = write_plain(task, run, found);
    return result < 0 ? result : run_ok(run, "Searched");
}

int imap_do_search(struct task *task, struct run *run)
{
    struct search_found found = {0};
    /* RFC 9051 §6.4.4: rev2 knows ESEARCH only. */
    if (run->command->search.returns == 0 && run_is_enabled(run, IMAP_ENABLE_REV2))
        run->command->search.returns = IMAP_RETURN_EXTENDED | IMAP_RETURN_ALL;
    if (run->command->search.charset.len > 0 && run_is_enabled(run, IMAP_ENABLE_UTF8))
        return run_bad(run, "No CHARSET once UTF-8 is accepted"); /* RFC 6855 §3 */
    if (context_is_under(run->client, run->command->tag))
        return run_bad(run, "That tag is in use for updates"); /* RFC 5267 §4.3 */
    int result = search_run(task, run, &found);
    if (result != 0 && (run->command->search.returns & IMAP_RETURN_SAVE) != 0)
        forget_saved(run->client); /* RFC 5182 §2.1: a failed one saves nothing */
    if (result != 0)
        return result < 0 ? result : search_refuse(run, result);
    result = answer(task, run, &found);
    free(found.uids);
    return result;
}
