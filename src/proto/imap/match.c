#include "proto/imap/match.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mime/text.h"
#include "mime/word.h"

#define KEY_MAX ((size_t)64 * 1024)           /* of a search text, folded */
#define FIELD_MAX ((size_t)1024 * 1024)       /* what of one header field is searched */
#define WINDOW_MAX ((size_t)16 * 1024 * 1024) /* a chunk of text folded, the worst case of NFKD */

#define NAME_ARENA_MAX ((size_t)1024 * 1024)

struct imap_match {
    enum imap_match_kind kind;
    span_t field; /* of HEADER: points into name */
    struct buf name;
    struct buf needle;
};

/* Buffers that all fields and parts of one message share. */
struct search {
    const struct imap_match *match;
    struct buf text;
    struct buf folded;
};

int imap_match_new(enum imap_match_kind kind, span_t field, span_t text, struct imap_match **ret_match)
{
    AUTO(imap_match) struct imap_match *match = mem_new(sizeof(*match));
    if (match == NULL)
        return -ENOMEM;
    match->kind = kind;
    buf_init(&match->name, KEY_MAX);
    buf_init(&match->needle, KEY_MAX);
    int result = buf_append(&match->name, field);
    if (result == 0)
        result = mime_text_fold(text, &match->needle);
    if (result < 0)
        return result;
    match->field = buf_span(&match->name);
    *ret_match = TAKE(match);
    return 0;
}

void imap_match_free(struct imap_match *match)
{
    if (match == NULL)
        return;
    buf_deinit(&match->name);
    buf_deinit(&match->needle);
    free(match);
}

bool imap_match_needs_body(const struct imap_match *match)
{
    return match->kind == IMAP_MATCH_BODY || match->kind == IMAP_MATCH_TEXT;
}

enum imap_match_kind imap_match_kind_of(const struct imap_match *match)
{
    return match->kind;
}

span_t imap_match_needle(const struct imap_match *match)
{
    return buf_span(&match->needle);
}

static void search_begin(struct search *search, const struct imap_match *match)
{
    search->match = match;
    buf_init(&search->text, FIELD_MAX * 8 + 64);
    buf_init(&search->folded, WINDOW_MAX * 8);
}

static void search_end(struct search *search)
{
    buf_deinit(&search->text);
    buf_deinit(&search->folded);
}

static bool is_in(span_t text, span_t needle)
{
    return needle.len == 0 || span_find(text, needle) < text.len;
}

/* Whether the needle is in a field's decoded value, its name before it where all of the header is searched. */
static int search_field(struct search *search, const struct mime_field *field, bool with_name)
{
    buf_clear(&search->text);
    buf_clear(&search->folded);
    if (with_name) {
        buf_append(&search->text, field->name);
        buf_append(&search->text, SPAN(": "));
    }
    int result = mime_word_decode(span_upto(field->value, FIELD_MAX), &search->text);
    if (result == 0)
        result = mime_text_fold(buf_span(&search->text), &search->folded);
    if (result < 0)
        return -ENOMEM;
    return is_in(buf_span(&search->folded), buf_span(&search->match->needle)) ? IMAP_MATCH_YES : IMAP_MATCH_NO;
}

/* All fields of that name, or where name is SPAN_NONE all but the opaque ones. */
static int search_header(struct search *search, span_t header, span_t name)
{
    int result = IMAP_MATCH_NO;
    struct mime_field field;
    while (result == IMAP_MATCH_NO && mime_field_next(&header, &field)) {
        if (name.at == NULL ? !mime_field_is_opaque(field.name) : span_equal_nocase(field.name, name))
            result = search_field(search, &field, name.at == NULL);
    }
    return result;
}

/* A window slides over the text: what could be the start of the needle stays for the next chunk. */
static int search_text(struct search *search, const struct mime_part *part)
{
    AUTO(mime_text) struct mime_text *text = NULL;
    span_t needle = buf_span(&search->match->needle);
    int result = mime_text_new(part, &text);
    buf_clear(&search->folded);
    while (result == 0) {
        span_t chunk;
        result = mime_text_next(text, &chunk);
        if (result < 0 || chunk.len == 0)
            break;
        result = mime_text_fold(chunk, &search->folded);
        if (result < 0)
            return -ENOMEM;
        if (is_in(buf_span(&search->folded), needle))
            return IMAP_MATCH_YES;
        size_t keep = needle.len - 1;
        if (buf_len(&search->folded) > keep)
            buf_consume(&search->folded, buf_len(&search->folded) - keep);
    }
    return result < 0 ? result : IMAP_MATCH_NO;
}

