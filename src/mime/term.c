#include "mime/term.h"

#include <unicode/uchar.h>

#include "mime/utf8.h"

enum class { CLASS_NONE, CLASS_LETTER, CLASS_DIGIT, CLASS_DENSE };

static enum class class_of_ascii(uint8_t byte) {
    if ((uint8_t)(byte - '0') < 10U) return CLASS_DIGIT;
    return (uint8_t)((byte | 0x20U) - 'a') < 26U ? CLASS_LETTER : CLASS_NONE;
}

/* Blocks rather than scripts: quick to look up, and what is rare in a block does no harm. */
static bool is_dense(uint32_t character)
{
    static const struct {
        uint32_t first;
        uint32_t last;
    } blocks[] = {
        {0x0e00, 0x0fff},   /* Thai, Lao, Tibetan */
        {0x1000, 0x109f},   /* Burmese */
        {0x1780, 0x17ff},   /* Khmer */
        {0x3005, 0x3007},   /* iteration mark, zero */
        {0x3041, 0x30ff},   /* Hiragana, Katakana */
        {0x31f0, 0x31ff},   /* Katakana extensions */
        {0x3400, 0x4dbf},   /* Han */
        {0x4e00, 0x9fff},   /* Han */
        {0xf900, 0xfaff},   /* Han */
        {0x20000, 0x3ffff}, /* Han */
    };
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        if (character >= blocks[i].first && character <= blocks[i].last)
            return true;
    return false;
}

static enum class class_of(uint32_t character) {
    int8_t type = u_charType((UChar32)character); bool is_letter = (U_MASK(type) & (U_GC_L_MASK | U_GC_MC_MASK)) != 0;
    bool is_number = (U_MASK(type) & U_GC_N_MASK) != 0;
    if (!is_letter && !is_number) return CLASS_NONE;
    if (is_dense(character)) return CLASS_DENSE;
    return is_letter ? CLASS_LETTER : CLASS_DIGIT;
}

/* The class of the character at `at`, and where the next one begins. */
static enum class look(const struct mime_terms *terms, size_t at, size_t *ret_next) {
    if (at >= terms->text.len){ *ret_next = at; return CLASS_NONE;}
uint8_t byte = terms->text.at[at];
if (byte < 0x80) {
    *ret_next = at + 1;
    return class_of_ascii(byte);
}
span_t rest = span_from(terms->text, at);
uint32_t character = utf8_next(&rest);
*ret_next = terms->text.len - rest.len;
return class_of(character);
}

static bool is_run(enum class class)
{
    return class == CLASS_LETTER || class == CLASS_DIGIT;
}

static void read_run(struct mime_terms *terms, struct mime_term *term)
{
    size_t start = terms->at;
    size_t at = start;
    size_t fits = start;
    size_t next = 0;
    bool has_digit = false;
    for (enum class class = look(terms, at, &next); is_run(class); class = look(terms, at, &next)) {
        has_digit = has_digit || class == CLASS_DIGIT;
        at = next;
        if (at - start <= MIME_TERM_MAX)
            fits = at;
    }
    terms->at = at;
    term->is_cut = fits < at;
    term->text = span_slice(terms->text, start, fits - start);
    term->kind =
        term->is_cut || (has_digit && at - start >= MIME_IDENTIFIER_BYTES) ? MIME_TERM_IDENTIFIER : MIME_TERM_WORD;
    term->is_leading = start == 0;
    term->is_final = at == terms->text.len;
}

/* false: the character at hand stands in the pair before. */
static bool read_pair(struct mime_terms *terms, struct mime_term *term)
{
    size_t start = terms->at;
    size_t second = 0;
    size_t end = 0;
    (void)look(terms, start, &second);
    bool is_pair = look(terms, second, &end) == CLASS_DENSE;
    bool is_covered = terms->in_pairs && !is_pair;
    terms->at = second;
    terms->in_pairs = is_pair;
    if (is_covered)
        return false;
    *term = (struct mime_term){
        .kind = MIME_TERM_PAIR,
        .text = span_slice(terms->text, start, (is_pair ? end : second) - start),
        .is_leading = start == 0,
        .is_final = (is_pair ? end : second) == terms->text.len,
    };
    return true;
}

void mime_terms_init(struct mime_terms *terms, span_t folded)
{
    *terms = (struct mime_terms){.text = folded};
}

bool mime_terms_next(struct mime_terms *terms, struct mime_term *ret_term)
{
    while (terms->at < terms->text.len) {
        size_t next = 0;
        enum class class = look(terms, terms->at, &next);
        if (is_run(class)) {
            terms->in_pairs = false;
            read_run(terms, ret_term);
            return true;
        }
        if (class == CLASS_DENSE) {
            if (read_pair(terms, ret_term))
                return true;
            continue;
        }
        terms->in_pairs = false;
        terms->at = next;
    }
    return false;
}
