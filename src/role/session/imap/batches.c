#include "role/session/imap/imap.h"

/*
 * UIDBATCHES (RFC 10022): ranges of UIDs that hold so many messages each, from the highest UID down; the last one
 * reaches down to 1. A message that comes later is in none of them.
 */
#define SIZE_MIN 500U         /* what every server must take (RFC 10022 §3) */
#define MESSAGES_MAX 1000000U /* that one command divides: what an account is made for */

static void write_batch(struct buf *out, const struct view *view, uint32_t size, uint64_t batch, bool is_first)
{
    size_t count = view_count(view);
    uint64_t before = (batch - 1) * size;
    uint64_t behind = batch * size;
    uint32_t high = view_uid(view, count - 1 - (size_t)before);
    uint32_t low = behind < count ? view_uid(view, count - 1 - (size_t)behind) + 1 : 1;
    buf_append_format(out, is_first ? " %u:%u" : ",%u:%u", high, low);
}

int imap_do_uidbatches(struct task *task, struct run *run)
{
    (void)task;
    const struct imap_batches *asked = &run->command->batches;
    const struct view *view = run->client->view;
    struct buf *out = &run->client->out;
    uint64_t first = asked->first > 0 ? asked->first : 1;
    uint64_t last = asked->first > 0 ? asked->last : UINT64_MAX;
    if (asked->size < SIZE_MIN)
        return run_no(run, "[TOOFEW] A batch has 500 messages at least");
    if (first > last)
        return run_bad(run, "[CLIENTBUG] The range of batches is upside down");
    if (asked->first > 0 && (last - first + 1) * asked->size > MESSAGES_MAX)
        return run_no(run, "[TOOMANY] Ask for batches of a million messages at most");
    uint64_t all = (view_count(view) + asked->size - 1) / asked->size;
    buf_append_text(out, "* UIDBATCHES (TAG ");
    imap_write_quoted(out, run->command->tag);
    buf_append_byte(out, ')');
    for (uint64_t batch = first; batch <= last && batch <= all; batch++)
        write_batch(out, view, asked->size, batch, batch == first);
    buf_append_text(out, "\r\n");
    return run_ok(run, "Done");
}
