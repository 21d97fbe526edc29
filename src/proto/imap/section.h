#pragma once

#include "mime/message.h"

#define IMAP_SECTION_DEPTH_MAX 100U
#define IMAP_SECTION_FIELDS_MAX 500U

enum imap_section_kind {
    IMAP_SECTION_ALL, /* [] or [1.2] */
    IMAP_SECTION_HEADER,
    IMAP_SECTION_FIELDS,     /* HEADER.FIELDS (…) */
    IMAP_SECTION_FIELDS_NOT, /* HEADER.FIELDS.NOT (…) */
    IMAP_SECTION_TEXT,
    IMAP_SECTION_MIME,
};

/* `section` of RFC 3501 §9, and the partial range after it. */
struct imap_section {
    enum imap_section_kind kind;
    uint32_t path[IMAP_SECTION_DEPTH_MAX];
    size_t depth;
    span_t *fields;
    size_t field_count;
    bool has_partial;
    uint64_t partial_start; /* RFC 9051 §9: number64 */
    uint64_t partial_len;
};

enum imap_section_result {
    IMAP_SECTION_BAD = 1, /* not a section */
    IMAP_SECTION_ABSENT,  /* the message has no such part: NIL */
};

/*
 * Takes `[…]` and, where it follows, `<start.len>` off the front of *rest. Field names may be atoms, quoted strings or
 * literals whose bytes stand in rest. Names point into rest or the arena. 0, IMAP_SECTION_BAD, -ENOMEM.
 */
MUST_USE int imap_section_parse(span_t *rest, struct arena *arena, struct imap_section *ret_section);

/* Appends it as FETCH responses name it: `[1.2.HEADER.FIELDS (FROM)]<7>` (RFC 3501 §7.4.2). */
int imap_section_append(const struct imap_section *section, struct buf *line);

/*
 * What a section holds. Most are a range of the message, in place; filtered header fields are built into scratch. The
 * partial range is applied; beyond the end it is empty. *ret_bytes is valid as long as message and scratch.
 * 0, IMAP_SECTION_ABSENT, the buffer's fault.
 */
MUST_USE int imap_section_read(const struct mime_part *root, span_t message, const struct imap_section *section,
                               struct buf *scratch, span_t *ret_bytes);

/* The part a path names (RFC 3501 §6.4.5), or NULL; depth 0 is the message. */
const struct mime_part *imap_section_part(const struct mime_part *root, const uint32_t *path, size_t depth);
