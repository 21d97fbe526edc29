#include "mime/param.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "mime/charset.h"
#include "mime/word.h"

#define PARAM_FIELD_MAX ((size_t)64 * 1024) /* what lies beyond is not looked at */

/* Skips a comment, nested ones with it (RFC 5322 §3.2.2); at the front stands its '('. */
static void skip_comment(span_t *rest)
{
    size_t depth = 0;
    size_t i = 0;
    for (; i < rest->len; i++) {
        uint8_t byte = rest->at[i];
        if (byte == '\\')
            i++;
        else if (byte == '(')
            depth++;
        else if (byte == ')' && --depth == 0)
            break;
    }
    *rest = span_from(*rest, i + 1);
}

static void skip_filler(span_t *rest)
{
    while (rest->len > 0) {
        uint8_t byte = rest->at[0];
        if (byte == '(')
            skip_comment(rest);
        else if (byte == ';' || ascii_is_space(byte) || byte == '\r' || byte == '\n')
            *rest = span_from(*rest, 1);
        else
            return;
    }
}

/* Undoes the escapes and folding of a quoted string's inside. */
static int unquote(span_t inside, struct arena *arena, span_t *ret_value)
{
    if (span_find_byte(inside, '\\') == inside.len && span_find_byte(inside, '\n') == inside.len) {
        *ret_value = inside;
        return 0;
    }
    uint8_t *out = arena_alloc(arena, inside.len);
    if (out == NULL)
        return -ENOMEM;
    size_t len = 0;
    for (size_t i = 0; i < inside.len; i++) {
        uint8_t byte = inside.at[i];
        if (byte == '\\' && i + 1 < inside.len)
            out[len++] = inside.at[++i];
        else if (byte != '\r' && byte != '\n')
            out[len++] = byte;
    }
    *ret_value = span_of(out, len);
    return 0;
}

static int take_quoted(span_t *rest, struct arena *arena, span_t *ret_value)
{
    size_t end = 1;
    while (end < rest->len && rest->at[end] != '"')
        end += rest->at[end] == '\\' ? 2 : 1;
    span_t inside = span_slice(*rest, 1, end > rest->len ? rest->len - 1 : end - 1);
    *rest = span_from(*rest, end + 1);
    *rest = span_from(*rest, span_find_byte(*rest, ';'));
    return unquote(inside, arena, ret_value);
}

/* A value without quotes runs to the semicolon: file names with spaces come that way. A comment ends it. */
static span_t take_bare(span_t *rest)
{
    size_t len = span_find_byte(*rest, ';');
    span_t value = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    for (size_t i = 0; i < value.len; i++) {
        bool is_break = value.at[i] == '\n' || (value.at[i] == '(' && i > 0 && ascii_is_space(value.at[i - 1]));
        if (is_break)
            return span_trim(span_upto(value, i));
    }
    return span_trim(value);
}

static int take_param(span_t *rest, struct arena *arena, struct mime_param *param)
{
    size_t len = 0;
    while (len < rest->len && rest->at[len] != '=' && rest->at[len] != ';')
        len++;
    param->name = span_trim(span_upto(*rest, len));
    *rest = span_from(*rest, len);
    if (rest->len == 0 || rest->at[0] != '=') {
        param->name = SPAN_NONE;
        return 0;
    }
    *rest = span_from(*rest, 1);
    while (rest->len > 0 && span_find_byte(SPAN(" \t\r\n"), rest->at[0]) < 4)
        *rest = span_from(*rest, 1);
    if (rest->len > 0 && rest->at[0] == '"')
        return take_quoted(rest, arena, &param->value);
    param->value = take_bare(rest);
    return 0;
}

int mime_param_parse(span_t rest, struct arena *arena, struct mime_param **ret_params)
{
    struct mime_param *first = NULL;
    struct mime_param **last = &first;
    rest = span_upto(rest, PARAM_FIELD_MAX);
    size_t count = 0;
    for (skip_filler(&rest); rest.len > 0 && count < MIME_PARAM_COUNT_MAX; skip_filler(&rest)) {
        struct mime_param read = {NULL, SPAN_NONE, SPAN_NONE};
        int result = take_param(&rest, arena, &read);
        if (result < 0)
            return result;
        if (read.name.len == 0)
            continue;
        *last = arena_alloc(arena, sizeof(read));
        if (*last == NULL)
            return -ENOMEM;
        **last = read;
        last = &(*last)->next;
        count++;
    }
    *ret_params = first;
    return 0;
}

