#include <errno.h>
#include <string.h>

#include "mime/date.h"
#include "proto/imap/envelope.h"
#include "role/session/append.h"
#include "role/session/service/check.h"
#include "role/session/flags.h"
#include "role/session/message.h"
#include "vault/mailbox.h"
#include "vault/member.h"
#include "vault/outbox.h"

#define PIECE 4096U /* as finely as a disk loses bytes */
#define LINE 76U
#define NOTE_MAX 65536U
#define FLAGS_TEXT_MAX 65536U
#define FIELD_MAX 900U /* of an envelope's string that is repeated in a header */

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

/* --- a note, where nothing can --- */

/* An nstring (RFC 9051 §9) of the envelope; false where there is none. Quoted ones keep their backslashes out. */
static bool cut_string(span_t *rest, struct buf *value)
{
    buf_clear(value);
    *rest = span_trim(*rest);
    if (span_starts(*rest, SPAN("NIL"))) {
        *rest = span_from(*rest, 3);
        return true;
    }
    if (!span_starts(*rest, SPAN("\"")))
        return false; /* a literal: too long or too strange to be repeated */
    size_t at = 1;
    for (; at < rest->len && rest->at[at] != '"'; at++) {
        if (rest->at[at] == '\\' && at + 1 < rest->len)
            at++;
        buf_append_byte(value, rest->at[at]);
    }
    *rest = span_from(*rest, at + 1);
    return buf_fault(value) == 0;
}

static void append_field(struct buf *message, const char *name, const char *otherwise, const struct buf *value)
{
    buf_append_text(message, name);
    if (buf_len(value) > 0)
        buf_append(message, buf_span(value));
    else
        buf_append_text(message, otherwise);
    buf_append_text(message, "\r\n");
}

/* The first sender of `((name route mailbox host) …)`. */
static void append_sender(struct buf *message, span_t from, struct buf *value)
{
    AUTO_BUF struct buf name;
    AUTO_BUF struct buf local;
    buf_init(&name, FIELD_MAX);
    buf_init(&local, FIELD_MAX);
    from = span_trim(from);
    bool is_there = span_starts(from, SPAN("(("));
    from = span_from(from, 2);
    is_there = is_there && cut_string(&from, &name) && cut_string(&from, value) && cut_string(&from, &local) &&
               cut_string(&from, value) && buf_len(&local) > 0 && buf_len(value) > 0;
    if (!is_there) {
        buf_append_text(message, "From: unknown sender <unknown@invalid>\r\n");
        return;
    }
    buf_append_text(message, "From: ");
    if (buf_len(&name) > 0) {
        (void)imap_string_append(buf_span(&name), message); /* quoted, which RFC 5322 §3.2.4 has alike */
        buf_append_byte(message, ' ');
    }
    buf_append_byte(message, '<');
    buf_append(message, buf_span(&local));
    buf_append_byte(message, '@');
    buf_append(message, buf_span(value));
    buf_append_text(message, ">\r\n");
}

int check_write_note(span_t envelope, int64_t received, uint64_t size, struct buf *message)
{
    AUTO_BUF struct buf date;
    AUTO_BUF struct buf value;
    AUTO_BUF struct buf arrived;
    buf_init(&date, FIELD_MAX);
    buf_init(&value, FIELD_MAX);
    buf_init(&arrived, FIELD_MAX);
    const struct mime_date moment = {.unix_time = received / 1000000};
    int result = mime_date_format(&moment, &arrived);
    span_t rest = span_starts(envelope, SPAN("(")) ? span_from(envelope, 1) : SPAN_NONE;
    bool has_date = cut_string(&rest, &date);
    span_t sent = has_date && buf_len(&date) > 0 ? buf_span(&date) : buf_span(&arrived);
    buf_append_text(message, "Date: ");
    buf_append(message, sent);
    buf_append_text(message, "\r\n");
    bool has_subject = has_date && cut_string(&rest, &value);
    append_field(message, "Subject: [damaged] ", "a message that was lost", &value);
    append_sender(message, has_subject ? rest : SPAN_NONE, &value);
    buf_append_text(message, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n"
                             "Auto-Submitted: auto-generated\r\n\r\n"
                             "A message stood here. Its record on the server's disk was damaged, so that it can\r\n"
                             "not be read any more; what is known of it stands in the header above.\r\n\r\n");
    buf_append_format(message, "It arrived at %.*s and had %llu bytes.\r\n", SPAN_PRINT(buf_span(&arrived)),
                      (unsigned long long)size);
    buf_append_text(message, "Whoever runs the server may have a backup in which it can still be read.\r\n");
    return result < 0 ? result : buf_fault(message);
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

static int append_like(struct check *check, const struct append *append)
{
    struct vault_filed filed;
    int result = append_message(check->task, check->session, append, &filed);
    if (result == APPEND_DISK_FULL)
        return -ENOSPC;
    return result == APPEND_STORE_AWAY ? -ENOTCONN : result;
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
        result = append_like(check, &append);
    return result == 0 ? expunge(check, place) : result;
}

static int write_stand_in(struct check *check, const struct vault_email *email, struct buf *message)
{
    span_t envelope = SPAN_NONE;
    span_t structure = SPAN_NONE;
    buf_init(message, email->place.length + NOTE_MAX);
    int result = check_salvage(check->task, check->session, &email->place, message);
    if (result != -EBADMSG && result != -ENOENT && result != -EIO)
        return result;
    buf_clear(message);
    result = vault_email_get_cache(check->session->vault, email->id, &envelope, &structure);
    if (result != 0)
        envelope = SPAN_NONE;
    return check_write_note(envelope, email->received, email->size, message);
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

int check_replace_pending(struct check *check, uint64_t record, int64_t received, uint64_t size)
{
    AUTO_BUF struct buf message;
    buf_init(&message, NOTE_MAX);
    int result = check_write_note(SPAN_NONE, received, size, &message);
    struct append append = {
        .mailbox = VAULT_INBOX, .received = received, .flags = SPAN(""), .message = buf_span(&message)};
    if (result == 0)
        result = append_like(check, &append);
    if (result == 0)
        result = vault_outbox_add(check->session->vault, record);
    if (result < 0)
        return result;
    session_changed(check->session);
    return 0;
}
