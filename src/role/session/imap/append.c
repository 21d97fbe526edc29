#include <errno.h>

#include "base/mem.h"
#include "crypto/record.h"
#include "role/session/append.h"
#include "role/session/flags.h"
#include "role/session/imap/imap.h"

/*
 * APPEND, of one message or several (RFC 3502), and REPLACE (RFC 8508): what is brought is put together, and filed all
 * at once.
 */
struct brought {
    struct append *appends;
    struct buf *bodies; /* of those made of parts */
    size_t count;
    uint64_t bytes;
};

enum { REFUSED = 1 }; /* NO was said */

static int refuse(struct run *run, const char *text)
{
    int result = run_no(run, text);
    return result < 0 ? result : REFUSED;
}

static int bring_flags(struct run *run, const struct imap_new_message *message, span_t *ret_flags)
{
    struct buf flags AUTO_BUF;
    buf_init(&flags, RECORD_FLAGS_MAX);
    flags_write_command(&message->flags, &flags);
    if (buf_fault(&flags) < 0)
        return refuse(run, "[LIMIT] Too many flags");
    return arena_copy(run->arena, buf_span(&flags), ret_flags);
}

static int bring_one(struct task *task, struct run *run, const struct imap_new_message *message, struct buf *body,
                     struct append *append)
{
    uint64_t max = run->session->conf->smtp_message_max;
    int result = bring_flags(run, message, &append->flags);
    buf_init(body, (size_t)max);
    if (result == 0 && message->part_count > 0)
        result = catenate(task, run, message, max, body);
    if (result != 0)
        return result;
    append->received = message->dated ? message->seconds * 1000000 : session_now();
    append->message = message->part_count > 0 ? buf_span(body) : message->bytes;
    if (append->message.len == 0)
        return refuse(run, "[CANNOT] An empty message"); /* RFC 3502 §6.3.11: it cancels the append */
    return 0;
}

static int bring_all(struct task *task, struct run *run, uint64_t mailbox, struct brought *brought)
{
    uint64_t max = run->session->conf->smtp_message_max + IMAP_LITERAL_MAX;
    for (size_t i = 0; i < run->command->append.count; i++) {
        struct append *append = &brought->appends[i];
        *append = (struct append){.mailbox = mailbox};
        brought->count = i + 1;
        int result = bring_one(task, run, &run->command->append.messages[i], &brought->bodies[i], append);
        if (result != 0)
            return result;
        brought->bytes += append->message.len;
        if (brought->bytes > max)
            return refuse(run, "[LIMIT] Too much in one command");
    }
    return 0;
}

static void brought_deinit(struct brought *brought)
{
    for (size_t i = 0; i < brought->count; i++)
        buf_deinit(&brought->bodies[i]);
}

static int say_outcome(struct run *run, int outcome)
{
    if (outcome == APPEND_DISK_FULL)
        return run_no(run, "[LIMIT] The disk is full");
    if (outcome == APPEND_UNDONE)
        return run_no(run, "[EXPUNGEISSUED] The message is gone"); /* RFC 5530 §3 */
    return run_no(run, "[UNAVAILABLE] Try again later");
}

/* RFC 4315 §3; of several they are a set (RFC 3502 §6.3.11), which rises as they were filed in one transaction. */
static int write_code(struct buf *out, const struct vault_filed *filed, size_t count, const char *text)
{
    struct imap_set_writer uids;
    buf_append_format(out, "OK [APPENDUID %u ", filed[0].uidvalidity);
    imap_set_writer_start(&uids, out);
    for (size_t i = 0; i < count; i++)
        imap_set_writer_add(&uids, filed[i].uid);
    imap_set_writer_end(&uids);
    return buf_append_format(out, "] %s", text);
}

/* What the client knows it has made in the selected mailbox (client.h). */
static void note_made(struct run *run, const struct brought *brought, const struct vault_filed *filed)
{
    const struct view *view = run->client->view;
    if (view != NULL && view->mailbox == brought->appends[0].mailbox)
        run->client->made = (struct imap_range){filed[0].uid, filed[brought->count - 1].uid};
}

/* --- APPEND --- */

static int append(struct task *task, struct run *run, struct brought *brought, struct vault_filed *filed)
{
    bool has_room = false;
    int result = run_quota_has_room(run, brought->bytes, &has_room);
    if (result < 0 || !has_room)
        return result < 0 ? result : run_quota_refuse(run);
    result = brought->count == 1
                 ? append_message(task, run->session, brought->appends, filed)
                 : append_together(task, run->session, brought->appends, brought->count, NULL, NULL, filed);
    if (result != 0)
        return result < 0 ? result : say_outcome(run, result);
    note_made(run, brought, filed);
    buf_clear(&run->reply);
    return write_code(&run->reply, filed, brought->count, "Appended");
}

