#include "vault/search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mime/term.h"
#include "vault/engine.h"

#define TERMS_MAX 16U       /* of a text; what follows is left to looking into the emails */
#define STEP_ROWS 20000U    /* emails found in one step, about */
#define STEP_LOOKUPS 200U   /* of terms in one step */
#define STEP_BLOCKS 1000U   /* of the vocabulary in one step */
#define FEW 64U             /* so few emails are looked into rather than narrowed down further */
#define EXPRESSION_MAX 256U /* bytes of one FTS5 expression */
#define ALTERNATIVES_MAX ((size_t)8 << 20U)
#define IDS_COMPACT ((size_t)1 << 20U)

struct ids {
    uint64_t *at;
    size_t count;
    size_t room;
    size_t sorted; /* of the first so many it is known that they rise */
};

struct vault_search {
    struct vault *vault;
    unsigned fields;
    uint64_t mark;
    struct buf text;
    struct mime_term terms[TERMS_MAX];
    size_t term_count;
    size_t term;
    bool is_exact;

    bool is_looking; /* through the vocabulary, for words that hold the term */
    int64_t block;
    struct buf words; /* the words found, each with its length (1) before it, not yet looked up */

    struct ids found;    /* of the term at hand */
    struct ids matching; /* all terms before it */
    bool has_matching;
    struct ids partial; /* must be looked into whatever the index says */
};

/* --- sets of emails */

static int ids_add(struct ids *ids, uint64_t id)
{
    uint64_t *more = mem_grow(ids->at, ids->count, &ids->room, sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    ids->at = more;
    bool rises = ids->count == 0 || ids->at[ids->count - 1] < id;
    if (rises && ids->sorted == ids->count)
        ids->sorted++;
    ids->at[ids->count++] = id;
    return 0;
}

static int compare(const void *one, const void *other)
{
    uint64_t left = *(const uint64_t *)one;
    uint64_t right = *(const uint64_t *)other;
    return left < right ? -1 : left > right;
}

static void ids_sort(struct ids *ids)
{
    if (ids->sorted == ids->count)
        return;
    qsort(ids->at, ids->count, sizeof(*ids->at), compare);
    size_t kept = 1;
    for (size_t i = 1; i < ids->count; i++)
        if (ids->at[i] != ids->at[kept - 1])
            ids->at[kept++] = ids->at[i];
    ids->count = kept;
    ids->sorted = kept;
}

static bool ids_has(const struct ids *ids, uint64_t id)
{
    return ids->count > 0 && bsearch(&id, ids->at, ids->count, sizeof(id), compare) != NULL;
}

static void ids_clear(struct ids *ids)
{
    free(ids->at);
    *ids = (struct ids){0};
}

static void ids_intersect(struct ids *ids, const struct ids *other)
{
    size_t kept = 0;
    size_t at = 0;
    for (size_t i = 0; i < ids->count; i++) {
        while (at < other->count && other->at[at] < ids->at[i])
            at++;
        if (at < other->count && other->at[at] == ids->at[i])
            ids->at[kept++] = ids->at[i];
    }
    ids->count = kept;
    ids->sorted = kept;
}

/* --- one term in FTS5 */

static int read_ids(struct vault *vault, sqlite3_stmt *statement, struct ids *ids)
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

static int match(struct vault_search *search, const struct buf *expression)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = buf_fault(expression);
    if (result == 0)
        result = engine_prepare(search->vault, STATEMENT_WORDS_MATCH, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_bind_text(search->vault, statement, 1, buf_span(expression));
    return result == 0 ? read_ids(search->vault, statement, &search->found) : result;
}

typedef int (*encode_fn)(span_t text, enum vault_field field, struct buf *term);

/* No term has a quotation mark in it, so the string needs no care. */
static int match_in_fields(struct vault_search *search, span_t text, encode_fn encode, const char *end)
{
    struct buf expression AUTO_BUF;
    buf_init(&expression, EXPRESSION_MAX);
    int result = 0;
    for (unsigned field = 0; result == 0 && field < VAULT_FIELD_COUNT; field++) {
        if ((search->fields & 1U << field) == 0)
            continue;
        buf_clear(&expression);
        (void)buf_append_byte(&expression, '"');
        (void)encode(text, field, &expression);
        (void)buf_append_text(&expression, end);
        result = match(search, &expression);
    }
    return result;
}

static int match_word(struct vault_search *search, span_t word)
{
    if (search->fields != VAULT_FIELDS_ALL)
        return match_in_fields(search, word, vault_words_encode_word, "\"");
    struct buf expression AUTO_BUF;
    buf_init(&expression, EXPRESSION_MAX);
    (void)buf_append_byte(&expression, '"');
    (void)buf_append(&expression, word);
    (void)buf_append_text(&expression, VAULT_WORDS_MARK "\"*");
    return match(search, &expression);
}

static int match_identifier(struct vault_search *search, span_t beginning)
{
    return match_in_fields(search, beginning, vault_words_encode_identifier, "\"*");
}

/* --- words that hold a term */

static int add_word(struct vault_search *search, span_t word)
{
    if (word.len > MIME_TERM_MAX)
        return -EBADMSG;
    (void)buf_append_byte(&search->words, (uint8_t)word.len);
    return buf_append(&search->words, word);
}

/* Each word ends in a line end; is_leading and is_final say whether the word may go on before or behind the term. */
static int look_through(struct vault_search *search, span_t block)
{
    const struct mime_term *term = &search->terms[search->term];
    size_t at = 0;
    int result = 0;
    while (result == 0 && at < block.len) {
        size_t hit = at + span_find(span_from(block, at), term->text);
        if (hit >= block.len)
            break;
        size_t start = hit;
        while (start > 0 && block.at[start - 1] != '\n')
            start--;
        size_t end = hit + term->text.len;
        while (end < block.len && block.at[end] != '\n')
            end++;
        bool begins = start == hit;
        bool ends = end == hit + term->text.len;
        if ((begins || term->is_leading) && (ends || term->is_final))
            result = add_word(search, span_slice(block, start, end - start));
        /* A word may hold the term twice, and only the second time at its end. */
        bool is_taken = (begins || term->is_leading) && (ends || term->is_final);
        at = is_taken ? end + 1 : hit + 1;
    }
    return result;
}

static int look_through_some(struct vault_search *search)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result =
        engine_prepare(search->vault, STATEMENT_VOCABULARY_READ, NUMBERS(search->block, STEP_BLOCKS), &statement);
    if (result == 0)
        result = engine_next(search->vault, statement);
    size_t blocks = 0;
    while (result == ENGINE_ROW) {
        search->block = sqlite3_column_int64(statement, 0);
        span_t words = span_of(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));
        result = look_through(search, words);
        blocks++;
        if (result == 0)
            result = engine_next(search->vault, statement);
    }
    if (result == 0 && blocks < STEP_BLOCKS)
        search->is_looking = false;
    return result;
}

