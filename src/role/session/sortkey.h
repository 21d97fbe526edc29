#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "proto/imap/summary.h"

/*
 * What SORT and THREAD (RFC 5256) need of a message, as the vault keeps it (vault/sorting.h): some hundred bytes. Pure.
 * Texts are folded, so that comparing bytes is comparing letters (RFC 5051), and cut after SORT_TEXT_MAX bytes.
 */
#define SORT_TEXT_MAX 254U

enum sort_text {
    SORT_TEXT_SUBJECT, /* the base subject (RFC 5256 §2.1) */
    SORT_TEXT_FROM,    /* the first address of each: what stands before its @ */
    SORT_TEXT_TO,
    SORT_TEXT_CC,
    SORT_TEXT_DISPLAYFROM, /* its name, or where it has none all of it (RFC 5957 §3) */
    SORT_TEXT_DISPLAYTO,
    SORT_TEXT_COUNT
};

struct sort_key {
    int64_t date; /* Date, in seconds since 1970 */
    bool has_date;
    bool is_reply; /* by its subject */
    bool has_id;
    uint64_t id;              /* hash of its Message-ID */
    const uint8_t *reference; /* hashes of what it refers to, the oldest first; sort_key_reference() */
    size_t reference_count;
    span_t texts[SORT_TEXT_COUNT];
};

/* envelope: imap_envelope_append of the same header. Appends at most VAULT_SORTING_MAX. 0, -ENOMEM, buf's fault. */
MUST_USE int sort_key_append(const struct imap_summary *summary, span_t envelope, const uint8_t hash_key[16],
                             struct arena *scratch, struct buf *bytes);

/* Made of a header, which may be empty; scratch is reset. As above. */
MUST_USE int sort_key_of_header(span_t header, const uint8_t hash_key[16], struct arena *scratch, struct buf *bytes);

/* Spans point into the bytes. false: they are no key. */
bool sort_key_read(span_t bytes, struct sort_key *ret_key);
uint64_t sort_key_reference(const struct sort_key *key, size_t at);
