#pragma once

#include "base/buf.h"
#include "role/courier/note.h"

/*
 * The text of a report to a sender on what has become of his message (RFC 3464, in a multipart/report of RFC 6522; with
 * addresses beyond ASCII, RFC 6533). Pure.
 */
struct report_recipient {
    span_t address;
    span_t orcpt;            /* type and xtext, as RCPT had it, or empty */
    enum note_status status; /* NOTE_OPEN: delayed */
    const struct smtp_response *response;
    span_t host; /* that said so, or empty */
};

struct report {
    span_t hostname; /* ours */
    span_t to;       /* the sender */
    span_t envid;    /* xtext, or empty */
    bool is_utf8;
    int64_t arrived; /* seconds since 1970 */
    int64_t now;
    int64_t until; /* delayed: when it will be given up */
    uint64_t id;   /* random */
    const struct report_recipient *recipients;
    size_t count;
    span_t original; /* the message, or its header */
    bool is_whole;
};

/* The whole message, header and body. -ENOBUFS, -ENOMEM. */
MUST_USE int report_write(const struct report *report, struct buf *text);
