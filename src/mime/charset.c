#include "mime/charset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/ucnv.h>

#include "base/mem.h"

#define PIVOT_UNITS 1024

/* What mail says, and what it means: supersets that mail programs send under the smaller name, and names ICU lacks. */
static const char *const aliases[][2] = {
    {"iso-8859-1", "windows-1252"},
    {"latin1", "windows-1252"},
    {"iso8859-1", "windows-1252"},
    {"iso_8859-1", "windows-1252"},
    {"iso-8859-8-i", "iso-8859-8"},
    {"iso-8859-8-e", "iso-8859-8"},
    {"gb2312", "gb18030"},
    {"gbk", "gb18030"},
    {"ks_c_5601-1987", "windows-949"},
    {"euc-kr", "windows-949"},
    {"cp-850", "ibm-850"},
    {"x-mac-roman", "macintosh"},
    {"iso-8859-9", "windows-1254"},
    {"iso-8859-11", "windows-874"},
    {"tis-620", "windows-874"},
    {"x-gbk", "gb18030"},
    {"cn-gb", "gb18030"},
    {"unicode-1-1-utf-7", "utf-7"},
    {"shift-jis", "shift_jis"},
    {"windows-31j", "ibm-943_P15A-2003"},
};
/* Read as UTF-8 or windows-1252, whichever fits: what says ASCII and is not, and what says nothing. */
static const char *const unsaid[] = {"",         "us-ascii",       "ascii",    "ansi_x3.4-1968", "unknown-8bit",
                                     "unknown",  "_iso-2022-jp",   "8bit",     "7bit",           "default",
                                     "us_ascii", "x-user-defined", "x-unknown"};
static const char *const utf8_names[] = {"utf-8", "utf8", "x-utf-8", "unicode-1-1-utf-8", "utf-8mb4"};

struct converter {
    char name[CHARSET_NAME_MAX];
    UConverter *icu;
};

/* Idle converters, last used first. One process is one thread, so plain state serves; it is a cache and nothing else.
 */
static struct converter idle[CHARSET_CACHE_MAX];

enum reader_mode {
    READER_UNDECIDED, /* only ASCII so far, and what is held */
    READER_UTF8,
    READER_ICU,
};

struct charset_reader {
    enum reader_mode mode;
    struct converter converter;
    uint16_t high; /* a surrogate that waits for its second half */
    uint8_t held[4];
    size_t held_len; /* the start of a UTF-8 sequence */
};

/* A name ICU may see, in lower case: nothing that could be an option or a path. Empty where it cannot be one. */
static void clean_name(span_t name, char clean[CHARSET_NAME_MAX])
{
    clean[0] = 0;
    name = span_trim(name);
    while (name.len > 0 && (name.at[0] == '"' || name.at[0] == '\''))
        name = span_from(name, 1);
    while (name.len > 0 && (name.at[name.len - 1] == '"' || name.at[name.len - 1] == '\''))
        name.len--;
    if (name.len >= CHARSET_NAME_MAX)
        return;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = ascii_lower(name.at[i]);
        if (!ascii_is_alpha(byte) && !ascii_is_digit(byte) && memchr("-_.:+", byte, 5) == NULL) {
            clean[0] = 0;
            return;
        }
        clean[i] = (char)byte;
        clean[i + 1] = 0;
    }
    for (size_t i = 0; i < COUNT_OF(aliases); i++) {
        if (strcmp(clean, aliases[i][0]) == 0)
            memcpy(clean, aliases[i][1], strlen(aliases[i][1]) + 1);
    }
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* Moves an idle converter of that name out of the cache, or opens one. */
static bool converter_take(const char *name, struct converter *ret_converter)
{
    for (size_t i = 0; i < CHARSET_CACHE_MAX; i++) {
        if (idle[i].icu != NULL && strcmp(idle[i].name, name) == 0) {
            *ret_converter = idle[i];
            memmove(&idle[i], &idle[i + 1], (CHARSET_CACHE_MAX - i - 1) * sizeof(idle[0]));
            idle[CHARSET_CACHE_MAX - 1] = (struct converter){.icu = NULL};
            return true;
        }
    }
    UErrorCode status = U_ZERO_ERROR;
    UConverter *icu = ucnv_open(name, &status);
    if (U_FAILURE(status) || icu == NULL)
        return false;
    *ret_converter = (struct converter){.icu = icu};
    memcpy(ret_converter->name, name, strlen(name) + 1);
    return true;
}

