#pragma once

#include "base/buf.h"

/*
 * What an IMAP server says, as far as fetching mail needs it (RFC 3501 §7, RFC 9051 §7). Pure. Servers are strangers:
 * anything may come, and what is not understood is passed over. All spans point into the input.
 */
#define IMAP_RESPONSE_LINE_MAX 1048576U /* of all that is no literal */
#define IMAP_RESPONSE_LITERALS 64U      /* in one response */

enum imap_response_outcome {
    IMAP_RESPONSE_WHOLE,
    IMAP_RESPONSE_MORE,
};

/*
 * The length of the first response in the input, its literals and CRLF included. max: of all of it. -EMSGSIZE: longer,
 * or with more literals. Where more is needed *ret_len is how much at least.
 */
MUST_USE int imap_response_measure(span_t input, size_t max, size_t *ret_len);

enum imap_response_kind { IMAP_UNTAGGED, IMAP_TAGGED, IMAP_CONTINUE };

struct imap_response {
    enum imap_response_kind kind;
    span_t tag;
    uint64_t number; /* of `* 5 EXISTS`; else 0 */
    span_t word;     /* OK, LIST, FETCH */
    span_t code;     /* of a status: what stands in its brackets */
    span_t rest;     /* behind the word, and the code */
};

/* From a whole response; -EBADMSG. */
MUST_USE int imap_response_read(span_t response, struct imap_response *ret_response);

struct imap_listed {
    span_t attributes; /* separated by spaces */
    uint8_t delimiter; /* 0: there is none */
    struct buf name;   /* as on the wire; to be deinitialised */
};
/* From the rest of a LIST response (RFC 3501 §7.2.2). -EBADMSG; ret_listed->name is then empty. */
MUST_USE int imap_response_list(span_t rest, struct imap_listed *ret_listed);

struct imap_fetched {
    uint32_t uid; /* 0: not told */
    uint64_t size;
    span_t flags; /* separated by spaces */
    span_t date;  /* INTERNALDATE, without its quotes */
    span_t body;  /* of BODY[]; at is NULL where there is none */
};
/* From the rest of a FETCH response (RFC 3501 §7.4.2). -EBADMSG. */
MUST_USE int imap_response_fetch(span_t rest, struct imap_fetched *ret_fetched);

/* The first personal namespace's prefix (RFC 2342 §5), or nothing. */
MUST_USE int imap_response_namespace(span_t rest, struct buf *prefix);

/* The MESSAGES of a STATUS response (RFC 3501 §7.2.4). -EBADMSG: it does not tell. */
MUST_USE int imap_response_status(span_t rest, uint64_t *ret_messages);

/* Is a word among these, separated by spaces, in any case? */
bool imap_response_has(span_t words, span_t word);

/* INTERNALDATE (RFC 3501 §9, date-time) as seconds since 1970; -EINVAL. */
MUST_USE int imap_response_date(span_t date, int64_t *ret_seconds);
