#pragma once

#include "mime/message.h"

#define IMAP_REFERENCES_MAX 100U

/* What lists, SORT and THREAD (RFC 5256) need of a message's header. Spans point into the header or the arena. */
struct imap_summary {
    struct mime_date date;
    bool has_date;
    span_t message_id;  /* without < >; at == NULL where absent */
    span_t *references; /* References, or where it has none the first id of In-Reply-To (RFC 5256 §3); the last ones */
    size_t reference_count;
    span_t in_reply_to;  /* first id */
    span_t subject;      /* decoded */
    span_t base_subject; /* RFC 5256 §2.1 */
    bool is_reply;       /* a reply or forward by its subject */
};

/* 0 or -ENOMEM. An arena of IMAP_SUMMARY_ARENA is enough for any header. */
#define IMAP_SUMMARY_ARENA ((size_t)1024 * 1024)
MUST_USE int imap_summary_read(span_t header, struct arena *arena, struct imap_summary *ret_summary);

/* The base subject of a decoded subject. *ret_is_reply: it had re:, fw(d): or a (fwd) trailer. -ENOMEM. */
MUST_USE int imap_base_subject(span_t subject, struct arena *arena, span_t *ret_base, bool *ret_is_reply);
