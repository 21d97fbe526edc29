#pragma once

#include "base/span.h"

/*
 * Terms: what an index for searching keeps of a text that mime_text_fold has folded.
 *
 * A term is a run of letters and digits. A long one with digits in it, or one longer than anybody's word, is an
 * identifier: such are many and each is rare, so an index keeps them apart. Scripts that put no spaces between words
 * (Han, Kana, Thai, Lao, Khmer, Burmese, Tibetan) become pairs of neighbouring characters, each one overlapping the
 * one before it; a lone character is a term of its own.
 */
#define MIME_TERM_MAX 64U         /* bytes; of a longer identifier the term is the beginning */
#define MIME_IDENTIFIER_BYTES 12U /* from here on a run with a digit in it is an identifier */

enum mime_term_kind { MIME_TERM_WORD, MIME_TERM_IDENTIFIER, MIME_TERM_PAIR };

struct mime_term {
    enum mime_term_kind kind;
    span_t text;     /* within the folded text */
    bool is_cut;     /* the run goes on after it */
    bool is_leading; /* nothing stands before its run: where the text is sought, its run may begin earlier */
    bool is_final;   /* nothing stands behind its run */
};

struct mime_terms {
    span_t text;
    size_t at;
    bool in_pairs; /* the character at hand was the second of a pair */
};

void mime_terms_init(struct mime_terms *terms, span_t folded);
bool mime_terms_next(struct mime_terms *terms, struct mime_term *ret_term);