static void converter_give(struct converter *converter)
{
    if (converter->icu == NULL)
        return;
    ucnv_reset(converter->icu);
    if (idle[CHARSET_CACHE_MAX - 1].icu != NULL)
        ucnv_close(idle[CHARSET_CACHE_MAX - 1].icu);
    memmove(&idle[1], &idle[0], (CHARSET_CACHE_MAX - 1) * sizeof(idle[0]));
    idle[0] = *converter;
    converter->icu = NULL;
}

void charset_cache_clear(void)
{
    for (size_t i = 0; i < CHARSET_CACHE_MAX; i++) {
        if (idle[i].icu != NULL)
            ucnv_close(idle[i].icu);
        idle[i].icu = NULL;
    }
}

bool charset_is_known(span_t name)
{
    char clean[CHARSET_NAME_MAX];
    clean_name(name, clean);
    if (clean[0] == 0)
        return false;
    struct converter converter = {.icu = NULL};
    if (!converter_take(clean, &converter))
        return false;
    converter_give(&converter);
    return true;
}

int charset_reader_new(span_t charset, struct charset_reader **ret_reader)
{
    AUTO(charset_reader) struct charset_reader *reader = mem_new(sizeof(*reader));
    if (reader == NULL)
        return -ENOMEM;
    char name[CHARSET_NAME_MAX];
    clean_name(charset, name);
    if (is_one_of(name, utf8_names, COUNT_OF(utf8_names)))
        reader->mode = READER_UTF8;
    else if (!is_one_of(name, unsaid, COUNT_OF(unsaid)) && converter_take(name, &reader->converter))
        reader->mode = READER_ICU;
    *ret_reader = TAKE(reader);
    return 0;
}

void charset_reader_free(struct charset_reader *reader)
{
    if (reader == NULL)
        return;
    converter_give(&reader->converter);
    free(reader);
}

static void append_unit(struct charset_reader *reader, uint16_t unit, struct buf *utf8)
{
    bool is_low = (unit & 0xfc00) == 0xdc00;
    if (reader->high != 0 && is_low) {
        utf8_append(0x10000U + ((reader->high & 0x3ffU) << 10) + (unit & 0x3ffU), utf8);
        reader->high = 0;
        return;
    }
    if (reader->high != 0)
        utf8_append(UTF8_REPLACEMENT, utf8);
    reader->high = 0;
    if ((unit & 0xfc00) == 0xd800)
        reader->high = unit;
    else /* SUB is what some converters put for an invalid byte */
        utf8_append(is_low || unit == 0x1a ? UTF8_REPLACEMENT : unit, utf8);
}

static int push_icu(struct charset_reader *reader, span_t bytes, UBool last, struct buf *utf8)
{
    const char *at = bytes.len > 0 ? (const char *)bytes.at : "";
    const char *end = at + bytes.len;
    UErrorCode status = U_BUFFER_OVERFLOW_ERROR;
    while (status == U_BUFFER_OVERFLOW_ERROR && buf_fault(utf8) == 0) {
        UChar pivot[PIVOT_UNITS];
        UChar *out = pivot;
        status = U_ZERO_ERROR;
        ucnv_toUnicode(reader->converter.icu, &out, pivot + PIVOT_UNITS, &at, end, NULL, last, &status);
        for (const UChar *unit = pivot; unit < out; unit++)
            append_unit(reader, *unit, utf8);
    }
    if (last && reader->high != 0)
        append_unit(reader, 0xfffd, utf8);
    return status == U_MEMORY_ALLOCATION_ERROR ? -ENOMEM : buf_fault(utf8);
}

