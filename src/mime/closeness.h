#pragma once

#include "base/span.h"

/*
 * How near a word comes to one that is sought, both as terms are (mime/term.h): what a fuzzy search finds, and how it
 * scores that (RFC 6203 §4). Every other word is 0.
 */
enum mime_closeness {
    MIME_CLOSE_SPELLING = 25,  /* one letter is wrong, missing, too much, or changed places with the next: of four
                                  letters  and more; of eight and more two such */
    MIME_CLOSE_INSIDE = 50,    /* it is part of the word: three bytes of it at least */
    MIME_CLOSE_BEGINNING = 75, /* the word begins with it: two bytes of it at least */
    MIME_CLOSE_EQUAL = 100,
};
unsigned mime_closeness(span_t sought, span_t word);
