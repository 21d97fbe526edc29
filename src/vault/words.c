#include "vault/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "mime/term.h"
#include "vault/engine.h"

#define ROOM_FIRST 1024U

static const char letters[VAULT_FIELD_COUNT] = {'b', 's', 'f', 't', 'c', 'x', 'h'};

/* The vault's own key, as strangers choose the words. */
void vault_words_init(struct vault_words *words, const struct vault *vault)
{
    *words = (struct vault_words){.hash_key = vault->hash_key};
    buf_init(&words->text, VAULT_WORDS_BYTES);
    buf_init(&words->plain, VAULT_WORDS_BYTES);
}

void vault_words_deinit(struct vault_words *words)
{
    buf_deinit(&words->text);
    buf_deinit(&words->plain);
    free(words->seen);
    *words = (struct vault_words){0};
}

void vault_words_clear(struct vault_words *words)
{
    buf_clear(&words->text);
    buf_clear(&words->plain);
    if (words->count > 0)
        memset(words->seen, 0, words->room * sizeof(*words->seen));
    words->count = 0;
    words->is_partial = false;
}

struct vault_terms vault_words_terms(const struct vault_words *words)
{
    return (struct vault_terms){buf_span(&words->text), buf_span(&words->plain), words->is_partial};
}

int vault_words_encode_word(span_t word, enum vault_field field, struct buf *term)
{
    (void)buf_append(term, word);
    (void)buf_append_text(term, VAULT_WORDS_MARK);
    return buf_append_byte(term, (uint8_t)letters[field]);
}

int vault_words_encode_identifier(span_t identifier, enum vault_field field, struct buf *term)
{
    (void)buf_append_byte(term, (uint8_t)letters[field]);
    (void)buf_append_text(term, VAULT_WORDS_MARK);
    return buf_append(term, identifier);
}

static enum vault_field field_of_letter(uint8_t letter)
{
    unsigned field = 0;
    while (field + 1 < VAULT_FIELD_COUNT && letters[field] != (char)letter)
        field++;
    return (enum vault_field)field;
}

/* No term has a blank or the mark in it, and one of a single letter before the mark has one behind it, too. */
bool vault_words_next(span_t *rest, struct vault_word *ret_word)
{
    span_t mark = SPAN(VAULT_WORDS_MARK);
    *rest = span_trim(*rest);
    if (rest->len == 0)
        return false;
    span_t term = span_upto(*rest, span_find_byte(*rest, ' '));
    *rest = span_from(*rest, term.len);
    size_t at = span_find(term, mark);
    span_t behind = span_from(term, at + mark.len);
    ret_word->is_identifier = behind.len > 1;
    ret_word->text = ret_word->is_identifier ? behind : span_upto(term, at);
    ret_word->field = field_of_letter(ret_word->is_identifier ? term.at[0] : behind.len > 0 ? behind.at[0] : 0);
    return true;
}

/* Whether the hash was not there before; 0 is the mark of an empty slot. */
static bool put(uint64_t *seen, size_t room, uint64_t hash)
{
    size_t at = (size_t)hash & (room - 1);
    while (seen[at] != 0 && seen[at] != hash)
        at = (at + 1) & (room - 1);
    bool is_new = seen[at] == 0;
    seen[at] = hash;
    return is_new;
}

static int grow(struct vault_words *words)
{
    size_t room = words->room == 0 ? ROOM_FIRST : 2 * words->room;
    uint64_t *seen = mem_new_array(room, sizeof(*seen));
    if (seen == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < words->room; i++)
        if (words->seen[i] != 0)
            (void)put(seen, room, words->seen[i]);
    free(words->seen);
    words->seen = seen;
    words->room = room;
    return 0;
}

static int append_plain(struct vault_words *words, span_t word, uint64_t hash)
{
    uint8_t head[9];
    bytes_put_u64(head, hash);
    head[8] = (uint8_t)word.len; /* at most MIME_TERM_MAX */
    (void)buf_append(&words->plain, span_of(head, sizeof(head)));
    return buf_append(&words->plain, word);
}

static int append_term(struct vault_words *words, enum vault_field field, const struct mime_term *term)
{
    (void)buf_append_byte(&words->text, ' ');
    return term->kind == MIME_TERM_IDENTIFIER ? vault_words_encode_identifier(term->text, field, &words->text)
                                              : vault_words_encode_word(term->text, field, &words->text);
}

/* The word alone decides of the vocabulary, the word and its field of the rest: two entries in one table. */
static int add_term(struct vault_words *words, enum vault_field field, const struct mime_term *term)
{
    uint64_t hash = hash_keyed(words->hash_key, term->text) | 1U;
    uint64_t in_field = hash + 2U * ((uint64_t)field + 1U);
    int result = 0;
    if (2 * (words->count + 2) > words->room)
        result = grow(words);
    if (result < 0 || !put(words->seen, words->room, in_field))
        return result;
    words->count++;
    result = append_term(words, field, term);
    if (result == 0 && term->kind != MIME_TERM_IDENTIFIER && put(words->seen, words->room, hash)) {
        words->count++;
        result = append_plain(words, term->text, hash);
    }
    return result;
}

int vault_words_add(struct vault_words *words, enum vault_field field, span_t folded)
{
    struct mime_terms terms;
    struct mime_term term;
    mime_terms_init(&terms, folded);
    while (mime_terms_next(&terms, &term)) {
        int result = words->count < VAULT_WORDS_MAX ? add_term(words, field, &term) : -ENOBUFS;
        if (result == -ENOBUFS) {
            words->is_partial = true;
            return 0;
        }
        if (result < 0)
            return result;
    }
    return 0;
}
