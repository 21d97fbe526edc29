#include "role/session/imap/sort.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "role/session/imap/context.h"

/* SORT and, with RETURN, what answers ESEARCH (RFC 5256 §3, RFC 5267 §3.1). */

static int compare_uids(const void *one, const void *other)
{
    uint32_t left = *(const uint32_t *)one;
    uint32_t right = *(const uint32_t *)other;
    return left < right ? -1 : left > right;
}

/* The scores of what was found (RFC 6203 §4), in the order of the answer; NULL where there are none. */
static int order_scores(struct run *run, const struct search_found *found, const uint32_t *uids, size_t count,
                        uint8_t **ret_scores)
{
    *ret_scores = NULL;
    if (found->scores == NULL)
        return 0;
    uint8_t *scores = arena_alloc(run->arena, count + 1);
    if (scores == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const uint32_t *at = bsearch(&uids[i], found->uids, found->count, sizeof(uids[i]), compare_uids);
        scores[i] = at != NULL ? found->scores[at - found->uids] : 0;
    }
    *ret_scores = scores;
    return 0;
}

static int answer(struct task *task, struct run *run, uint32_t *uids, const uint8_t *scores, size_t count,
                  uint64_t modseq)
{
    int result = search_save(run, uids, count);
    if (result == 0 && (run->command->search.returns & IMAP_RETURN_UPDATE) != 0)
        result = context_add(run, uids, count);
    if (result < 0)
        return result;
    search_number(run, uids, count);
    if (run->command->search.returns != 0) {
        search_write_extended(run, uids, scores, count, modseq);
        return run_ok(run, "Sorted");
    }
    buf_append_text(&run->client->out, "* SORT");
    result = search_write_numbers(task, run, uids, count);
    if (run->command->search.modseq && count > 0)
        buf_append_format(&run->client->out, " (MODSEQ %llu)", (unsigned long long)modseq);
    buf_append_text(&run->client->out, "\r\n");
    return result < 0 ? result : run_ok(run, "Sorted");
}

/* *ret_count is set to fewer where some have gone meanwhile. */
static int put_in_order(struct task *task, struct run *run, const struct search_found *found, uint32_t *uids,
                        size_t *ret_count)
{
    struct vault_mailbox mailbox;
    int result = vault_mailbox_get(run->vault, run->client->view->mailbox, &mailbox);
    bool is_there = result == 0; /* else it was deleted meanwhile */
    if (is_there)
        result = sort_memo_use(run, &mailbox, found, uids);
    if (result < 0 || (is_there && result == SORT_MEMO_USED))
        return result < 0 ? result : 0;
    result = sort_found(task, run, found, uids, ret_count);
    if (result == 0 && is_there && *ret_count == mailbox.total)
        sort_memo_keep(run, &mailbox, uids, *ret_count);
    return result;
}

int imap_do_sort(struct task *task, struct run *run)
{
    struct search_found found = {0};
    if (context_is_under(run->client, run->command->tag))
        return run_bad(run, "That tag is in use for updates"); /* RFC 5267 §4.3 */
    int result = search_run(task, run, &found);
    if (result != 0)
        return result < 0 ? result : search_refuse(run, result);
    size_t count = found.count;
    AUTO_FREE uint32_t *uids = mem_new_array(count + 1, sizeof(*uids));
    result = uids == NULL ? -ENOMEM : put_in_order(task, run, &found, uids, &count);
    uint8_t *scores = NULL;
    if (result == 0)
        result = order_scores(run, &found, uids, count, &scores);
    free(found.uids);
    return result < 0 ? result : answer(task, run, uids, scores, count, found.modseq);
}
