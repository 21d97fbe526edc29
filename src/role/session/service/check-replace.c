#include <errno.h>
#include <string.h>

#include "role/session/append.h"
#include "role/session/damaged.h"
#include "role/session/service/check.h"
#include "role/session/flags.h"
#include "role/session/message.h"
#include "vault/member.h"
#include "vault/outbox.h"

#define PIECE 4096U /* as finely as a disk loses bytes */
#define LINE 76U
#define FLAGS_TEXT_MAX 65536U

/* --- what can still be read --- */

/* As long as what was lost, so that all that follows stays in its place. */
static void append_blank(struct buf *bytes, uint64_t len)
{
    for (uint64_t at = 0; at < len; at++)
        buf_append_byte(bytes, at % LINE == LINE - 2 ? '\r' : at % LINE == LINE - 1 ? '\n' : '?');
}

int check_salvage(struct task *task, struct session *session, const struct vault_place *place, struct buf *message)
{
    AUTO(message) struct message *source = NULL;
    int result = message_open(task, session, place, &source);
    if (result < 0)
        return result;
    uint64_t len = message_len(source);
    uint64_t lost = 0;
    buf_append_text(message,
                    "X-Waxwing-Damaged: pieces of this message were lost on the disk and are question marks\r\n");
    for (uint64_t at = 0; at < len; at += PIECE) {
        uint64_t piece = len - at < PIECE ? len - at : PIECE;
        size_t before = buf_len(message);
        result = message_read(source, at, piece, message);
        if (result == -EBADMSG || result == -EIO) {
            buf_truncate(message, before);
            append_blank(message, piece);
            lost += piece;
        } else if (result < 0) {
            return result;
        }
        if (at % (PIECE * 16) == 0 && (result = task_yield(task)) < 0)
            return result;
    }
    return lost == len ? -EBADMSG : buf_fault(message);
}

/* --- filing --- */

struct place_of {
    uint64_t mailbox;
    uint32_t uid;
    struct vault_member member;
    bool is_found;
};

static int take_first(void *arg, uint64_t mailbox, uint32_t uid)
{
    struct place_of *place = arg;
    place->mailbox = mailbox;
    place->uid = uid;
    place->is_found = true;
    return 1; /* one is enough */
}

static int take_member(void *arg, const struct vault_member *member)
{
    ((struct place_of *)arg)->member = *member;
    return 0;
}

static int expunge(struct check *check, const struct place_of *place)
{
    struct vault *vault = check->session->vault;
    const struct vault_range range = {place->uid, place->uid};
    int result = vault_begin(vault, VAULT_DURABLE);
    if (result == 0)
        result = vault_member_expunge(vault, place->mailbox, &range, 1, VAULT_EXPUNGE_ALL, NULL, NULL);
    if (result == 0)
        result = vault_commit(vault);
    if (result != 0)
        vault_rollback(vault);
    else
        session_changed(check->session);
    return result;
}

/* In first, then out: a crash in between leaves both, never neither. */
static int replace_one(struct check *check, const struct place_of *place, span_t message)
{
    AUTO_BUF struct buf flags;
    buf_init(&flags, FLAGS_TEXT_MAX);
    flags_write(check->session->vault, place->member.flags, false, &flags);
    struct append append = {
        .mailbox = place->mailbox, .received = place->member.received, .flags = buf_span(&flags), .message = message};
    int result = buf_fault(&flags);
    if (result == 0)
        result = damaged_append(check->task, check->session, &append);
    return result == 0 ? expunge(check, place) : result;
}

static int write_stand_in(struct check *check, const struct vault_email *email, struct buf *message)
{
    span_t envelope = SPAN_NONE;
    span_t structure = SPAN_NONE;
    buf_init(message, email->place.length + DAMAGED_NOTE_MAX);
    int result = check_salvage(check->task, check->session, &email->place, message);
    if (result != -EBADMSG && result != -ENOENT && result != -EIO)
        return result;
    buf_clear(message);
    result = vault_email_get_cache(check->session->vault, email->id, &envelope, &structure);
    if (result != 0)
        envelope = SPAN_NONE;
    return damaged_write_note(envelope, email->received, email->size, message);
}

int check_replace(struct check *check, const struct vault_email *email)
{
    AUTO_BUF struct buf message;
    struct vault *vault = check->session->vault;
    int result = write_stand_in(check, email, &message);
    for (int i = 0; result == 0 && i < VAULT_MAILBOXES_OF_EMAIL_MAX; i++) {
        struct place_of place = {0};
        result = vault_email_mailboxes(vault, email->id, take_first, &place);
        if (result < 0 || !place.is_found)
            break;
        const struct vault_range range = {place.uid, place.uid};
        result = vault_member_scan(vault, place.mailbox, range, take_member, &place);
        if (result == 0)
            result = replace_one(check, &place, buf_span(&message));
    }
    return result;
}

int check_replace_pending(struct check *check, const struct pending_row *row)
{
    int result = damaged_note_pending(check->task, check->session, row);
    if (result == 0)
        result = vault_outbox_add(check->session->vault, row->record);
    if (result == 0)
        session_changed(check->session);
    return result;
}