static int push_utf8(struct charset_reader *reader, span_t bytes, struct buf *utf8)
{
    while (reader->held_len > 0 && bytes.len > 0) {
        reader->held[reader->held_len++] = bytes.at[0];
        bytes = span_from(bytes, 1);
        int len = utf8_sequence_len(span_of(reader->held, reader->held_len));
        if (len < 0)
            continue;
        if (len == 0) { /* the byte that broke the sequence is looked at anew */
            utf8_append(UTF8_REPLACEMENT, utf8);
            bytes = span_of(bytes.at - 1, bytes.len + 1);
        } else {
            buf_append(utf8, span_of(reader->held, reader->held_len));
        }
        reader->held_len = 0;
    }
    while (bytes.len > 0) {
        size_t valid = utf8_valid_len(bytes);
        buf_append(utf8, span_upto(bytes, valid));
        bytes = span_from(bytes, valid);
        if (bytes.len == 0)
            break;
        if (utf8_sequence_len(bytes) < 0) {
            memcpy(reader->held, bytes.at, bytes.len);
            reader->held_len = bytes.len;
            break;
        }
        utf8_append(UTF8_REPLACEMENT, utf8);
        bytes = span_from(bytes, 1);
    }
    return buf_fault(utf8);
}

static int push_decided(struct charset_reader *reader, span_t bytes, struct buf *utf8)
{
    if (bytes.len == 0)
        return buf_fault(utf8);
    return reader->mode == READER_ICU ? push_icu(reader, bytes, false, utf8) : push_utf8(reader, bytes, utf8);
}

/* It is windows-1252 after all: what was held is read so too. */
static int decide_legacy(struct charset_reader *reader, struct buf *utf8)
{
    uint8_t held[sizeof(reader->held)];
    size_t len = reader->held_len;
    memcpy(held, reader->held, len);
    reader->held_len = 0;
    reader->mode = converter_take("windows-1252", &reader->converter) ? READER_ICU : READER_UTF8;
    return push_decided(reader, span_of(held, len), utf8);
}

/* The first bytes beyond ASCII decide what bytes of no stated charset are; half a sequence does not yet. */
static int decide(struct charset_reader *reader, span_t *rest, struct buf *utf8)
{
    size_t plain = reader->held_len == 0 ? ascii_len(*rest) : 0;
    buf_append(utf8, span_upto(*rest, plain));
    *rest = span_from(*rest, plain);
    while (rest->len > 0 && reader->held_len > 0) {
        reader->held[reader->held_len++] = rest->at[0];
        *rest = span_from(*rest, 1);
        int len = utf8_sequence_len(span_of(reader->held, reader->held_len));
        if (len == 0)
            return decide_legacy(reader, utf8);
        if (len < 0)
            continue;
        reader->mode = READER_UTF8;
        buf_append(utf8, span_of(reader->held, reader->held_len));
        reader->held_len = 0;
        return buf_fault(utf8);
    }
    if (rest->len == 0)
        return buf_fault(utf8);
    size_t valid = utf8_valid_len(*rest);
    bool is_cut = valid < rest->len && utf8_sequence_len(span_from(*rest, valid)) < 0;
    if (valid < rest->len && !is_cut)
        return decide_legacy(reader, utf8);
    if (valid > 0) {
        reader->mode = READER_UTF8;
        return 0;
    }
    memcpy(reader->held, rest->at, rest->len);
    reader->held_len = rest->len;
    *rest = SPAN_NONE;
    return 0;
}

int charset_reader_push(struct charset_reader *reader, span_t bytes, struct buf *utf8)
{
    while (reader->mode == READER_UNDECIDED && bytes.len > 0) {
        int result = decide(reader, &bytes, utf8);
        if (result < 0)
            return result;
    }
    return push_decided(reader, bytes, utf8);
}

int charset_reader_finish(struct charset_reader *reader, struct buf *utf8)
{
    if (reader->mode == READER_UNDECIDED && reader->held_len > 0)
        (void)decide_legacy(reader, utf8);
    if (reader->mode == READER_ICU)
        return push_icu(reader, SPAN_NONE, true, utf8);
    if (reader->held_len > 0)
        utf8_append(UTF8_REPLACEMENT, utf8);
    reader->held_len = 0;
    return buf_fault(utf8);
}

int charset_to_utf8(span_t charset, span_t bytes, struct buf *utf8)
{
    AUTO(charset_reader) struct charset_reader *reader = NULL;
    int result = charset_reader_new(charset, &reader);
    if (result == 0)
        result = charset_reader_push(reader, bytes, utf8);
    return result < 0 ? result : charset_reader_finish(reader, utf8);
}
