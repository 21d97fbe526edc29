#include "vault/fuzzy.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mime/closeness.h"
#include "mime/term.h"
#include "vault/lookup.h"

#define STEP_LOOKUPS 200U /* of words in one step */
#define WORDS_MAX ((size_t)1 << 20U)

/* From the closest on. */
static const unsigned grades[] = {MIME_CLOSE_EQUAL, MIME_CLOSE_BEGINNING, MIME_CLOSE_INSIDE, MIME_CLOSE_SPELLING};
#define GRADES COUNT_OF(grades)

struct scored {
    uint64_t id;
    unsigned sum;
};

struct vault_fuzzy {
    struct vault *vault;
    unsigned fields;
    uint64_t mark;
    bool is_known; /* the index has answered */
    struct buf text;
    struct mime_term terms[FUZZY_TERMS_MAX];
    size_t term_count;
    size_t term;     /* the one at hand */
    bool is_looking; /* through the vocabulary */
    int64_t block;
    struct buf words; /* close ones, not yet looked up, each with its grade (1) and length (1) before it */
    struct ids found[GRADES];
    struct ids partial;
    struct scored *scored; /* by the terms so far, in order of ids */
    size_t scored_count;
};

int vault_fuzzy_new(struct vault *vault, unsigned fields, span_t folded, struct vault_fuzzy **ret_fuzzy)
{
    AUTO(vault_fuzzy) struct vault_fuzzy *fuzzy = mem_new(sizeof(*fuzzy));
    if (fuzzy == NULL)
        return -ENOMEM;
    fuzzy->vault = vault;
    fuzzy->fields = fields;
    fuzzy->mark = vault->index_mark;
    fuzzy->is_looking = true;
    buf_init(&fuzzy->text, folded.len + 1);
    buf_init(&fuzzy->words, WORDS_MAX);
    int result = buf_append(&fuzzy->text, folded);
    if (result < 0)
        return result;
    struct mime_terms terms;
    mime_terms_init(&terms, buf_span(&fuzzy->text));
    while (fuzzy->term_count < FUZZY_TERMS_MAX && mime_terms_next(&terms, &fuzzy->terms[fuzzy->term_count]))
        fuzzy->term_count++;
    if (fuzzy->term_count == 0)
        return VAULT_SEARCH_NO_HELP;
    *ret_fuzzy = TAKE(fuzzy);
    return 0;
}

static void clear_found(struct vault_fuzzy *fuzzy)
{
    for (size_t i = 0; i < GRADES; i++)
        ids_clear(&fuzzy->found[i]);
}

void vault_fuzzy_free(struct vault_fuzzy *fuzzy)
{
    if (fuzzy == NULL)
        return;
    buf_deinit(&fuzzy->text);
    buf_deinit(&fuzzy->words);
    clear_found(fuzzy);
    ids_clear(&fuzzy->partial);
    free(fuzzy->scored);
    free(fuzzy);
}

/* --- one term --- */

static size_t grade_of(unsigned closeness)
{
    size_t grade = 0;
    while (grade < GRADES && grades[grade] != closeness)
        grade++;
    return grade;
}

static int on_block(void *arg, span_t words)
{
    struct vault_fuzzy *fuzzy = arg;
    const struct mime_term *term = &fuzzy->terms[fuzzy->term];
    int result = 0;
    while (result == 0 && words.len > 0) {
        size_t len = span_find_byte(words, '\n');
        span_t word = span_upto(words, len);
        size_t grade = grade_of(mime_closeness(term->text, word));
        if (grade < GRADES && word.len <= MIME_TERM_MAX) {
            uint8_t head[2] = {(uint8_t)grade, (uint8_t)word.len};
            (void)buf_append(&fuzzy->words, span_of(head, sizeof(head)));
            result = buf_append(&fuzzy->words, word);
        }
        words = span_from(words, len + 1);
    }
    return result;
}

static int look_up_some(struct vault_fuzzy *fuzzy)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < STEP_LOOKUPS && buf_len(&fuzzy->words) > 0; i++) {
        span_t words = buf_span(&fuzzy->words);
        size_t len = words.at[1];
        result = lookup_word(fuzzy->vault, fuzzy->fields, span_slice(words, 2, len), &fuzzy->found[words.at[0]]);
        buf_consume(&fuzzy->words, 2 + len);
    }
    return result;
}

/* Identifiers are not in the vocabulary, and found by their beginning. */
static int look_up_identifier(struct vault_fuzzy *fuzzy)
{
    fuzzy->is_looking = false;
    return lookup_identifier(fuzzy->vault, fuzzy->fields, fuzzy->terms[fuzzy->term].text,
                             &fuzzy->found[grade_of(MIME_CLOSE_BEGINNING)]);
}

/* --- scores --- */

static int compare_scored(const void *one, const void *other)
{
    const struct scored *left = one;
    const struct scored *right = other;
    return left->id < right->id ? -1 : left->id > right->id;
}

