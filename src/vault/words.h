#pragma once

#include "base/buf.h"

/*
 * What the index keeps of one email: its terms (mime/term.h), each once for every field it stands in.
 */
enum vault_field {
    VAULT_FIELD_BODY, /* names of attachments too */
    VAULT_FIELD_SUBJECT,
    VAULT_FIELD_FROM,
    VAULT_FIELD_TO,
    VAULT_FIELD_CC,
    VAULT_FIELD_BCC,
    VAULT_FIELD_HEADER, /* all other header fields */
    VAULT_FIELD_COUNT
};

#define VAULT_WORDS_MAX 32768U               /* of one email; each is a term in a field */
#define VAULT_WORDS_BYTES ((size_t)4 << 20U) /* of their text */

struct vault_words {
    struct buf text;  /* what FTS5 is given: all of them, apart by spaces */
    struct buf plain; /* words as they stand in the vocabulary, each with its hash (8 bytes) and length (1) before it */
    uint64_t *seen;   /* hashes: a table with open addressing */
    size_t room;
    size_t count;
    const uint8_t *hash_key;
    bool is_partial; /* there was more than there is room for */
};

struct vault;

/* Takes no memory before the first word; may be cleared and used again for the next email. The vault must outlive it.
 */
void vault_words_init(struct vault_words *words, const struct vault *vault);
void vault_words_deinit(struct vault_words *words);
void vault_words_clear(struct vault_words *words);

/* Adds the terms of a text as mime_text_fold gives it. What is too much sets is_partial. 0, -ENOMEM. */
MUST_USE int vault_words_add(struct vault_words *words, enum vault_field field, span_t folded);

#define AUTO_WORDS __attribute__((cleanup(vault_words_deinit)))

/* What the index is given of an email; lent by the words, or kept somewhere in between. */
struct vault_terms {
    span_t text;
    span_t plain;
    bool is_partial;
};

struct vault_terms vault_words_terms(const struct vault_words *words); /* valid until the words change */

/* Takes a term off the front of a text of terms; false: there is none left. */
struct vault_word {
    span_t text;
    enum vault_field field;
    bool is_identifier;
};
bool vault_words_next(span_t *rest, struct vault_word *ret_word);

/*
 * A word as FTS5 knows it: the word, a mark, its field; an identifier: its field, the mark, the identifier. So one
 * prefix finds a word in all fields, and another the identifiers of a field that begin in some way.
 */
int vault_words_encode_word(span_t word, enum vault_field field, struct buf *term);
int vault_words_encode_identifier(span_t identifier, enum vault_field field, struct buf *term);
#define VAULT_WORDS_MARK "\302\246"
