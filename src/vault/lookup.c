#include "vault/lookup.h"

#define EXPRESSION_MAX 256U /* bytes of one FTS5 expression */
#define STEP_BLOCKS 1000U   /* of the vocabulary at a time */
#define IDS_COMPACT ((size_t)1 << 20U)

int lookup_read(struct vault *vault, sqlite3_stmt *statement, struct ids *ids)
{
    int result = engine_next(vault, statement);
    while (result == ENGINE_ROW) {
        result = ids_add(ids, (uint64_t)sqlite3_column_int64(statement, 0));
        if (result == 0)
            result = engine_next(vault, statement);
    }
    if (result == 0 && ids->count > IDS_COMPACT && ids->sorted != ids->count)
        ids_sort(ids);
    return result;
}

static int match(struct vault *vault, const struct buf *expression, struct ids *ids)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = buf_fault(expression);
    if (result == 0)
        result = engine_prepare(vault, STATEMENT_WORDS_MATCH, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_bind_text(vault, statement, 1, buf_span(expression));
    return result == 0 ? lookup_read(vault, statement, ids) : result;
}

typedef int (*encode_fn)(span_t text, enum vault_field field, struct buf *term);

/* No term has a quotation mark in it, so the string needs no care. */
static int match_in_fields(struct vault *vault, unsigned fields, span_t text, encode_fn encode, const char *end,
                           struct ids *ids)
{
    struct buf expression AUTO_BUF;
    buf_init(&expression, EXPRESSION_MAX);
    int result = 0;
    for (unsigned field = 0; result == 0 && field < VAULT_FIELD_COUNT; field++) {
        if ((fields & 1U << field) == 0)
            continue;
        buf_clear(&expression);
        (void)buf_append_byte(&expression, '"');
        (void)encode(text, field, &expression);
        (void)buf_append_text(&expression, end);
        result = match(vault, &expression, ids);
    }
    return result;
}

int lookup_word(struct vault *vault, unsigned fields, span_t word, struct ids *ids)
{
    if (fields != VAULT_FIELDS_ALL)
        return match_in_fields(vault, fields, word, vault_words_encode_word, "\"", ids);
    struct buf expression AUTO_BUF;
    buf_init(&expression, EXPRESSION_MAX);
    (void)buf_append_byte(&expression, '"');
    (void)buf_append(&expression, word);
    (void)buf_append_text(&expression, VAULT_WORDS_MARK "\"*");
    return match(vault, &expression, ids);
}

int lookup_identifier(struct vault *vault, unsigned fields, span_t beginning, struct ids *ids)
{
    return match_in_fields(vault, fields, beginning, vault_words_encode_identifier, "\"*", ids);
}

int lookup_partial(struct vault *vault, struct ids *ids)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_PARTIAL_READ, NO_NUMBERS, &statement);
    return result == 0 ? lookup_read(vault, statement, ids) : result;
}

int lookup_vocabulary(struct vault *vault, int64_t *block, bool *more, lookup_block_fn fn, void *arg)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_VOCABULARY_READ, NUMBERS(*block, STEP_BLOCKS), &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    size_t blocks = 0;
    while (result == ENGINE_ROW) {
        *block = sqlite3_column_int64(statement, 0);
        span_t words = span_of(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));
        result = fn(arg, words);
        blocks++;
        if (result == 0)
            result = engine_next(vault, statement);
    }
    if (result == 0 && blocks < STEP_BLOCKS)
        *more = false;
    return result;
}
