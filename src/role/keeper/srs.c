#include "role/keeper/srs.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define DAY 86400
#define DAYS_KNOWN 1024U /* two letters; they come round after that many days */
#define HASH_LEN 8U      /* letters of 5 bits: guessing them takes 2^40 messages */
#define TEXT_MAX 512U

static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 §6, in lower case */

/* Over what must not be changed, whatever its case. */
static int hash_of(const struct srs *srs, span_t kind, span_t text, char ret_hash[HASH_LEN])
{
    uint8_t lower[TEXT_MAX];
    uint8_t bytes[crypto_generichash_BYTES_MIN];
    if (kind.len + text.len > sizeof(lower))
        return -ENOBUFS;
    for (size_t at = 0; at < kind.len; at++)
        lower[at] = ascii_lower(kind.at[at]);
    for (size_t at = 0; at < text.len; at++)
        lower[kind.len + at] = ascii_lower(text.at[at]);
    if (crypto_generichash(bytes, sizeof(bytes), lower, kind.len + text.len, srs->key, SRS_KEY_SIZE) != 0)
        return -EIO;
    uint64_t bits = 0;
    for (size_t at = 0; at < 5; at++)
        bits = bits << 8 | bytes[at];
    for (size_t at = 0; at < HASH_LEN; at++)
        ret_hash[at] = letters[bits >> (5 * (HASH_LEN - 1 - at)) & 31];
    return 0;
}

static bool is_hash(span_t said, const char hash[HASH_LEN])
{
    uint8_t lower[HASH_LEN];
    if (said.len != HASH_LEN)
        return false;
    for (size_t at = 0; at < HASH_LEN; at++)
        lower[at] = ascii_lower(said.at[at]);
    return sodium_memcmp(lower, hash, HASH_LEN) == 0;
}

static unsigned day_of(int64_t now)
{
    return (unsigned)((uint64_t)(now / DAY) % DAYS_KNOWN);
}

static bool read_day(span_t text, unsigned *ret_day)
{
    *ret_day = 0;
    for (size_t at = 0; at < text.len; at++) {
        const char *letter = memchr(letters, ascii_lower(text.at[at]), sizeof(letters) - 1);
        if (letter == NULL)
            return false;
        *ret_day = *ret_day * 32 + (unsigned)(letter - letters);
    }
    return text.len == 2;
}

/* What may stand in a local part without quotes (RFC 5321 §4.1.2, RFC 6531 §3.3). */
static bool is_plain(span_t text)
{
    for (size_t at = 0; at < text.len; at++) {
        uint8_t byte = text.at[at];
        if (byte == '\0' || (byte < 0x80 && !ascii_is_alpha(byte) && !ascii_is_digit(byte) &&
                             strchr(".!#$%&'*+-/=?^_`{|}~", byte) == NULL))
            return false;
    }
    return text.len > 0;
}

/* "=" ends it when the address is read. */
static bool is_domain(span_t text)
{
    return is_plain(text) && span_find_byte(text, '=') == text.len;
}

/* SRS0 or SRS1, with any of its three separators, taken off the front. */
static bool take_kind(span_t *local, const char *kind)
{
    if (local->len < 6 || !span_equal_nocase(span_upto(*local, 4), span_of_text(kind)))
        return false;
    uint8_t separator = local->at[4];
    if (separator != '=' && separator != '+' && separator != '-')
        return false;
    *local = span_from(*local, 5);
    return true;
}

/* --- there -------------------------------------------------------------------------------------------------------- */

static int write_first(const struct srs *srs, span_t local, span_t domain, struct buf *rest)
{
    unsigned day = day_of(srs->now);
    return buf_append_format(rest, "%c%c=%.*s=%.*s", letters[day / 32], letters[day % 32], SPAN_PRINT(domain),
                             SPAN_PRINT(local));
}

/* What follows the hash: of SRS0, "=" and its rest as it was; of SRS1, all but the other's hash, if that is sound. */
static int write_again(span_t local, span_t domain, struct buf *rest)
{
    span_t word;
    span_t first;
    span_t inner = local;
    if (!take_kind(&inner, "SRS1"))
        return buf_append_format(rest, "%.*s=%.*s", SPAN_PRINT(domain), SPAN_PRINT(span_from(local, 4)));
    if (!span_cut(&inner, '=', &word))
        return -EINVAL;
    span_t behind = inner;
    bool is_sound = span_cut(&behind, '=', &first) && first.len > 0 && behind.len >= 2;
    return is_sound ? buf_append(rest, inner) : -EINVAL;
}

int srs_write(const struct srs *srs, span_t sender, span_t domain, struct buf *address)
{
    AUTO_BUF struct buf rest;
    char hash[HASH_LEN];
    size_t at = span_find_last_byte(sender, '@');
    span_t local = span_upto(sender, at);
    span_t own = span_from(sender, at + 1);
    span_t inner = local;
    buf_init(&rest, SRS_LOCAL_MAX);
    if (at >= sender.len || !is_plain(local) || !is_domain(own))
        return SRS_NONE;
    bool is_again = take_kind(&inner, "SRS0") || take_kind(&inner, "SRS1");
    int result = is_again ? write_again(local, own, &rest) : write_first(srs, local, own, &rest);
    if (result == -ENOBUFS || result == -EINVAL)
        return SRS_NONE;
    span_t kind = is_again ? SPAN("SRS1") : SPAN("SRS0");
    if (result == 0)
        result = hash_of(srs, kind, buf_span(&rest), hash);
    if (result != 0)
        return result;
    result = buf_append_format(address, "%.*s=%.*s=%.*s@%.*s", SPAN_PRINT(kind), (int)HASH_LEN, hash,
                               SPAN_PRINT(buf_span(&rest)), SPAN_PRINT(domain));
    return result != 0 ? result : (int)SRS_OK;
}

/* --- and back ----------------------------------------------------------------------------------------------------- */

static int read_first(const struct srs *srs, span_t rest, struct buf *address)
{
    unsigned day = 0;
    span_t word;
    span_t domain;
    if (!span_cut(&rest, '=', &word) || !read_day(word, &day) || !span_cut(&rest, '=', &domain))
        return SRS_BAD;
    if ((day_of(srs->now) + DAYS_KNOWN - day) % DAYS_KNOWN > SRS_DAYS || domain.len == 0 || rest.len == 0)
        return SRS_BAD;
    return buf_append_format(address, "%.*s@%.*s", SPAN_PRINT(rest), SPAN_PRINT(domain));
}

static int read_again(span_t rest, struct buf *address)
{
    span_t domain;
    if (!span_cut(&rest, '=', &domain) || domain.len == 0 || rest.len < 2)
        return SRS_BAD;
    return buf_append_format(address, "SRS0%.*s@%.*s", SPAN_PRINT(rest), SPAN_PRINT(domain));
}

int srs_read(const struct srs *srs, span_t local, struct buf *address)
{
    char hash[HASH_LEN];
    span_t said;
    span_t rest = local;
    bool is_first = take_kind(&rest, "SRS0");
    if (!is_first && !take_kind(&rest, "SRS1"))
        return SRS_NONE;
    if (local.len > TEXT_MAX || !is_plain(local) || !span_cut(&rest, '=', &said))
        return SRS_BAD;
    int result = hash_of(srs, is_first ? SPAN("SRS0") : SPAN("SRS1"), rest, hash);
    if (result == -ENOBUFS)
        return SRS_BAD;
    if (result != 0)
        return result;
    if (!is_hash(said, hash))
        return SRS_BAD;
    return is_first ? read_first(srs, rest, address) : read_again(rest, address);
}
