#pragma once

#include <stdbool.h>

#include "base/result.h"
#include "base/span.h"

/*
 * The head of an HTTP/1.1 request (RFC 9112 §3, §5), read in place. Pure. For a server that has only pages to give:
 * requests with a body are refused, as is what two readers could see differently (folded fields, two hosts).
 */
#define HTTP_REQUEST_MAX 8192U /* bytes, the empty line included */

enum http_request_result {
    HTTP_REQUEST_OK,
    HTTP_REQUEST_PARTIAL, /* its end has not come yet */
    HTTP_REQUEST_MALFORMED,
    HTTP_REQUEST_TOO_LARGE,
};

struct http_request {
    span_t method;
    span_t path; /* without query */
    span_t host; /* of Host, without port; empty where there is none, as HTTP/1.0 may have it */
    bool is_old; /* HTTP/1.0 */
};

/* Spans point into the input. */
MUST_USE enum http_request_result http_request_parse(span_t input, struct http_request *ret_request);
