#pragma once

#include "proto/http/head.h"

/* The content of an HTTP/1.1 message as it comes in, freed of its framing (RFC 9112 §6, §7.1). Pure. */
#define HTTP_CHUNK_LINE_MAX 256U /* of a chunk's size and extensions */
#define HTTP_TRAILER_MAX 8192U   /* of all trailer fields, which are passed over */

enum http_content_result {
    HTTP_CONTENT_PIECE, /* *ret_piece holds at least one byte */
    HTTP_CONTENT_MORE,  /* the input is used up as far as it goes: more must come */
    HTTP_CONTENT_END,   /* all of it was given out; what is left of the input belongs to the next message */
    HTTP_CONTENT_MALFORMED,
};

struct http_content {
    enum http_content_state {
        HTTP_IN_PLAIN,   /* `left` bytes, or up to the end of the connection */
        HTTP_AT_SIZE,    /* before a chunk's size */
        HTTP_IN_CHUNK,   /* `left` bytes of a chunk */
        HTTP_AT_END,     /* before the line end that follows a chunk */
        HTTP_AT_TRAILER, /* before a trailer field, or the empty line */
        HTTP_DONE,
    } state;
    bool is_until_close;
    uint64_t left;
    size_t trailer_len;
};

void http_content_init(struct http_content *content, const struct http_response *response);

/*
 * Takes what it can off the front of *input; the piece points into it. A line that is incomplete stays in the input:
 * the caller keeps it and adds to it.
 */
MUST_USE enum http_content_result http_content_next(struct http_content *content, span_t *input, span_t *ret_piece);

/* The connection has ended: whether that may end the content, too. */
MUST_USE bool http_content_may_end(const struct http_content *content);