static int look_up_some(struct vault_search *search)
{
    size_t before = search->found.count;
    for (size_t i = 0; i < STEP_LOOKUPS && buf_len(&search->words) > 0; i++) {
        span_t words = buf_span(&search->words);
        size_t len = words.at[0];
        int result = match_word(search, span_slice(words, 1, len));
        if (result < 0)
            return result;
        buf_consume(&search->words, 1 + len);
        if (search->found.count - before > STEP_ROWS)
            break;
    }
    return 0;
}

/* --- term after term */

static bool needs_vocabulary(const struct mime_term *term)
{
    if (term->kind == MIME_TERM_IDENTIFIER)
        return false;
    if (term->kind == MIME_TERM_PAIR) /* of two characters: it is a term itself wherever it stands */
        return term->text.len <= 4 && (term->is_leading || term->is_final);
    return term->is_leading || term->is_final;
}

static int term_begin(struct vault_search *search)
{
    const struct mime_term *term = &search->terms[search->term];
    bool may_begin_identifier = term->kind == MIME_TERM_IDENTIFIER || (term->kind == MIME_TERM_WORD && term->is_final);
    int result = 0;
    search->block = 0;
    search->is_looking = needs_vocabulary(term);
    buf_clear(&search->words);
    if (!search->is_looking && term->kind != MIME_TERM_IDENTIFIER)
        result = match_word(search, term->text);
    if (result == 0 && may_begin_identifier)
        result = match_identifier(search, term->text);
    return result;
}

