#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "role/session/imap/sort.h"

/*
 * The last order of a whole mailbox. What a message is sorted by never changes, so it holds until one arrives; what was
 * expunged since, or is not among those found, is passed over.
 */
struct sort_memo {
    uint64_t mailbox;
    uint32_t uidnext;
    struct imap_sort_key order[IMAP_SORT_KEYS_MAX];
    size_t order_count;
    size_t count;
    uint32_t uids[];
};

void sort_memo_drop(struct session *session)
{
    free(TAKE(session->sorted));
}

static bool is_same_order(const struct sort_memo *memo, const struct imap_sort_key *order, size_t count)
{
    if (memo->order_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (memo->order[i].field != order[i].field || memo->order[i].reverse != order[i].reverse)
            return false;
    return true;
}

void sort_memo_keep(struct run *run, const struct vault_mailbox *mailbox, const uint32_t *uids, size_t count)
{
    const struct imap_command *command = run->command;
    for (size_t i = 0; i < command->search.order_count; i++)
        if (command->search.order[i].field == IMAP_SORT_RELEVANCY)
            return; /* which is another one in every search */
    sort_memo_drop(run->session);
    if (count > SORT_MEMO_MAX)
        return;
    struct sort_memo *memo = mem_new(sizeof(*memo) + count * sizeof(*uids));
    if (memo == NULL)
        return;
    *memo = (struct sort_memo){.mailbox = mailbox->id,
                               .uidnext = mailbox->uidnext,
                               .order_count = command->search.order_count,
                               .count = count};
    memcpy(memo->order, command->search.order, command->search.order_count * sizeof(memo->order[0]));
    memcpy(memo->uids, uids, count * sizeof(*uids));
    run->session->sorted = memo;
}

/* 0: one of them is not in the memo, as it was expunged meanwhile. */
static int pick(const struct view *view, const struct sort_memo *memo, const struct search_found *found, uint32_t *uids)
{
    AUTO_FREE uint8_t *is_found = mem_new(view_count(view) / 8 + 1);
    size_t count = 0;
    if (is_found == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < found->count; i++) {
        size_t place = view_find(view, found->uids[i]);
        is_found[place / 8] |= (uint8_t)(1U << place % 8);
    }
    for (size_t i = 0; i < memo->count && count < found->count; i++) {
        size_t number = view_number(view, memo->uids[i]);
        if (number > 0 && (is_found[(number - 1) / 8] & 1U << (number - 1) % 8) != 0)
            uids[count++] = memo->uids[i];
    }
    return count == found->count ? SORT_MEMO_USED : 0;
}

int sort_memo_use(const struct run *run, const struct vault_mailbox *mailbox, const struct search_found *found,
                  uint32_t *uids)
{
    const struct sort_memo *memo = run->session->sorted;
    const struct imap_command *command = run->command;
    if (memo == NULL || memo->mailbox != mailbox->id || memo->uidnext != mailbox->uidnext ||
        !is_same_order(memo, command->search.order, command->search.order_count))
        return 0;
    return pick(run->client->view, memo, found, uids);
}
