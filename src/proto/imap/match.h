#pragma once

#include "mime/message.h"

/* The SEARCH keys that look into a message (RFC 3501 §6.4.4). */
enum imap_match_kind {
    IMAP_MATCH_FROM,
    IMAP_MATCH_TO,
    IMAP_MATCH_CC,
    IMAP_MATCH_BCC,
    IMAP_MATCH_SUBJECT,
    IMAP_MATCH_HEADER, /* any field; an empty text matches where the field is there */
    IMAP_MATCH_BODY,
    IMAP_MATCH_TEXT, /* header, but for fields that are opaque (mime/header.h), or body */
};

enum imap_match_result { IMAP_MATCH_NO = 0, IMAP_MATCH_YES = 1 };

/* One key, its text folded once for many messages. field: for IMAP_MATCH_HEADER only. text: UTF-8. */
struct imap_match;
MUST_USE int imap_match_new(enum imap_match_kind kind, span_t field, span_t text, struct imap_match **ret_match);
void imap_match_free(struct imap_match *match);
SCOPE_OF(imap_match)

enum imap_match_kind imap_match_kind_of(const struct imap_match *match);
span_t imap_match_needle(const struct imap_match *match); /* folded; as long as the match lives */

/* Whether the key needs the body; where not, a header alone will do for imap_match_header. */
bool imap_match_needs_body(const struct imap_match *match);

/* Substring search in decoded, folded text. IMAP_MATCH_YES, IMAP_MATCH_NO, or -ENOMEM. */
MUST_USE int imap_match_message(const struct imap_match *match, const struct mime_part *root);

/* The same for a key that does not need the body. */
MUST_USE int imap_match_header(const struct imap_match *match, span_t header);

/* SENTBEFORE, SENTON, SENTSINCE: the day of the Date field as written, zone disregarded; day: mime_date_days(). A
 * message without a date matches none. */
enum imap_match_sent { IMAP_SENT_BEFORE, IMAP_SENT_ON, IMAP_SENT_SINCE };
bool imap_match_sent(enum imap_match_sent which, int64_t day, span_t header);
