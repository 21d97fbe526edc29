#include "mime/word.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "mime/charset.h"
#include "mime/encoding.h"
#include "mime/header.h"

#define WORD_LEN_MAX 2048U /* far beyond RFC 2047 §2, as some senders are */
#define WORD_BYTES 45U     /* 60 digits of base64 and 12 of frame stay below the 75 of RFC 2047 §2 */

/* An encoded word in place: `=?charset?B?text?=`. */
struct word {
    span_t charset;
    uint8_t encoding; /* 'b' or 'q' */
    span_t text;
    size_t len; /* of all of it */
};

struct decoding {
    struct buf *utf8;
    struct buf bytes;   /* decoded bytes of words that share a charset and stand side by side */
    struct buf scratch; /* their UTF-8 */
    span_t charset;
};

static bool parse_word(span_t rest, struct word *ret_word)
{
    /* Both searches are bounded: a field full of beginnings must not make each of them look at all the rest. */
    span_t at = span_slice(rest, 2, WORD_LEN_MAX);
    size_t mark = span_find_byte(span_upto(at, CHARSET_NAME_MAX), '?');
    ret_word->charset = span_upto(at, mark);
    at = span_from(at, mark + 1);
    if (ret_word->charset.len == 0 || at.len < 2 || at.at[1] != '?')
        return false;
    for (size_t i = 0; i < ret_word->charset.len; i++) {
        if (!ascii_is_print(ret_word->charset.at[i]))
            return false;
    }
    ret_word->encoding = ascii_lower(at.at[0]);
    if (ret_word->encoding != 'b' && ret_word->encoding != 'q')
        return false;
    at = span_from(at, 2);
    size_t end = span_find(at, SPAN("?="));
    if (end == at.len)
        return false;
    ret_word->text = span_upto(at, end);
    if (span_find_byte(ret_word->text, '\n') < end)
        return false;
    ret_word->len = (size_t)(at.at - rest.at) + end + 2;
    /* a language may follow the charset, RFC 2231 §5 */
    ret_word->charset = span_upto(ret_word->charset, span_find_byte(ret_word->charset, '*'));
    return true;
}

static int decode_q(span_t text, struct buf *bytes)
{
    uint8_t *out = NULL;
    int result = buf_reserve(bytes, text.len, &out);
    if (result < 0)
        return result;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        static const char hex[] = "0123456789abcdef";
        if (byte == '=' && text.len - i > 2) {
            const char *high = memchr(hex, ascii_lower(text.at[i + 1]), 16);
            const char *low = memchr(hex, ascii_lower(text.at[i + 2]), 16);
            if (high != NULL && low != NULL) {
                byte = (uint8_t)((high - hex) << 4 | (low - hex));
                i += 2;
            }
        } else if (byte == '_') {
            byte = ' ';
        }
        out[len++] = byte;
    }
    buf_commit(bytes, len);
    return 0;
}

/* Appends text that may hold anything as text without control characters. */
static int append_clean(span_t text, struct buf *utf8)
{
    uint8_t *out = NULL;
    int result = buf_reserve(utf8, text.len, &out);
    if (result < 0 || text.len == 0)
        return result;
    for (size_t i = 0; i < text.len; i++)
        out[i] = text.at[i] < 0x20 || text.at[i] == 0x7f ? ' ' : text.at[i];
    buf_commit(utf8, text.len);
    return 0;
}

static int convert(struct decoding *decoding, span_t charset, span_t bytes)
{
    buf_clear(&decoding->scratch);
    int result = charset_to_utf8(charset, bytes, &decoding->scratch);
    return result < 0 ? result : append_clean(buf_span(&decoding->scratch), decoding->utf8);
}

static int flush_words(struct decoding *decoding)
{
    if (buf_len(&decoding->bytes) == 0)
        return 0;
    int result = convert(decoding, decoding->charset, buf_span(&decoding->bytes));
    buf_clear(&decoding->bytes);
    return result;
}

static int take_word(struct decoding *decoding, const struct word *word)
{
    if (!span_equal_nocase(word->charset, decoding->charset)) {
        int result = flush_words(decoding);
        if (result < 0)
            return result;
        decoding->charset = word->charset;
    }
    if (word->encoding == 'q')
        return decode_q(word->text, &decoding->bytes);
    return mime_decode(MIME_ENCODING_BASE64, word->text, &decoding->bytes);
}

static int take_literal(struct decoding *decoding, span_t text)
{
    int result = flush_words(decoding);
    if (result < 0)
        return result;
    AUTO_BUF struct buf unfolded;
    buf_init(&unfolded, text.len);
    result = mime_field_unfold(text, &unfolded);
    return result < 0 ? result : convert(decoding, SPAN_NONE, buf_span(&unfolded));
}

/* Offset of the next encoded word at or after from; text.len where there is none. */
static size_t next_word(span_t text, size_t from, struct word *ret_word)
{
    while (from < text.len) {
        from += span_find(span_from(text, from), SPAN("=?"));
        if (from >= text.len || parse_word(span_from(text, from), ret_word))
            break;
        from += 2;
    }
    return from < text.len ? from : text.len;
}

static int decode_words(struct decoding *decoding, span_t value)
{
    size_t done = 0;
    bool after_word = false;
    while (done < value.len) {
        struct word word = {.len = 0};
        size_t at = next_word(value, done, &word);
        span_t literal = span_slice(value, done, at - done);
        int result = 0;
        if (literal.len > 0 && (!after_word || at == value.len || span_trim(literal).len > 0))
            result = take_literal(decoding, literal);
        if (result == 0 && at < value.len)
            result = take_word(decoding, &word);
        if (result < 0)
            return result;
        after_word = true;
        done = at < value.len ? at + word.len : at;
    }
    return flush_words(decoding);
}

static bool is_plain(span_t value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < 0x20 || value.at[i] > 0x7e ||
            (value.at[i] == '=' && i + 1 < value.len && value.at[i + 1] == '?'))
            return false;
    }
    return true;
}

int mime_word_decode(span_t value, struct buf *utf8)
{
    value = span_trim(value);
    if (is_plain(value))
        return buf_append(utf8, value);
    struct decoding decoding = {.utf8 = utf8};
    buf_init(&decoding.bytes, value.len + 16);
    buf_init(&decoding.scratch, value.len * 8 + 64);
    int result = decode_words(&decoding, value);
    buf_deinit(&decoding.bytes);
    buf_deinit(&decoding.scratch);
    return result;
}

int mime_word_decode_into(struct arena *arena, span_t value, span_t *ret_utf8)
{
    if (is_plain(value)) {
        *ret_utf8 = span_trim(value);
        return 0;
    }
    AUTO_BUF struct buf utf8;
    buf_init(&utf8, value.len * 8 + 64);
    int result = mime_word_decode(value, &utf8);
    return result < 0 ? -ENOMEM : arena_copy(arena, buf_span(&utf8), ret_utf8);
}

int mime_word_encode(span_t utf8, struct buf *text)
{
    if (is_plain(utf8))
        return buf_append(text, utf8);
    for (size_t at = 0; at < utf8.len;) {
        size_t len = utf8.len - at < WORD_BYTES ? utf8.len - at : WORD_BYTES;
        while (len > 1 && at + len < utf8.len && (utf8.at[at + len] & 0xc0) == 0x80)
            len--;
        buf_append(text, at > 0 ? SPAN("\r\n =?utf-8?B?") : SPAN("=?utf-8?B?"));
        int result = base64_encode(span_slice(utf8, at, len), text);
        if (result < 0)
            return result;
        buf_append(text, SPAN("?="));
        at += len;
    }
    return buf_fault(text);
}
