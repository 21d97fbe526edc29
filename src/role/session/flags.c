#include "role/session/flags.h"

static const struct {
    const char *name;
    uint64_t bit;
} system_flags[] = {{"\\Seen", VAULT_SEEN},
                    {"\\Answered", VAULT_ANSWERED},
                    {"\\Flagged", VAULT_FLAGGED},
                    {"\\Deleted", VAULT_DELETED},
                    {"\\Draft", VAULT_DRAFT}};

_Static_assert((unsigned)VAULT_SEEN == IMAP_FLAG_SEEN && (unsigned)VAULT_DRAFT == IMAP_FLAG_DRAFT &&
                   (unsigned)VAULT_DELETED == IMAP_FLAG_DELETED,
               "the grammar's system flags are the vault's bits");
#define SYSTEM_BITS (VAULT_SEEN | VAULT_ANSWERED | VAULT_FLAGGED | VAULT_DELETED | VAULT_DRAFT)

int flags_use(struct vault *vault, const struct imap_flags *flags, uint64_t *ret_bits)
{
    uint64_t bits = flags->system & SYSTEM_BITS;
    for (size_t i = 0; i < flags->count; i++) {
        uint64_t mask = 0;
        int result = vault_keyword_use(vault, flags->keywords[i], &mask);
        if (result > 0)
            return FLAGS_LIMIT;
        if (result < 0)
            return result;
        bits |= mask;
    }
    *ret_bits = bits;
    return 0;
}

uint64_t flags_find(const struct vault *vault, const struct imap_flags *flags)
{
    uint64_t bits = flags->system & SYSTEM_BITS;
    for (size_t i = 0; i < flags->count; i++) {
        uint64_t mask = 0;
        if (vault_keyword_find(vault, flags->keywords[i], &mask) == 0)
            bits |= mask;
    }
    return bits;
}

int flags_use_text(struct vault *vault, span_t text, uint64_t *ret_bits)
{
    uint64_t bits = 0;
    span_t word = SPAN_NONE;
    while (text.len > 0) {
        size_t len = span_find_byte(text, ' ');
        word = span_upto(text, len);
        text = span_from(text, len + 1);
        if (word.len == 0)
            continue;
        size_t found = 0;
        while (found < COUNT_OF(system_flags) && !span_equal_nocase(word, span_of_text(system_flags[found].name)))
            found++;
        if (found < COUNT_OF(system_flags)) {
            bits |= system_flags[found].bit;
            continue;
        }
        uint64_t mask = 0;
        int result = word.at[0] == '\\' ? VAULT_NAME_BAD : vault_keyword_use(vault, word, &mask);
        if (result < 0)
            return result;
        if (result == 0)
            bits |= mask;
    }
    *ret_bits = bits;
    return 0;
}

static void separate(struct buf *out, bool *is_first)
{
    if (!*is_first)
        buf_append_byte(out, ' ');
    *is_first = false;
}

void flags_write(const struct vault *vault, uint64_t bits, bool recent, struct buf *out)
{
    bool is_first = true;
    for (size_t i = 0; i < COUNT_OF(system_flags); i++) {
        if ((bits & system_flags[i].bit) == 0)
            continue;
        separate(out, &is_first);
        buf_append_text(out, system_flags[i].name);
    }
    if (recent) {
        separate(out, &is_first);
        buf_append_text(out, "\\Recent");
    }
    for (unsigned bit = VAULT_KEYWORD_FIRST; bits >> bit != 0 && bit < 63; bit++) {
        const char *name = (bits >> bit & 1) != 0 ? vault_keyword_name(vault, bit) : NULL;
        if (name == NULL)
            continue;
        separate(out, &is_first);
        buf_append_text(out, name);
    }
}

void flags_write_command(const struct imap_flags *flags, struct buf *out)
{
    bool is_first = true;
    for (size_t i = 0; i < COUNT_OF(system_flags); i++) {
        if ((flags->system & system_flags[i].bit) == 0)
            continue;
        separate(out, &is_first);
        buf_append_text(out, system_flags[i].name);
    }
    for (size_t i = 0; i < flags->count; i++) {
        separate(out, &is_first);
        buf_append(out, flags->keywords[i]);
    }
}

unsigned flags_keyword_count(const struct vault *vault)
{
    unsigned count = 0;
    while (count < VAULT_KEYWORDS_MAX && vault_keyword_name(vault, VAULT_KEYWORD_FIRST + count) != NULL)
        count++;
    return count;
}