static void term_end(struct vault_search *search)
{
    ids_sort(&search->found);
    if (search->has_matching) {
        ids_intersect(&search->matching, &search->found);
        ids_clear(&search->found);
    } else {
        search->matching = search->found;
        search->found = (struct ids){0};
        search->has_matching = true;
    }
    search->term++;
    if (search->term < search->term_count && search->matching.count <= FEW)
        search->term = search->term_count;
}

int vault_search_step(struct vault_search *search)
{
    if (search->term == search->term_count)
        return 0;
    int result = search->is_looking ? look_through_some(search) : look_up_some(search);
    if (result < 0)
        return result;
    if (search->is_looking || buf_len(&search->words) > 0)
        return VAULT_SEARCH_HAS_MORE;
    term_end(search);
    if (search->term == search->term_count)
        return 0;
    result = term_begin(search);
    return result < 0 ? result : VAULT_SEARCH_HAS_MORE;
}

/* --- making it */

/* Those that one lookup answers come first: they narrow down what the others need not find. */
static void order_terms(struct vault_search *search)
{
    size_t quick = 0;
    for (size_t i = 0; i < search->term_count; i++) {
        if (needs_vocabulary(&search->terms[i]))
            continue;
        struct mime_term term = search->terms[i];
        search->terms[i] = search->terms[quick];
        search->terms[quick++] = term;
    }
}

static void split(struct vault_search *search)
{
    struct mime_terms terms;
    struct mime_term term;
    mime_terms_init(&terms, buf_span(&search->text));
    size_t seen = 0;
    while (mime_terms_next(&terms, &term)) {
        seen++;
        if (search->term_count < TERMS_MAX)
            search->terms[search->term_count++] = term;
    }
    const struct mime_term *first = &search->terms[0];
    search->is_exact = seen == 1 && first->is_leading && first->is_final && !first->is_cut;
    order_terms(search);
}

static int read_partial(struct vault_search *search)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(search->vault, STATEMENT_PARTIAL_READ, NO_NUMBERS, &statement);
    return result == 0 ? read_ids(search->vault, statement, &search->partial) : result;
}

int vault_search_new(struct vault *vault, unsigned fields, span_t folded, struct vault_search **ret_search)
{
    AUTO(vault_search) struct vault_search *search = mem_new(sizeof(*search));
    if (search == NULL)
        return -ENOMEM;
    search->vault = vault;
    search->fields = fields;
    search->mark = vault->index_mark;
    buf_init(&search->text, folded.len + 1);
    buf_init(&search->words, ALTERNATIVES_MAX);
    int result = buf_append(&search->text, folded);
    if (result < 0)
        return result;
    split(search);
    if (search->term_count == 0)
        return VAULT_SEARCH_NO_HELP;
    result = read_partial(search);
    if (result == 0)
        result = term_begin(search);
    if (result < 0)
        return result;
    *ret_search = TAKE(search);
    return 0;
}

void vault_search_free(struct vault_search *search)
{
    if (search == NULL)
        return;
    buf_deinit(&search->text);
    buf_deinit(&search->words);
    ids_clear(&search->found);
    ids_clear(&search->matching);
    ids_clear(&search->partial);
    free(search);
}

enum vault_hit vault_search_hit(const struct vault_search *search, uint64_t id)
{
    bool is_known = id <= search->mark && search->vault->index_mark >= search->mark; /* not begun anew meanwhile */
    if (!is_known || ids_has(&search->partial, id))
        return VAULT_HIT_MAYBE;
    if (!ids_has(&search->matching, id))
        return VAULT_HIT_NO;
    return search->is_exact ? VAULT_HIT_YES : VAULT_HIT_MAYBE;
}

size_t vault_search_count(const struct vault_search *search)
{
    return search->matching.count + search->partial.count;
}

void vault_search_copy(const struct vault_search *search, uint64_t *ret_ids)
{
    if (search->matching.count > 0)
        memcpy(ret_ids, search->matching.at, search->matching.count * sizeof(*ret_ids));
    if (search->partial.count > 0)
        memcpy(ret_ids + search->matching.count, search->partial.at, search->partial.count * sizeof(*ret_ids));
}