typedef int bringer(struct task *task, struct run *run, struct brought *brought, struct vault_filed *filed);

static int bring(struct task *task, struct run *run, bringer *then)
{
    size_t count = run->command->append.count;
    struct vault_mailbox mailbox;
    struct brought brought = {.appends = arena_alloc_array(run->arena, count, sizeof(struct append)),
                              .bodies = arena_alloc_array(run->arena, count, sizeof(struct buf))};
    struct vault_filed *filed = arena_alloc_array(run->arena, count, sizeof(*filed));
    int result = brought.appends == NULL || brought.bodies == NULL || filed == NULL ? -ENOMEM : 0;
    if (result < 0 || !run_find_mailbox(run, run->command->mailbox, "TRYCREATE", &mailbox, &result))
        return result;
    result = bring_all(task, run, mailbox.id, &brought);
    if (result == 0)
        result = then(task, run, &brought, filed);
    brought_deinit(&brought);
    return result < 0 ? result : 0;
}

int imap_do_append(struct task *task, struct run *run)
{
    return bring(task, run, append);
}

/* --- REPLACE --- */

struct replaced {
    struct run *run;
    struct vault_range range; /* the one message, in the selected mailbox */
    uint64_t size;
    size_t gone;
};

static int note_size(void *arg, const struct vault_member *member)
{
    struct replaced *replaced = arg;
    replaced->size = member->size;
    return 0;
}

static int note_gone(void *arg, uint32_t uid, uint64_t modseq)
{
    struct replaced *replaced = arg;
    (void)uid;
    (void)modseq;
    replaced->gone++;
    return 0;
}

/* Within the transaction that files the new one. Somebody else may have expunged it while that was stored. */
static int take_out(void *arg)
{
    struct replaced *replaced = arg;
    struct run *run = replaced->run;
    int result = vault_member_expunge(run->vault, run->client->view->mailbox, &replaced->range, 1, VAULT_EXPUNGE_ALL,
                                      note_gone, replaced);
    return result < 0 ? result : result == 0 && replaced->gone == 1 ? 0 : APPEND_UNDONE;
}

/* false: NO or BAD was said, or there was a fault, *ret_result is to be returned. */
static bool find_replaced(struct run *run, struct replaced *ret_replaced, int *ret_result)
{
    struct vault_range *ranges = NULL;
    size_t count = 0;
    if (!run_ranges(run, &ranges, &count, ret_result))
        return false;
    struct replaced replaced = {.run = run};
    if (count == 1) {
        replaced.range = ranges[0];
        *ret_result = vault_member_scan(run->vault, run->client->view->mailbox, ranges[0], note_size, &replaced);
    }
    if (*ret_result == 0 && replaced.size == 0)
        *ret_result = run_no(run, "[NONEXISTENT] No such message"); /* RFC 5530 §3 */
    *ret_replaced = replaced;
    return *ret_result == 0 && replaced.size > 0;
}

static int replace(struct task *task, struct run *run, struct brought *brought, struct vault_filed *filed)
{
    struct replaced replaced = {.run = run};
    bool has_room = false;
    int result = 0;
    if (!find_replaced(run, &replaced, &result))
        return result;
    /* As MOVE, it is not refused where it adds nothing. */
    has_room = brought->bytes <= replaced.size;
    if (!has_room)
        result = run_quota_has_room(run, brought->bytes - replaced.size, &has_room);
    if (result < 0 || !has_room)
        return result < 0 ? result : run_quota_refuse(run);
    result = append_together(task, run->session, brought->appends, 1, take_out, &replaced, filed);
    if (result != 0)
        return result < 0 ? result : say_outcome(run, result);
    note_made(run, brought, filed);
    /* RFC 8508 §4.3: before the EXPUNGE. */
    buf_append_text(&run->client->out, "* ");
    (void)write_code(&run->client->out, filed, 1, "The new message is there\r\n");
    return run_ok_modseq(run, run->client->view->mailbox, "Replaced");
}

int imap_do_replace(struct task *task, struct run *run)
{
    if (run->client->view->read_only)
        return run_no(run, "[READ-ONLY] The mailbox is open for reading only");
    return bring(task, run, replace);
}
