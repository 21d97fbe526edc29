#pragma once

#include <stdbool.h>

#include "base/span.h"

/*
 * What another server answers (RFC 5321 §4.2): one line after the other into a response. Pure.
 */
#define SMTP_RESPONSE_LINE_MAX 2048U /* RFC 5321 §4.5.3.1.5 says 512; some say more */
#define SMTP_RESPONSE_LINES_MAX 256U
#define SMTP_RESPONSE_TEXT_MAX 400U

struct smtp_response {
    unsigned code;    /* 0: none yet */
    uint8_t class_;   /* of the enhanced status code (RFC 2034 §4), 0: there is none */
    uint16_t subject; /* at most 999 */
    uint16_t detail;
    size_t lines;
    bool is_complete;
    size_t text_len;
    uint8_t text[SMTP_RESPONSE_TEXT_MAX]; /* printable, without codes; lines are separated by a space; may be cut */
};

/*
 * One line, CRLF included, of a response that is not complete; a response of zeros is a fresh one. -EBADMSG where it is
 * no reply, or does not go with the lines before it. *ret_words: what stands behind the code, into line (EHLO).
 */
MUST_USE int smtp_response_line(struct smtp_response *response, span_t line, span_t *ret_words);

span_t smtp_response_text(const struct smtp_response *response);

/* The enhanced status code: what was said, where it goes with the reply's first digit, else x.0.0 after that digit. */
#define SMTP_STATUS_MAX 12U
void smtp_response_status(const struct smtp_response *response, char ret_status[SMTP_STATUS_MAX]);