span_t mime_param_raw(const struct mime_param *params, span_t name)
{
    for (const struct mime_param *param = params; param != NULL; param = param->next) {
        if (span_equal_nocase(param->name, name))
            return param->value.at == NULL ? span_of("", 0) : param->value;
    }
    return SPAN_NONE;
}

/* One piece of an extended parameter: `name*`, `name*0`, `name*0*` (RFC 2231 §3, §4). */
struct piece {
    const struct mime_param *param;
    bool is_escaped;
};

/* Whether the parameter is piece number `number` of name. */
static bool is_piece(const struct mime_param *param, span_t name, uint64_t number, bool *ret_escaped)
{
    span_t rest = param->name;
    if (!span_starts_nocase(rest, name) || rest.len <= name.len || rest.at[name.len] != '*')
        return false;
    rest = span_from(rest, name.len + 1);
    if (rest.len == 0) {
        *ret_escaped = true;
        return number == 0;
    }
    *ret_escaped = rest.at[rest.len - 1] == '*';
    uint64_t found = 0;
    return span_to_u64(span_upto(rest, rest.len - *ret_escaped), MIME_PARAM_COUNT_MAX, &found) == 0 && found == number;
}

static bool find_piece(const struct mime_param *params, span_t name, uint64_t number, struct piece *ret_piece)
{
    for (; params != NULL; params = params->next) {
        if (is_piece(params, name, number, &ret_piece->is_escaped)) {
            ret_piece->param = params;
            return true;
        }
    }
    return false;
}

static int append_unescaped(span_t text, struct buf *bytes)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (byte == '%' && text.len - i > 2 && ascii_hex_value(text.at[i + 1]) >= 0 &&
            ascii_hex_value(text.at[i + 2]) >= 0) {
            byte = (uint8_t)(ascii_hex_value(text.at[i + 1]) << 4 | ascii_hex_value(text.at[i + 2]));
            i += 2;
        }
        buf_append_byte(bytes, byte);
    }
    return buf_fault(bytes);
}

/* Takes `charset'language'` off the first piece. */
static span_t take_charset(span_t *value)
{
    size_t first = span_find_byte(*value, '\'');
    span_t rest = span_from(*value, first + 1);
    size_t second = span_find_byte(rest, '\'');
    if (first == value->len || second == rest.len)
        return SPAN_NONE;
    span_t charset = span_upto(*value, first);
    *value = span_from(rest, second + 1);
    return charset;
}

static int decode_pieces(const struct mime_param *params, span_t name, struct piece piece, struct buf *utf8)
{
    AUTO_BUF struct buf bytes;
    buf_init(&bytes, PARAM_FIELD_MAX);
    span_t charset = SPAN_NONE;
    for (uint64_t number = 0; number == 0 || find_piece(params, name, number, &piece); number++) {
        span_t value = piece.param->value;
        if (number == 0 && piece.is_escaped)
            charset = take_charset(&value);
        if (piece.is_escaped)
            append_unescaped(value, &bytes);
        else
            buf_append(&bytes, value);
    }
    return buf_fault(&bytes) < 0 ? buf_fault(&bytes) : charset_to_utf8(charset, buf_span(&bytes), utf8);
}

int mime_param_decode(const struct mime_param *params, span_t name, struct arena *arena, span_t *ret_utf8)
{
    struct piece piece;
    if (!find_piece(params, name, 0, &piece)) {
        span_t raw = mime_param_raw(params, name);
        if (raw.at != NULL)
            return mime_word_decode_into(arena, raw, ret_utf8);
        *ret_utf8 = SPAN_NONE;
        return 0;
    }
    AUTO_BUF struct buf utf8;
    buf_init(&utf8, PARAM_FIELD_MAX * 8);
    int result = decode_pieces(params, name, piece, &utf8);
    return result < 0 ? -ENOMEM : arena_copy(arena, buf_span(&utf8), ret_utf8);
}
