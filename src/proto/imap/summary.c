#include "proto/imap/summary.h"

#include <errno.h>

#include "mime/word.h"

#define SUBJECT_RAW_MAX ((size_t)64 * 1024)
#define BASE_SUBJECT_MAX 1000U /* what threads are told apart by; leaders are taken off one by one */
#define REFERENCES_LEN_MAX ((size_t)64 * 1024)

/* Takes the next `<id>` off the front; without its brackets. */
static bool take_id(span_t *rest, span_t *ret_id)
{
    while (rest->len > 0) {
        *rest = span_from(*rest, span_find_byte(*rest, '<') + 1);
        size_t end = span_find_byte(*rest, '>');
        if (rest->len == 0 || end == rest->len)
            return false;
        *ret_id = span_trim(span_upto(*rest, end));
        *rest = span_from(*rest, end + 1);
        if (ret_id->len > 0)
            return true;
    }
    return false;
}

/* The first id; where a sender left out the brackets, the first word. */
static span_t first_id(span_t value)
{
    span_t id = SPAN_NONE;
    span_t rest = value;
    if (take_id(&rest, &id))
        return id;
    value = span_trim(value);
    size_t len = 0;
    while (len < value.len && ascii_is_print(value.at[len]))
        len++;
    return len == 0 ? SPAN_NONE : span_upto(value, len);
}

static int read_references(span_t header, struct arena *arena, struct imap_summary *summary)
{
    span_t value = mime_field_value(header, SPAN("References"));
    span_t rest = value.len > REFERENCES_LEN_MAX ? span_from(value, value.len - REFERENCES_LEN_MAX) : value;
    span_t count_rest = rest;
    span_t id;
    size_t count = 0;
    while (take_id(&count_rest, &id))
        count++;
    size_t kept = count > IMAP_REFERENCES_MAX ? IMAP_REFERENCES_MAX : count;
    bool has_parent = kept == 0 && summary->in_reply_to.at != NULL;
    summary->references = arena_alloc_array(arena, kept + has_parent, sizeof(id));
    if (summary->references == NULL)
        return -ENOMEM;
    if (has_parent)
        summary->references[summary->reference_count++] = summary->in_reply_to;
    for (size_t i = 0; i < count && take_id(&rest, &id); i++) {
        if (i >= count - kept)
            summary->references[summary->reference_count++] = id;
    }
    return 0;
}

int imap_summary_read(span_t header, struct arena *arena, struct imap_summary *ret_summary)
{
    struct imap_summary summary = {.has_date = false};
    summary.has_date = mime_date_parse(mime_field_value(header, SPAN("Date")), &summary.date) == 0;
    summary.message_id = first_id(mime_field_value(header, SPAN("Message-ID")));
    summary.in_reply_to = SPAN_NONE;
    span_t in_reply_to = mime_field_value(header, SPAN("In-Reply-To"));
    (void)take_id(&in_reply_to, &summary.in_reply_to);
    int result = read_references(header, arena, &summary);
    span_t subject = span_upto(mime_field_value(header, SPAN("Subject")), SUBJECT_RAW_MAX);
    if (result == 0)
        result = mime_word_decode_into(arena, subject, &summary.subject);
    if (result == 0)
        result = imap_base_subject(summary.subject, arena, &summary.base_subject, &summary.is_reply);
    if (result == 0)
        *ret_summary = summary;
    return result;
}

/* subj-blob of RFC 5256 §2.1: `[…] `; its length, or 0. */
static size_t blob_len(span_t subject)
{
    if (subject.len == 0 || subject.at[0] != '[')
        return 0;
    size_t len = 1;
    while (len < subject.len && subject.at[len] != ']' && subject.at[len] != '[')
        len++;
    if (len == subject.len || subject.at[len] != ']')
        return 0;
    for (len++; len < subject.len && ascii_is_space(subject.at[len]);)
        len++;
    return len;
}

/* subj-refwd of RFC 5256 §2.1: `re: `, `fwd [list]: `; its length, or 0. */
static size_t refwd_len(span_t subject)
{
    size_t len = span_starts_nocase(subject, SPAN("fwd"))                                             ? 3
                 : span_starts_nocase(subject, SPAN("re")) || span_starts_nocase(subject, SPAN("fw")) ? 2
                                                                                                      : 0;
    if (len == 0)
        return 0;
    while (len < subject.len && ascii_is_space(subject.at[len]))
        len++;
    len += blob_len(span_from(subject, len));
    return len < subject.len && subject.at[len] == ':' ? len + 1 : 0;
}

/* RFC 5256 §2.1 (1): runs of white space become one space. */
static int collapse_space(span_t subject, struct arena *arena, span_t *ret_subject)
{
    uint8_t *text = arena_alloc(arena, subject.len + 1);
    if (text == NULL)
        return -ENOMEM;
    size_t len = 0;
    for (size_t i = 0; i < subject.len; i++) {
        bool is_space = ascii_is_space(subject.at[i]);
        if (!is_space || (len > 0 && text[len - 1] != ' '))
            text[len++] = is_space ? ' ' : subject.at[i];
    }
    *ret_subject = span_trim(span_of(text, len));
    return 0;
}

/* RFC 5256 §2.1 (2): trailers. */
static span_t drop_trailers(span_t subject, bool *is_reply)
{
    for (;;) {
        subject = span_trim(subject);
        if (subject.len < 5 || !span_equal_nocase(span_from(subject, subject.len - 5), SPAN("(fwd)")))
            return subject;
        subject.len -= 5;
        *is_reply = true;
    }
}

/* RFC 5256 §2.1 (3) to (5): leaders, and blobs that leave something behind. */
static span_t drop_leaders(span_t subject, bool *is_reply)
{
    for (;;) {
        subject = span_trim(subject);
        size_t blobs = 0;
        for (size_t len = 1; len > 0; blobs += len)
            len = blob_len(span_from(subject, blobs));
        size_t refwd = refwd_len(span_from(subject, blobs));
        if (refwd > 0) {
            subject = span_from(subject, blobs + refwd);
            *is_reply = true;
            continue;
        }
        size_t blob = blob_len(subject);
        if (blob == 0 || blob == subject.len)
            return subject;
        subject = span_from(subject, blob);
    }
}

int imap_base_subject(span_t subject, struct arena *arena, span_t *ret_base, bool *ret_is_reply)
{
    span_t base;
    size_t len = subject.len < BASE_SUBJECT_MAX ? subject.len : BASE_SUBJECT_MAX;
    while (len > 0 && len < subject.len && (subject.at[len] & 0xc0) == 0x80)
        len--;
    int result = collapse_space(span_upto(subject, len), arena, &base);
    if (result < 0)
        return result;
    bool is_reply = false;
    for (;;) { /* RFC 5256 §2.1 (6): `[fwd: …]` around all of it */
        base = drop_leaders(drop_trailers(base, &is_reply), &is_reply);
        if (!span_starts_nocase(base, SPAN("[fwd:")) || base.at[base.len - 1] != ']')
            break;
        base = span_slice(base, 5, base.len - 6);
        is_reply = true;
    }
    *ret_base = base;
    *ret_is_reply = is_reply;
    return 0;
}
