#include "mime/closeness.h"

#include "mime/term.h"
#include "mime/utf8.h"

#define BEGINNING_MIN 2U
#define INSIDE_MIN 3U
#define LETTERS_FOR_ONE 4U
#define LETTERS_FOR_TWO 8U

struct letters {
    uint32_t at[MIME_TERM_MAX];
    size_t count;
};

static void split(span_t text, struct letters *letters)
{
    letters->count = 0;
    while (text.len > 0 && letters->count < MIME_TERM_MAX)
        letters->at[letters->count++] = utf8_next(&text);
}

static size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

/* Optimal string alignment: the edits that make one the other, each letter edited once at the most. Three rows of the
 * table are enough. */
static size_t distance(const struct letters *one, const struct letters *other)
{
    size_t rows[3][MIME_TERM_MAX + 1];
    size_t *above = rows[0];
    size_t *row = rows[1];
    size_t *far_above = rows[2];
    for (size_t j = 0; j <= other->count; j++)
        row[j] = j;
    for (size_t i = 1; i <= one->count; i++) {
        size_t *next = far_above;
        far_above = above;
        above = row;
        row = next;
        row[0] = i;
        for (size_t j = 1; j <= other->count; j++) {
            bool is_same = one->at[i - 1] == other->at[j - 1];
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + !is_same);
            bool is_swapped =
                i > 1 && j > 1 && one->at[i - 1] == other->at[j - 2] && one->at[i - 2] == other->at[j - 1];
            if (is_swapped)
                row[j] = least(row[j], far_above[j - 2] + 1);
        }
    }
    return row[other->count];
}

static bool is_spelled_like(span_t sought, span_t word)
{
    struct letters one;
    struct letters other;
    split(sought, &one);
    size_t allowed = one.count >= LETTERS_FOR_TWO ? 2 : one.count >= LETTERS_FOR_ONE ? 1 : 0;
    if (allowed == 0 || sought.len > word.len + 4 * allowed || word.len > sought.len + 4 * allowed)
        return false;
    split(word, &other);
    if (one.count > other.count + allowed || other.count > one.count + allowed)
        return false;
    return distance(&one, &other) <= allowed;
}

unsigned mime_closeness(span_t sought, span_t word)
{
    if (span_equal(sought, word))
        return MIME_CLOSE_EQUAL;
    if (sought.len >= BEGINNING_MIN && span_starts(word, sought))
        return MIME_CLOSE_BEGINNING;
    if (sought.len >= INSIDE_MIN && span_find(word, sought) < word.len)
        return MIME_CLOSE_INSIDE;
    return is_spelled_like(sought, word) ? MIME_CLOSE_SPELLING : 0;
}
