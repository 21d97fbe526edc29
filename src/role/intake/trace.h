#pragma once

#include "base/buf.h"
#include "mime/date.h"

/*
 * The header lines a delivery adds and removes. Pure: bytes in, bytes out.
 */
#define TRACE_RECEIVED_MAX 50U /* more Received lines than this are a loop (RFC 5321 §6.3) */
#define TRACE_ADDED_MAX 16384U

struct trace_delivery {
    bool submission; /* from one of our own: its address and host name are not shown (RFC 6409 §8) */
    bool report;     /* a report of our own, complete as it is: it is received from nobody */
    bool hides;      /* submission: what the client says of its software, address and time zone goes */
    bool tls;
    bool utf8;     /* SMTPUTF8 was asked for (RFC 6531 §3.7.3) */
    span_t client; /* network address as text */
    span_t helo;
    span_t cipher;         /* of TLS, as IANA calls it; or empty */
    span_t sender;         /* empty for <> */
    span_t for_address;    /* or empty */
    span_t hostname;       /* ours */
    span_t results;        /* Authentication-Results, a whole field; or empty */
    span_t findings;       /* whole fields of filters; or empty */
    const span_t *removed; /* names of further fields to take out */
    size_t removed_count;
    uint64_t id;
    int64_t now_seconds; /* since 1970 */
};

struct trace_facts {
    size_t header_len; /* with the empty line at its end, if there is one */
    uint32_t received;
    bool has_date;
    bool has_message_id;
    bool has_version; /* MIME-Version */
    bool knows_date;  /* and it can be read: */
    struct mime_date date;
    bool has_resent; /* Resent-Date: the same */
    bool knows_resent;
    struct mime_date resent;
};

/* Looks over the message's header. Any bytes are a message; what is no header line ends the header. */
void trace_scan(span_t message, struct trace_facts *ret_facts);

/*
 * The lines to put in front: Return-Path (RFC 5321 §4.4), the results, Received, and on submission Date and Message-ID
 * where they are missing (RFC 6409 §8.1, §8.2). Where the client hides, Date and Resent-Date anew in UTC, MIME-Version
 * without the comment in which programs name themselves, and a Received without names for each that it brought along.
 * -ENOBUFS, -ENOMEM.
 */
MUST_USE int trace_write(const struct trace_delivery *delivery, const struct trace_facts *facts, struct buf *lines);

/*
 * Takes header fields out of the message in place: Return-Path always (RFC 5321 §4.4), Bcc on submission (RFC 5322
 * §3.6.3), where the client hides, what trace_write() writes anew and what names its software or address, and
 * Authentication-Results in our name, which only we may write (RFC 8601 §5), and those named. What is left ends where
 * it ended before; returns by how many bytes it begins later.
 */
size_t trace_strip(uint8_t *message, size_t len, const struct trace_delivery *delivery);
