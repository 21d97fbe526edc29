#pragma once

#include "base/result.h"
#include "base/span.h"

/*
 * The head of an HTTP/1.1 response (RFC 9112 §4, §5), read in place. Pure. Lines may end in a bare LF (RFC 9112 §2.2);
 * folded fields, white space before a colon, and lengths that contradict each other are refused: two readers could see
 * two different responses in them.
 */
#define HTTP_HEAD_MAX 32768U /* bytes, the empty line included */
#define HTTP_FIELDS_MAX 100U

enum http_head_result {
    HTTP_HEAD_OK,
    HTTP_HEAD_PARTIAL, /* its end has not come yet */
    HTTP_HEAD_MALFORMED,
};

enum http_framing {
    HTTP_NO_BODY, /* 1xx, 204, 304 (RFC 9112 §6.3) */
    HTTP_LENGTH,
    HTTP_CHUNKED,
    HTTP_UNTIL_CLOSE,
};

struct http_response {
    unsigned status; /* 100 to 599 */
    enum http_framing framing;
    uint64_t length; /* HTTP_LENGTH */
    bool is_last;    /* the connection ends with it */
    size_t head_len; /* of status line, fields and the empty line */
    span_t fields;   /* all of them, line ends included */
};

/* Spans point into the input. */
MUST_USE enum http_head_result http_response_parse(span_t input, struct http_response *ret_response);

/* The first field of that name, in any case, trimmed; SPAN_NONE where there is none. */
span_t http_field(span_t fields, const char *name);
