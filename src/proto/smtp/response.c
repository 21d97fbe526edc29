#include "proto/smtp/response.h"

#include <errno.h>
#include <stdio.h>

/* Digits up to the separator, or to the end where that is 0. */
static bool take_number(span_t *rest, uint8_t separator, uint16_t *ret_number)
{
    span_t digits = *rest;
    uint64_t number;
    if (separator != 0) {
        size_t at = span_find_byte(*rest, separator);
        digits = span_upto(*rest, at);
        if (at == rest->len)
            return false;
        *rest = span_from(*rest, at + 1);
    }
    if (digits.len == 0 || digits.len > 3 || span_to_u64(digits, 999, &number) < 0)
        return false;
    *ret_number = (uint16_t)number;
    return true;
}

/* RFC 2034 §4: in front of the text of every line of a reply 2yz, 4yz, 5yz; the first one counts. */
static span_t take_status(struct smtp_response *response, span_t text)
{
    span_t word = span_upto(text, span_find_byte(text, ' '));
    span_t rest = word;
    uint16_t class_ = 0;
    uint16_t subject = 0;
    uint16_t detail = 0;
    bool is_status = take_number(&rest, '.', &class_) && take_number(&rest, '.', &subject) &&
                     take_number(&rest, 0, &detail) && class_ == response->code / 100;
    if (!is_status)
        return text;
    if (response->class_ == 0) {
        response->class_ = (uint8_t)class_;
        response->subject = subject;
        response->detail = detail;
    }
    return span_trim(span_from(text, word.len));
}

/* It goes into reports and onto terminals: what is not plain there becomes a question mark. */
static void add_text(struct smtp_response *response, span_t text)
{
    if (text.len > 0 && response->text_len > 0 && response->text_len < SMTP_RESPONSE_TEXT_MAX)
        response->text[response->text_len++] = ' ';
    for (size_t i = 0; i < text.len && response->text_len < SMTP_RESPONSE_TEXT_MAX; i++) {
        uint8_t byte = text.at[i];
        response->text[response->text_len++] = byte == ' ' || ascii_is_print(byte) ? byte : '?';
    }
}

int smtp_response_line(struct smtp_response *response, span_t line, span_t *ret_words)
{
    uint64_t code;
    span_t rest = span_trim(line);
    if (!span_ends(line, SPAN("\n")) || response->is_complete || ++response->lines > SMTP_RESPONSE_LINES_MAX)
        return -EBADMSG;
    if (span_to_u64(span_upto(rest, 3), 599, &code) < 0 || rest.len < 3 || code < 200)
        return -EBADMSG;
    if (rest.len > 3 && rest.at[3] != ' ' && rest.at[3] != '-')
        return -EBADMSG;
    if (response->code != 0 && response->code != code)
        return -EBADMSG;
    response->code = (unsigned)code;
    response->is_complete = rest.len == 3 || rest.at[3] == ' ';
    span_t words = span_trim(span_from(rest, 4));
    *ret_words = words;
    add_text(response, take_status(response, words));
    return 0;
}

span_t smtp_response_text(const struct smtp_response *response)
{
    return span_of(response->text, response->text_len);
}

void smtp_response_status(const struct smtp_response *response, char ret_status[SMTP_STATUS_MAX])
{
    unsigned class_ = response->class_ != 0 ? response->class_ : response->code / 100 % 10;
    (void)snprintf(ret_status, SMTP_STATUS_MAX, "%u.%u.%u", class_, response->subject % 1000U,
                   response->detail % 1000U);
}