/* HTML can only be read as a whole. */
static int search_html(struct search *search, const struct mime_part *part)
{
    buf_clear(&search->text);
    buf_clear(&search->folded);
    int result = mime_text_append_shown(part, &search->text);
    if (result == 0 || result == -ENOBUFS)
        result = mime_text_fold(buf_span(&search->text), &search->folded);
    if (result < 0)
        return -ENOMEM;
    return is_in(buf_span(&search->folded), buf_span(&search->match->needle)) ? IMAP_MATCH_YES : IMAP_MATCH_NO;
}

/* Attachments are known by their names. */
static int search_name(struct search *search, const struct mime_param *params, span_t name)
{
    AUTO(arena) struct arena *arena = NULL;
    span_t value = SPAN_NONE;
    if (params == NULL)
        return IMAP_MATCH_NO;
    int result = arena_new(NAME_ARENA_MAX, &arena);
    if (result == 0)
        result = mime_param_decode(params, name, arena, &value);
    buf_clear(&search->folded);
    if (result == 0)
        result = mime_text_fold(value, &search->folded);
    if (result < 0)
        return -ENOMEM;
    return is_in(buf_span(&search->folded), buf_span(&search->match->needle)) ? IMAP_MATCH_YES : IMAP_MATCH_NO;
}

static int search_part(struct search *search, const struct mime_part *part)
{
    int result = IMAP_MATCH_NO;
    if (part->parent != NULL && part->parent->is_message)
        result = search_header(search, part->header, SPAN_NONE);
    if (result == IMAP_MATCH_NO)
        result = search_name(search, part->disposition_params, SPAN("filename"));
    if (result == IMAP_MATCH_NO)
        result = search_name(search, part->params, SPAN("name"));
    if (result != IMAP_MATCH_NO || !mime_text_is_in(part))
        return result;
    return mime_part_is(part, SPAN("text"), SPAN("html")) ? search_html(search, part) : search_text(search, part);
}

/* The body of a message: its text as a reader sees it, the headers of messages inside it, names of attachments. */
static int search_body(struct search *search, const struct mime_part *root)
{
    if (buf_len(&search->match->needle) == 0)
        return IMAP_MATCH_YES;
    int result = IMAP_MATCH_NO;
    for (const struct mime_part *part = root; part != NULL && result == IMAP_MATCH_NO;
         part = mime_part_after(root, part))
        result = search_part(search, part);
    return result;
}

static span_t field_of(const struct imap_match *match)
{
    static const char *const names[] = {
        [IMAP_MATCH_FROM] = "From", [IMAP_MATCH_TO] = "To",           [IMAP_MATCH_CC] = "Cc",
        [IMAP_MATCH_BCC] = "Bcc",   [IMAP_MATCH_SUBJECT] = "Subject",
    };
    if (match->kind < COUNT_OF(names))
        return span_of_text(names[match->kind]);
    return match->field.at == NULL ? span_of("", 0) : match->field;
}

int imap_match_header(const struct imap_match *match, span_t header)
{
    struct search search;
    search_begin(&search, match);
    int result = search_header(&search, header, field_of(match));
    search_end(&search);
    return result;
}

int imap_match_message(const struct imap_match *match, const struct mime_part *root)
{
    if (!imap_match_needs_body(match))
        return imap_match_header(match, root->header);
    struct search search;
    search_begin(&search, match);
    int result = IMAP_MATCH_NO;
    if (match->kind == IMAP_MATCH_TEXT)
        result = search_header(&search, root->header, SPAN_NONE);
    if (result == IMAP_MATCH_NO)
        result = search_body(&search, root);
    search_end(&search);
    return result;
}

bool imap_match_sent(enum imap_match_sent which, int64_t day, span_t header)
{
    struct mime_date date;
    if (mime_date_parse(mime_field_value(header, SPAN("Date")), &date) != 0)
        return false;
    int64_t sent = mime_date_day(&date);
    return which == IMAP_SENT_BEFORE ? sent < day : which == IMAP_SENT_ON ? sent == day : sent >= day;
}
