#include "mime/text.h"

#include <errno.h>
#include <stdlib.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "base/mem.h"
#include "mime/charset.h"
#include "mime/html.h"

#define CHUNK_RAW ((size_t)32 * 1024)
#define CHUNK_MAX ((size_t)1024 * 1024) /* of UTF-8 that a chunk can become in any charset */
#define FOLD_UNITS 64

struct mime_text {
    span_t rest;
    bool is_done;
    struct mime_decoder decoder;
    struct charset_reader *reader;
    struct buf decoded;
    struct buf utf8;
};

int mime_text_new(const struct mime_part *part, struct mime_text **ret_text)
{
    AUTO(mime_text) struct mime_text *text = mem_new(sizeof(*text));
    if (text == NULL)
        return -ENOMEM;
    text->rest = part->body;
    mime_decoder_init(&text->decoder, part->encoding);
    buf_init(&text->decoded, CHUNK_MAX);
    buf_init(&text->utf8, CHUNK_MAX);
    int result = charset_reader_new(mime_param_raw(part->params, SPAN("charset")), &text->reader);
    if (result < 0)
        return result;
    *ret_text = TAKE(text);
    return 0;
}

void mime_text_free(struct mime_text *text)
{
    if (text == NULL)
        return;
    charset_reader_free(text->reader);
    buf_deinit(&text->decoded);
    buf_deinit(&text->utf8);
    free(text);
}

static int read_chunk(struct mime_text *text)
{
    buf_clear(&text->decoded);
    text->is_done = text->rest.len == 0;
    int result = mime_decoder_push(&text->decoder, span_upto(text->rest, CHUNK_RAW), &text->decoded);
    text->rest = span_from(text->rest, CHUNK_RAW);
    if (result == 0 && text->is_done)
        result = mime_decoder_finish(&text->decoder, &text->decoded);
    if (result == 0)
        result = charset_reader_push(text->reader, buf_span(&text->decoded), &text->utf8);
    if (result == 0 && text->is_done)
        result = charset_reader_finish(text->reader, &text->utf8);
    return result;
}

int mime_text_next(struct mime_text *text, span_t *ret_chunk)
{
    buf_clear(&text->utf8);
    while (!text->is_done && buf_len(&text->utf8) == 0) {
        int result = read_chunk(text);
        if (result < 0)
            return -ENOMEM;
    }
    *ret_chunk = buf_span(&text->utf8);
    return 0;
}

int mime_text_append(const struct mime_part *part, struct buf *utf8)
{
    AUTO(mime_text) struct mime_text *text = NULL;
    int result = mime_text_new(part, &text);
    while (result == 0) {
        span_t chunk;
        result = mime_text_next(text, &chunk);
        if (result < 0 || chunk.len == 0)
            break;
        size_t room = utf8->max - buf_len(utf8);
        result = chunk.len <= room ? buf_append(utf8, chunk) : -ENOBUFS;
        if (result == -ENOBUFS) { /* what fits, in whole characters */
            size_t fits = room < chunk.len ? room : chunk.len;
            while (fits > 0 && fits < chunk.len && (chunk.at[fits] & 0xc0) == 0x80)
                fits--;
            buf_append(utf8, span_upto(chunk, fits));
        }
    }
    return result;
}

int mime_text_append_shown(const struct mime_part *part, struct buf *utf8)
{
    if (!mime_part_is(part, SPAN("text"), SPAN("html")))
        return mime_text_append(part, utf8);
    struct buf html AUTO_BUF;
    buf_init(&html, utf8->max);
    int cut = mime_text_append(part, &html);
    if (cut < 0 && cut != -ENOBUFS)
        return cut;
    int result = mime_html_text(buf_span(&html), utf8);
    return result < 0 ? result : cut;
}

bool mime_text_is_in(const struct mime_part *part)
{
    if (mime_part_is(part, SPAN("text"), SPAN_NONE))
        return true;
    bool is_container =
        mime_part_is(part, SPAN("message"), SPAN_NONE) || mime_part_is(part, SPAN("multipart"), SPAN_NONE);
    return is_container && part->first == NULL; /* one that was not opened is read as text */
}

static bool is_mark(uint32_t character)
{
    int8_t type = u_charType((UChar32)character);
    return type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK;
}

static int append_units(const UChar *units, int32_t count, struct buf *folded)
{
    for (int32_t i = 0; i < count; i++) {
        uint32_t character = units[i];
        bool is_high = (character & 0xfc00U) == 0xd800U;
        if (is_high && i + 1 < count && (units[i + 1] & 0xfc00U) == 0xdc00U)
            character = 0x10000U + ((character & 0x3ffU) << 10) + (units[++i] & 0x3ffU);
        else if ((character & 0xf800U) == 0xd800U)
            character = UTF8_REPLACEMENT;
        if (!is_mark(character))
            utf8_append(character, folded);
    }
    return buf_fault(folded);
}

/* UTF-16 of one character; how many units. */
static int32_t to_units(uint32_t character, UChar units[2])
{
    if (character < 0x10000) {
        units[0] = (UChar)character;
        return 1;
    }
    units[0] = (UChar)(0xd7c0U + (character >> 10));
    units[1] = (UChar)(0xdc00U | (character & 0x3ffU));
    return 2;
}

static int fold_character(const UNormalizer2 *normalizer, uint32_t character, struct buf *folded)
{
    UChar source[FOLD_UNITS];
    UChar target[FOLD_UNITS];
    UErrorCode status = U_ZERO_ERROR;
    int32_t count = unorm2_getDecomposition(normalizer, (UChar32)character, source, FOLD_UNITS, &status);
    if (count < 0 || U_FAILURE(status))
        count = to_units(character, source);
    status = U_ZERO_ERROR;
    int32_t len = u_strFoldCase(target, FOLD_UNITS, source, count, U_FOLD_CASE_DEFAULT, &status);
    return U_FAILURE(status) || len > FOLD_UNITS ? append_units(source, count, folded)
                                                 : append_units(target, len, folded);
}

static int fold_ascii(span_t run, struct buf *folded)
{
    uint8_t *out = NULL;
    int result = buf_reserve(folded, run.len, &out);
    if (result < 0)
        return result;
    for (size_t i = 0; i < run.len; i++) {
        uint8_t byte = run.at[i];
        out[i] = (uint8_t)(byte + ((uint8_t)(byte - 'A') < 26U ? 32U : 0U));
    }
    buf_commit(folded, run.len);
    return 0;
}

int mime_text_fold(span_t utf8, struct buf *folded)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *normalizer = unorm2_getNFKDInstance(&status);
    if (U_FAILURE(status))
        return -ENOMEM;
    while (utf8.len > 0 && buf_fault(folded) == 0) {
        size_t run = ascii_len(utf8);
        if (run > 0)
            fold_ascii(span_upto(utf8, run), folded);
        utf8 = span_from(utf8, run);
        if (utf8.len > 0)
            fold_character(normalizer, utf8_next(&utf8), folded);
    }
    return buf_fault(folded);
}