/* Those that the term was found in, each with the best it was found with. */
static int gather(struct vault_fuzzy *fuzzy, struct scored **ret_scored, size_t *ret_count)
{
    size_t room = 1;
    size_t count = 0;
    for (size_t i = 0; i < GRADES; i++) {
        ids_sort(&fuzzy->found[i]);
        room += fuzzy->found[i].count;
    }
    struct scored *scored = mem_new_array(room, sizeof(*scored));
    if (scored == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < GRADES; i++)
        for (size_t j = 0; j < fuzzy->found[i].count; j++) {
            uint64_t id = fuzzy->found[i].at[j];
            bool is_better = false;
            for (size_t before = 0; before < i; before++)
                is_better |= ids_has(&fuzzy->found[before], id);
            if (!is_better)
                scored[count++] = (struct scored){id, grades[i]};
        }
    qsort(scored, count, sizeof(*scored), compare_scored);
    *ret_scored = scored;
    *ret_count = count;
    return 0;
}

/* Only what all terms are found in stays. */
static int term_end(struct vault_fuzzy *fuzzy)
{
    AUTO_FREE struct scored *scored = NULL;
    size_t count = 0;
    int result = gather(fuzzy, &scored, &count);
    if (result < 0)
        return result;
    clear_found(fuzzy);
    size_t kept = 0;
    size_t at = 0;
    for (size_t i = 0; fuzzy->term > 0 && i < count; i++) {
        while (at < fuzzy->scored_count && fuzzy->scored[at].id < scored[i].id)
            at++;
        if (at < fuzzy->scored_count && fuzzy->scored[at].id == scored[i].id)
            scored[kept++] = (struct scored){scored[i].id, scored[i].sum + fuzzy->scored[at].sum};
    }
    free(fuzzy->scored);
    fuzzy->scored = TAKE(scored);
    fuzzy->scored_count = fuzzy->term > 0 ? kept : count;
    fuzzy->term++;
    fuzzy->is_looking = true;
    fuzzy->block = 0;
    return 0;
}

int vault_fuzzy_step(struct vault_fuzzy *fuzzy)
{
    int result = 0;
    if (fuzzy->term == fuzzy->term_count) {
        result = lookup_partial(fuzzy->vault, &fuzzy->partial);
        fuzzy->is_known = result == 0;
        return result;
    }
    if (fuzzy->is_looking && fuzzy->terms[fuzzy->term].kind == MIME_TERM_IDENTIFIER)
        result = look_up_identifier(fuzzy);
    else if (fuzzy->is_looking)
        result = lookup_vocabulary(fuzzy->vault, &fuzzy->block, &fuzzy->is_looking, on_block, fuzzy);
    else if (buf_len(&fuzzy->words) > 0)
        result = look_up_some(fuzzy);
    else
        result = term_end(fuzzy);
    return result < 0 ? result : VAULT_SEARCH_HAS_MORE;
}

static unsigned mean(const struct vault_fuzzy *fuzzy, unsigned sum)
{
    return sum / (unsigned)fuzzy->term_count;
}

unsigned vault_fuzzy_score(const struct vault_fuzzy *fuzzy, uint64_t id)
{
    bool knows = fuzzy->is_known && id <= fuzzy->mark && fuzzy->vault->index_mark >= fuzzy->mark;
    if (!knows || ids_has(&fuzzy->partial, id))
        return VAULT_FUZZY_UNKNOWN;
    struct scored key = {.id = id};
    const struct scored *found = fuzzy->scored_count == 0
                                     ? NULL
                                     : bsearch(&key, fuzzy->scored, fuzzy->scored_count, sizeof(key), compare_scored);
    return found == NULL ? 0 : mean(fuzzy, found->sum);
}

/* --- words at hand --- */

static unsigned closest(const struct vault_fuzzy *fuzzy, const struct mime_term *term, const struct vault_words *words)
{
    unsigned best = 0;
    struct vault_word word;
    span_t rest = vault_words_terms(words).text;
    while (vault_words_next(&rest, &word)) {
        if ((fuzzy->fields & 1U << word.field) == 0 || word.is_identifier != (term->kind == MIME_TERM_IDENTIFIER))
            continue;
        unsigned closeness = !word.is_identifier                  ? mime_closeness(term->text, word.text)
                             : span_starts(word.text, term->text) ? (unsigned)MIME_CLOSE_BEGINNING
                                                                  : 0U;
        best = closeness > best ? closeness : best;
    }
    return best;
}

unsigned vault_fuzzy_score_words(const struct vault_fuzzy *fuzzy, const struct vault_words *words)
{
    unsigned sum = 0;
    for (size_t i = 0; i < fuzzy->term_count; i++) {
        unsigned closeness = closest(fuzzy, &fuzzy->terms[i], words);
        if (closeness == 0)
            return 0;
        sum += closeness;
    }
    return mean(fuzzy, sum);
}
