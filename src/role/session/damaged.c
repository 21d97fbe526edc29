#include "role/session/damaged.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "mime/date.h"
#include "proto/imap/envelope.h"
#include "vault/mailbox.h"
#include "vault/origin.h"

#define FIELD_MAX 900U /* of an envelope's string that is repeated in a header */
#define ORIGIN_TEXT "waxwing damaged record: "
#define ORIGIN_SIZE (sizeof(ORIGIN_TEXT) - 1 + 8)

/* --- the note --- */

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

int damaged_write_note(span_t envelope, int64_t received, uint64_t size, struct buf *message)
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
                             "This stands for a message whose record on the server's disk is damaged, so that it\r\n"
                             "cannot be read; what is known of it is in the header above.\r\n\r\n");
    buf_append_format(message, "It arrived at %.*s and had %llu bytes.\r\n", SPAN_PRINT(buf_span(&arrived)),
                      (unsigned long long)size);
    buf_append_text(message, "Whoever runs the server may have a backup in which it can still be read.\r\n");
    return result < 0 ? result : buf_fault(message);
}

/* --- filing it --- */

int damaged_append(struct task *task, struct session *session, const struct append *append)
{
    struct vault_filed filed;
    int result = append_message(task, session, append, &filed);
    if (result == APPEND_DISK_FULL)
        return -ENOSPC;
    return result == APPEND_STORE_AWAY ? -ENOTCONN : result;
}

/* The note's origin names the record, so that there is one note, however often the record is met. */
int damaged_note_pending(struct task *task, struct session *session, const struct pending_row *row)
{
    AUTO_BUF struct buf message;
    uint8_t origin[ORIGIN_SIZE];
    buf_init(&message, DAMAGED_NOTE_MAX);
    memcpy(origin, ORIGIN_TEXT, sizeof(ORIGIN_TEXT) - 1);
    bytes_put_u64(origin + sizeof(ORIGIN_TEXT) - 1, row->record);
    int result = vault_origin_find(session->vault, span_of(origin, sizeof(origin)));
    if (result != VAULT_NOT_FOUND)
        return result;
    result = damaged_write_note(SPAN_NONE, (int64_t)row->arrival, row->length, &message);
    struct append append = {.mailbox = VAULT_INBOX,
                            .received = (int64_t)row->arrival,
                            .flags = SPAN(""),
                            .message = buf_span(&message),
                            .origin = span_of(origin, sizeof(origin))};
    return result == 0 ? damaged_append(task, session, &append) : result;
}
