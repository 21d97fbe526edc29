#include "mime/encoding.h"

#include <string.h>

#include "base/base64.h"

#define BASE64_LINE_BYTES 57U /* 76 digits, RFC 2045 §6.8 */
#define QP_LINE_MAX 76U       /* RFC 2045 §6.7 (5) */

enum mime_encoding mime_encoding_parse(span_t value)
{
    static const struct {
        span_t name;
        enum mime_encoding encoding;
    } rows[] = {
        {{(const uint8_t *)"7bit", 4}, MIME_ENCODING_7BIT},
        {{(const uint8_t *)"8bit", 4}, MIME_ENCODING_8BIT},
        {{(const uint8_t *)"binary", 6}, MIME_ENCODING_BINARY},
        {{(const uint8_t *)"quoted-printable", 16}, MIME_ENCODING_QUOTED_PRINTABLE},
        {{(const uint8_t *)"base64", 6}, MIME_ENCODING_BASE64},
    };
    value = span_trim(value);
    if (value.len == 0)
        return MIME_ENCODING_7BIT;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (span_starts_nocase(value, rows[i].name) &&
            (value.len == rows[i].name.len || !ascii_is_print(value.at[rows[i].name.len]) ||
             value.at[rows[i].name.len] == ';'))
            return rows[i].encoding;
    }
    return MIME_ENCODING_UNKNOWN;
}

void mime_decoder_init(struct mime_decoder *decoder, enum mime_encoding encoding)
{
    decoder->encoding = encoding;
    decoder->bits = 0;
    decoder->digits = 0;
    decoder->held_len = 0;
}

/* Value of each base64 digit plus one; 0 is none. */
static const uint8_t digits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* What an unfinished group still holds: two digits are a byte, three are two. */
static size_t base64_flush(struct mime_decoder *decoder, uint8_t *out)
{
    size_t len = decoder->digits < 2 ? 0 : decoder->digits - 1U;
    uint32_t group = decoder->bits << (6 * (4 - decoder->digits));
    if (len > 0)
        out[0] = (uint8_t)(group >> 16);
    if (len > 1)
        out[1] = (uint8_t)(group >> 8);
    decoder->digits = 0;
    decoder->bits = 0;
    return len;
}

static size_t base64_push(struct mime_decoder *decoder, span_t bytes, uint8_t *out)
{
    const uint8_t *start = out;
    for (size_t i = 0; i < bytes.len; i++) {
        const uint8_t *at = bytes.at + i;
        if (decoder->digits == 0 && bytes.len - i >= 4 && digits[at[0]] != 0 && digits[at[1]] != 0 &&
            digits[at[2]] != 0 && digits[at[3]] != 0) {
            uint32_t group = (digits[at[0]] - 1U) << 18 | (digits[at[1]] - 1U) << 12 | (digits[at[2]] - 1U) << 6 |
                             (digits[at[3]] - 1U);
            *out++ = (uint8_t)(group >> 16);
            *out++ = (uint8_t)(group >> 8);
            *out++ = (uint8_t)group;
            i += 3;
            continue;
        }
        if (*at == '=' && decoder->digits > 0) {
            out += base64_flush(decoder, out);
            continue;
        }
        if (digits[*at] == 0)
            continue;
        decoder->bits = decoder->bits << 6 | (digits[*at] - 1U);
        if (++decoder->digits == 4) {
            *out++ = (uint8_t)(decoder->bits >> 16);
            *out++ = (uint8_t)(decoder->bits >> 8);
            *out++ = (uint8_t)decoder->bits;
            decoder->digits = 0;
            decoder->bits = 0;
        }
    }
    return (size_t)(out - start);
}

