#pragma once

#include "mime/address.h"
#include "mime/date.h"
#include "mime/encoding.h"
#include "mime/header.h"
#include "mime/param.h"

/*
 * The structure of a message, parsed in place: all spans point into the message (or the arena, where quoting had to be
 * undone), so both must outlive the tree. Nothing in a message is an error: what cannot be understood is a leaf with
 * its bytes, a multipart without a boundary or without parts is a leaf or has one empty part, a part that never ends
 * ends with its parent. Multiparts and message/rfc822 open up to MIME_DEPTH_MAX and MIME_PART_MAX; deeper or later
 * ones are leaves.
 */
#define MIME_DEPTH_MAX 50U
#define MIME_PART_MAX 2000U
/* An arena of this size is always enough for mime_parse. */
#define MIME_ARENA_MAX ((size_t)16 * 1024 * 1024)

struct mime_part {
    struct mime_part *parent;
    struct mime_part *next;  /* sibling */
    struct mime_part *first; /* child: of a multipart its parts, of a message/rfc822 the one message */
    unsigned depth;
    unsigned children;

    size_t header_start; /* offsets into the message */
    size_t body_start;
    span_t header; /* its empty line included */
    span_t body;   /* without the line end before the boundary that ends it (RFC 2046 §5.1.1) */
    size_t header_lines;
    size_t body_lines; /* line ends in body */

    bool is_multipart; /* and opened: body is preamble, children, epilogue */
    bool is_message;   /* message/rfc822 or message/global, and opened: first is the message inside */

    /* Content-Type (RFC 2045 §5); text/plain where absent or unreadable, message/rfc822 inside multipart/digest. Case
     * as in the message. */
    span_t type;
    span_t subtype;
    struct mime_param *params;
    enum mime_encoding encoding;
    /* Raw values; at == NULL where absent. */
    span_t encoding_name;
    span_t id;
    span_t description;
    span_t disposition; /* its type only */
    struct mime_param *disposition_params;
    span_t language;
    span_t location;
    span_t md5;
};

/* 0 or -ENOMEM. The root is the message itself. */
MUST_USE int mime_parse(span_t message, struct arena *arena, struct mime_part **ret_root);

/* In document order: the part after this one below root, or NULL. */
struct mime_part *mime_part_after(const struct mime_part *root, const struct mime_part *part);

bool mime_part_is(const struct mime_part *part, span_t type, span_t subtype); /* subtype SPAN_NONE: any */
