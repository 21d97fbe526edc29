#include "vault/search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mime/term.h"
#include "vault/engine.h"
#include "vault/lookup.h"

#define TERMS_MAX 16U     /* of a text; what follows is left to looking into the emails */
#define STEP_ROWS 20000U  /* emails found in one step, about */
#define STEP_LOOKUPS 200U /* of terms in one step */
#define FEW 64U           /* so few emails are looked into rather than narrowed down further */
#define ALTERNATIVES_MAX ((size_t)8 << 20U)

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

static int on_block(void *arg, span_t words)
{
    return look_through(arg, words);
}

static int look_through_some(struct vault_search *search)
{
    return lookup_vocabulary(search->vault, &search->block, &search->is_looking, on_block, search);
}

static int look_up_some(struct vault_search *search)
{
    size_t before = search->found.count;
    for (size_t i = 0; i < STEP_LOOKUPS && buf_len(&search->words) > 0; i++) {
        span_t words = buf_span(&search->words);
        size_t len = words.at[0];
        int result = lookup_word(search->vault, search->fields, span_slice(words, 1, len), &search->found);
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
        result = lookup_word(search->vault, search->fields, term->text, &search->found);
    if (result == 0 && may_begin_identifier)
        result = lookup_identifier(search->vault, search->fields, term->text, &search->found);
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
    result = lookup_partial(search->vault, &search->partial);
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
