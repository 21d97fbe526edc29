#include <errno.h>

#include "role/session/imap/imap.h"
#include "role/session/teach.h"
#include "vault/member.h"

/* COPYUID (RFC 4315 §3): two sets of equal length, source and target in the same order. */
struct copied {
    struct buf source;
    struct buf target;
    struct imap_set_writer from;
    struct imap_set_writer to;
    size_t count;
    struct imap_range made; /* the lowest and the highest UID in the target */
};

#define COPIED_SET_MAX (512U << 10)

static int note(void *arg, uint32_t source, uint32_t target)
{
    struct copied *copied = arg;
    imap_set_writer_add(&copied->from, source);
    imap_set_writer_add(&copied->to, target);
    copied->count++;
    copied->made.first = copied->made.first == 0 ? target : copied->made.first;
    copied->made.last = target;
    return 0;
}

static void copied_init(struct copied *copied)
{
    *copied = (struct copied){0};
    buf_init(&copied->source, COPIED_SET_MAX);
    buf_init(&copied->target, COPIED_SET_MAX);
    imap_set_writer_start(&copied->from, &copied->source);
    imap_set_writer_start(&copied->to, &copied->target);
}

static void write_code(struct copied *copied, uint32_t uidvalidity, struct buf *out)
{
    imap_set_writer_end(&copied->from);
    imap_set_writer_end(&copied->to);
    /* Sets too long to be said are left out: the code is a help, not a duty. */
    bool fits = buf_fault(&copied->source) == 0 && buf_fault(&copied->target) == 0;
    if (copied->count == 0 || !fits)
        return;
    buf_append_format(out, "[COPYUID %u ", uidvalidity);
    buf_append(out, buf_span(&copied->source));
    buf_append_byte(out, ' ');
    buf_append(out, buf_span(&copied->target));
    buf_append_text(out, "] ");
}

static int add_size(void *arg, const struct vault_member *member)
{
    uint64_t *bytes = arg;
    *bytes += member->size;
    return 0;
}

/* Whether the account may hold another copy of these (RFC 9208 §4.3.1); a move adds nothing. */
static int has_room(struct run *run, const struct vault_range *ranges, size_t count, bool *ret_has)
{
    uint64_t bytes = 0;
    int result = 0;
    *ret_has = true;
    if (run->session->quota == 0)
        return 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = vault_member_scan(run->vault, run->client->view->mailbox, ranges[i], add_size, &bytes);
    return result < 0 ? result : run_quota_has_room(run, bytes, ret_has);
}

static int transfer(struct run *run, const struct vault_mailbox *target, bool move, struct copied *copied)
{
    struct vault_range *ranges = NULL;
    size_t count = 0;
    int result = 0;
    if (!run_ranges(run, &ranges, &count, &result))
        return result;
    bool fits = true;
    if (!move)
        result = has_room(run, ranges, count, &fits);
    if (result < 0 || !fits)
        return result < 0 ? result : run_quota_refuse(run);
    result = run_begin(run);
    if (result < 0)
        return result;
    uint64_t source = run->client->view->mailbox;
    struct vault_target there = {.mailbox = target->id, .saved = session_now()};
    result = move ? vault_member_move(run->vault, source, ranges, count, there, note, copied)
                  : vault_member_copy(run->vault, source, ranges, count, there, note, copied);
    result = run_end(run, result);
    if (result != 0)
        return result < 0 ? result : run_refuse(run, result);
    if (target->id == source)
        run->client->made = copied->made;
    const struct teach_move moved = {source, target->id, {copied->made.first, copied->made.last}};
    if (copied->count > 0)
        teach_moved(run->session, &moved);
    struct buf *out = move ? &run->client->out : &run->reply;
    if (move && copied->count > 0) {
        /* RFC 6851 §4.3: before the EXPUNGE responses. */
        buf_append_text(out, "* OK ");
        write_code(copied, target->uidvalidity, out);
        buf_append_text(out, "Moved\r\n");
    }
    if (move)
        return run_ok_modseq(run, source, "Moved");
    buf_clear(out);
    buf_append_text(out, "OK ");
    write_code(copied, target->uidvalidity, out);
    buf_append_text(out, "Copied");
    return buf_fault(out);
}

static int copy_or_move(struct run *run, bool move)
{
    struct vault_mailbox target;
    int result = 0;
    if (!run_find_mailbox(run, run->command->mailbox, "TRYCREATE", &target, &result))
        return result;
    struct copied copied;
    copied_init(&copied);
    result = transfer(run, &target, move, &copied);
    buf_deinit(&copied.source);
    buf_deinit(&copied.target);
    return result;
}

int imap_do_copy(struct task *task, struct run *run)
{
    (void)task;
    return copy_or_move(run, false);
}

int imap_do_move(struct task *task, struct run *run)
{
    (void)task;
    if (run->client->view->read_only)
        return run_no(run, "[READ-ONLY] The mailbox is open for reading only");
    return copy_or_move(run, true);
}
