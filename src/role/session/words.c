#include "role/session/words.h"

#include <errno.h>

#include "mime/text.h"
#include "mime/word.h"

#define FIELD_MAX ((size_t)64 * 1024)      /* of a header field */
#define HEADER_MAX ((size_t)256 * 1024)    /* of a header */
#define TEXT_MAX ((size_t)2 * 1024 * 1024) /* of the message's text */
#define FOLD_GROWTH 24U                    /* what folding can make of a byte, at the worst */

static enum vault_field field_of(span_t name)
{
    static const struct {
        const char *name;
        enum vault_field field;
    } fields[] = {{"Subject", VAULT_FIELD_SUBJECT},
                  {"From", VAULT_FIELD_FROM},
                  {"To", VAULT_FIELD_TO},
                  {"Cc", VAULT_FIELD_CC},
                  {"Bcc", VAULT_FIELD_BCC}};
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (span_equal_nocase(name, span_of_text(fields[i].name)))
            return fields[i].field;
    return VAULT_FIELD_HEADER;
}

struct reader {
    struct vault_words *words;
    struct arena *scratch;
    struct buf text;
    struct buf folded;
    size_t text_left;
};

static int add_text(struct reader *reader, enum vault_field field)
{
    buf_clear(&reader->folded);
    int result = mime_text_fold(buf_span(&reader->text), &reader->folded);
    return result < 0 ? result : vault_words_add(reader->words, field, buf_span(&reader->folded));
}

/* A value, and a name apart from it: what is looked for in From must not be found for that field's name. */
static int add_field(struct reader *reader, const struct mime_field *field, bool in_message)
{
    if (field->value.len > FIELD_MAX)
        reader->words->is_partial = true;
    buf_clear(&reader->text);
    int result = buf_append(&reader->text, field->name);
    if (result == 0)
        result = add_text(reader, in_message ? VAULT_FIELD_BODY : VAULT_FIELD_HEADER);
    buf_clear(&reader->text);
    if (result == 0)
        result = mime_word_decode(span_upto(field->value, FIELD_MAX), &reader->text);
    return result < 0 ? result : add_text(reader, in_message ? VAULT_FIELD_BODY : field_of(field->name));
}

/* in_message: of a message inside this one, whose header is text of its body. */
static int add_header(struct reader *reader, span_t header, bool in_message)
{
    struct mime_field field;
    if (header.len > HEADER_MAX)
        reader->words->is_partial = true;
    header = span_upto(header, HEADER_MAX);
    int result = 0;
    while (result == 0 && mime_field_next(&header, &field))
        if (!mime_field_is_opaque(field.name))
            result = add_field(reader, &field, in_message);
    return result;
}

static int add_name(struct reader *reader, const struct mime_param *params, span_t name)
{
    span_t value = SPAN_NONE;
    int result = mime_param_decode(params, name, reader->scratch, &value);
    if (result < 0 || value.len == 0)
        return result;
    buf_clear(&reader->text);
    result = buf_append(&reader->text, value);
    return result < 0 ? result : add_text(reader, VAULT_FIELD_BODY);
}

static int add_body_text(struct reader *reader, const struct mime_part *part)
{
    buf_clear(&reader->text);
    reader->text.max = reader->text_left;
    int result = mime_text_append_shown(part, &reader->text);
    reader->text.max = TEXT_MAX;
    if (result == -ENOBUFS) {
        reader->words->is_partial = true;
        result = 0;
    }
    if (result < 0)
        return result;
    reader->text_left -= buf_len(&reader->text);
    return add_text(reader, VAULT_FIELD_BODY);
}

static int add_part(struct reader *reader, const struct mime_part *part)
{
    int result = 0;
    if (part->parent != NULL && part->parent->is_message)
        result = add_header(reader, part->header, true);
    if (result == 0)
        result = add_name(reader, part->disposition_params, SPAN("filename"));
    if (result == 0)
        result = add_name(reader, part->params, SPAN("name"));
    if (result == 0 && mime_text_is_in(part))
        result = add_body_text(reader, part);
    return result;
}

int words_read(const struct mime_part *root, struct arena *scratch, struct vault_words *words)
{
    struct reader reader = {.words = words, .scratch = scratch, .text_left = TEXT_MAX};
    vault_words_clear(words);
    buf_init(&reader.text, TEXT_MAX);
    buf_init(&reader.folded, TEXT_MAX * FOLD_GROWTH);
    int result = add_header(&reader, root->header, false);
    for (const struct mime_part *part = root; result == 0 && part != NULL; part = mime_part_after(root, part))
        result = add_part(&reader, part);
    buf_deinit(&reader.text);
    buf_deinit(&reader.folded);
    return result;
}