static bool is_white(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static uint8_t *qp_flush(struct mime_decoder *decoder, uint8_t *out)
{
    memcpy(out, decoder->held, decoder->held_len);
    out += decoder->held_len;
    decoder->held_len = 0;
    return out;
}

static void qp_hold(struct mime_decoder *decoder, uint8_t byte)
{
    decoder->held[decoder->held_len++] = byte;
}

/* An escape is held: says whether the byte belonged to it. */
static bool qp_escape(struct mime_decoder *decoder, uint8_t byte, uint8_t **out)
{
    bool has_digit = decoder->held_len == 2 && ascii_hex_value(decoder->held[1]) >= 0;
    if (has_digit && ascii_hex_value(byte) >= 0) {
        *(*out)++ = (uint8_t)(ascii_hex_value(decoder->held[1]) << 4 | ascii_hex_value(byte));
        decoder->held_len = 0;
        return true;
    }
    if (decoder->held_len == 1 && ascii_hex_value(byte) >= 0) {
        qp_hold(decoder, byte);
        return true;
    }
    if (!has_digit && byte == '\n') { /* a soft line break, RFC 2045 §6.7 (5), white space before its end forgiven */
        decoder->held_len = 0;
        return true;
    }
    if (!has_digit && is_white(byte) && decoder->held_len < sizeof(decoder->held)) {
        qp_hold(decoder, byte);
        return true;
    }
    *out = qp_flush(decoder, *out);
    return false;
}

static uint8_t *qp_plain(struct mime_decoder *decoder, uint8_t byte, uint8_t *out)
{
    if (is_white(byte)) {
        if (decoder->held_len == sizeof(decoder->held))
            out = qp_flush(decoder, out);
        qp_hold(decoder, byte);
        return out;
    }
    if (byte == '\n') { /* white space at the end of a line is not the author's, RFC 2045 §6.7 (3) */
        if (decoder->held_len > 0 && decoder->held[decoder->held_len - 1] == '\r')
            *out++ = '\r';
        decoder->held_len = 0;
        *out++ = '\n';
        return out;
    }
    out = qp_flush(decoder, out);
    if (byte == '=')
        qp_hold(decoder, byte);
    else
        *out++ = byte;
    return out;
}

static size_t qp_push(struct mime_decoder *decoder, span_t bytes, uint8_t *out)
{
    const uint8_t *start = out;
    for (size_t i = 0; i < bytes.len; i++) {
        if (decoder->held_len > 0 && decoder->held[0] == '=' && qp_escape(decoder, bytes.at[i], &out))
            continue;
        out = qp_plain(decoder, bytes.at[i], out);
    }
    return (size_t)(out - start);
}

int mime_decoder_push(struct mime_decoder *decoder, span_t bytes, struct buf *decoded)
{
    if (bytes.len == 0)
        return 0;
    if (decoder->encoding != MIME_ENCODING_BASE64 && decoder->encoding != MIME_ENCODING_QUOTED_PRINTABLE)
        return buf_append(decoded, bytes);
    uint8_t *out = NULL;
    bool is_base64 = decoder->encoding == MIME_ENCODING_BASE64;
    size_t room = is_base64 ? bytes.len / 4 * 3 + 8 : bytes.len + decoder->held_len;
    int result = buf_reserve(decoded, room, &out);
    if (result < 0)
        return result;
    buf_commit(decoded, is_base64 ? base64_push(decoder, bytes, out) : qp_push(decoder, bytes, out));
    return 0;
}

int mime_decoder_finish(struct mime_decoder *decoder, struct buf *decoded)
{
    uint8_t tail[2];
    if (decoder->encoding == MIME_ENCODING_BASE64)
        return buf_append(decoded, span_of(tail, base64_flush(decoder, tail)));
    if (decoder->encoding != MIME_ENCODING_QUOTED_PRINTABLE)
        return 0;
    bool is_escape = decoder->held_len > 0 && decoder->held[0] == '=';
    bool is_soft = is_escape && (decoder->held_len == 1 || ascii_hex_value(decoder->held[1]) < 0);
    size_t len = is_soft || !is_escape ? 0 : decoder->held_len;
    decoder->held_len = 0;
    return buf_append(decoded, span_of(decoder->held, len));
}

int mime_decode(enum mime_encoding encoding, span_t bytes, struct buf *decoded)
{
    struct mime_decoder decoder;
    mime_decoder_init(&decoder, encoding);
    int result = mime_decoder_push(&decoder, bytes, decoded);
    return result < 0 ? result : mime_decoder_finish(&decoder, decoded);
}

int mime_base64_encode(span_t bytes, struct buf *text)
{
    int result = 0;
    for (size_t i = 0; i < bytes.len && result == 0; i += BASE64_LINE_BYTES) {
        result = base64_encode(span_slice(bytes, i, BASE64_LINE_BYTES), text);
        if (result == 0)
            result = buf_append(text, SPAN("\r\n"));
    }
    return result;
}

/* Bytes of the line end at the front, or 0. */
static size_t line_end(span_t rest)
{
    if (rest.len > 0 && rest.at[0] == '\n')
        return 1;
    return rest.len > 1 && rest.at[0] == '\r' && rest.at[1] == '\n' ? 2 : 0;
}

int mime_quoted_printable_encode(span_t bytes, struct buf *text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t column = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        size_t end = line_end(span_from(bytes, i));
        if (end > 0) {
            buf_append(text, SPAN("\r\n"));
            column = 0;
            i += end - 1;
            continue;
        }
        uint8_t byte = bytes.at[i];
        bool ends = i + 1 == bytes.len || line_end(span_from(bytes, i + 1)) > 0;
        bool plain = byte != '=' && (ascii_is_print(byte) || (ascii_is_space(byte) && !ends));
        size_t width = plain ? 1 : 3;
        if (column + width > QP_LINE_MAX - (ends ? 0U : 1U)) {
            buf_append(text, SPAN("=\r\n"));
            column = 0;
        }
        uint8_t escape[3] = {'=', (uint8_t)hex[byte >> 4], (uint8_t)hex[byte & 15]};
        buf_append(text, plain ? span_of(&byte, 1) : span_of(escape, 3));
        column += width;
    }
    return buf_fault(text);
}
