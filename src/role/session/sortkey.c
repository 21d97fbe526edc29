#include "role/session/sortkey.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "mime/text.h"
#include "mime/word.h"
#include "proto/imap/envelope.h"
#include "vault/email.h"

/*
 * 1 byte of marks; the date (5 bytes), the hash of the Message-ID (8), the number of references (1) and their hashes (8
 * each), each where the marks say that it is there; then the texts, each a length (1) and its bytes. Texts at the end
 * that are empty are left out, and a shown name that is the same as what stands before the @ has length 255.
 */
#define HAS_DATE 1U
#define HAS_ID 2U
#define HAS_REFERENCES 4U
#define IS_REPLY 8U
#define DATE_SIZE 5U
#define HASH_SIZE 8U
#define DATE_OFFSET (INT64_C(1) << 39) /* so that no date is negative; years -15,000 to 19,000 */
#define TEXT_REPEATED 255U
#define RAW_TEXT_MAX 1024U /* of what is folded; a letter may need four bytes, and folding makes some vanish */
#define FOLDED_MAX ((size_t)16 * RAW_TEXT_MAX)

_Static_assert(1 + DATE_SIZE + HASH_SIZE * (1 + IMAP_REFERENCES_MAX) + 1 + SORT_TEXT_COUNT * SORT_TEXT_MAX <=
                   VAULT_SORTING_MAX,
               "the longest key is kept");
_Static_assert(SORT_TEXT_MAX < TEXT_REPEATED, "a length is one byte");

/* --- writing --- */

static void append_date(const struct imap_summary *summary, struct buf *bytes)
{
    uint64_t date = (uint64_t)(summary->date.unix_time + DATE_OFFSET);
    for (size_t i = DATE_SIZE; i-- > 0;)
        buf_append_byte(bytes, (uint8_t)(date >> 8 * i));
}

static void append_hash(span_t id, const uint8_t *hash_key, struct buf *bytes)
{
    uint8_t number[HASH_SIZE];
    bytes_put_u64(number, hash_keyed(hash_key, id));
    buf_append(bytes, span_of(number, sizeof(number)));
}

static bool is_date_kept(const struct imap_summary *summary)
{
    return summary->has_date && summary->date.unix_time >= -DATE_OFFSET && summary->date.unix_time < DATE_OFFSET;
}

static void append_numbers(const struct imap_summary *summary, const uint8_t *hash_key, struct buf *bytes)
{
    bool has_date = is_date_kept(summary);
    bool has_id = summary->message_id.len > 0;
    buf_append_byte(bytes, (uint8_t)((has_date ? HAS_DATE : 0) | (has_id ? HAS_ID : 0) |
                                     (summary->reference_count > 0 ? HAS_REFERENCES : 0) |
                                     (summary->is_reply ? IS_REPLY : 0)));
    if (has_date)
        append_date(summary, bytes);
    if (has_id)
        append_hash(summary->message_id, hash_key, bytes);
    if (summary->reference_count > 0)
        buf_append_byte(bytes, (uint8_t)summary->reference_count);
    for (size_t i = 0; i < summary->reference_count; i++)
        append_hash(summary->references[i], hash_key, bytes);
}

static int append_text(span_t utf8, struct buf *folded)
{
    size_t before = buf_len(folded);
    int result = mime_text_fold(span_upto(utf8, RAW_TEXT_MAX), folded);
    if (buf_len(folded) - before > SORT_TEXT_MAX)
        buf_truncate(folded, before + SORT_TEXT_MAX);
    return result;
}

static int append_display(const struct imap_envelope_address *address, struct arena *scratch, struct buf *folded)
{
    span_t name = SPAN_NONE;
    int result = mime_word_decode_into(scratch, address->name, &name);
    if (result < 0 || name.len > 0)
        return result < 0 ? result : append_text(name, folded);
    struct buf both AUTO_BUF;
    buf_init(&both, 2 * (size_t)RAW_TEXT_MAX + 1);
    buf_append(&both, span_upto(address->mailbox, RAW_TEXT_MAX));
    if (address->host.len > 0)
        buf_append_byte(&both, '@');
    buf_append(&both, span_upto(address->host, RAW_TEXT_MAX));
    return buf_fault(&both) < 0 ? buf_fault(&both) : append_text(buf_span(&both), folded);
}

static int fold_text(enum sort_text which, span_t subject, const struct imap_envelope *envelope, struct arena *scratch,
                     struct buf *folded)
{
    switch (which) {
    case SORT_TEXT_SUBJECT:
        return append_text(subject, folded);
    case SORT_TEXT_FROM:
        return append_text(envelope->from.mailbox, folded);
    case SORT_TEXT_TO:
        return append_text(envelope->to.mailbox, folded);
    case SORT_TEXT_CC:
        return append_text(envelope->cc.mailbox, folded);
    case SORT_TEXT_DISPLAYFROM:
        return append_display(&envelope->from, scratch, folded);
    case SORT_TEXT_DISPLAYTO:
        return append_display(&envelope->to, scratch, folded);
    case SORT_TEXT_COUNT:
        break;
    }
    return -EINVAL;
}

static size_t plain_of(size_t which)
{
    return which == SORT_TEXT_DISPLAYFROM ? SORT_TEXT_FROM : which == SORT_TEXT_DISPLAYTO ? SORT_TEXT_TO : which;
}

static void append_texts(span_t folded, const size_t *lens, struct buf *bytes)
{
    span_t texts[SORT_TEXT_COUNT];
    size_t count = SORT_TEXT_COUNT;
    for (size_t i = 0; i < SORT_TEXT_COUNT; i++) {
        texts[i] = span_upto(folded, lens[i]);
        folded = span_from(folded, lens[i]);
    }
    while (count > 0 && texts[count - 1].len == 0)
        count--;
    for (size_t i = 0; i < count; i++) {
        bool is_repeated = texts[i].len > 0 && plain_of(i) != i && span_equal(texts[i], texts[plain_of(i)]);
        buf_append_byte(bytes, is_repeated ? TEXT_REPEATED : (uint8_t)texts[i].len);
        buf_append(bytes, is_repeated ? SPAN_NONE : texts[i]);
    }
}

int sort_key_append(const struct imap_summary *summary, span_t envelope_text, const uint8_t hash_key[16],
                    struct arena *scratch, struct buf *bytes)
{
    struct imap_envelope envelope = {0};
    size_t lens[SORT_TEXT_COUNT];
    struct buf folded AUTO_BUF;
    buf_init(&folded, FOLDED_MAX + SORT_TEXT_COUNT * SORT_TEXT_MAX);
    int result = envelope_text.len > 0 ? imap_envelope_read(envelope_text, scratch, &envelope) : 0;
    if (result < 0 && result != -EBADMSG)
        return result;
    result = 0;
    for (size_t i = 0; result == 0 && i < SORT_TEXT_COUNT; i++) {
        size_t before = buf_len(&folded);
        result = fold_text((enum sort_text)i, summary->base_subject, &envelope, scratch, &folded);
        lens[i] = buf_len(&folded) - before;
    }
    if (result < 0)
        return result;
    append_numbers(summary, hash_key, bytes);
    append_texts(buf_span(&folded), lens, bytes);
    return buf_fault(bytes);
}

int sort_key_of_header(span_t header, const uint8_t hash_key[16], struct arena *scratch, struct buf *bytes)
{
    struct imap_summary summary = {0};
    struct buf envelope AUTO_BUF;
    buf_init(&envelope, VAULT_CACHE_MAX);
    arena_reset(scratch);
    int result = imap_summary_read(header, scratch, &summary);
    if (result == 0)
        result = imap_envelope_append(header, &envelope);
    if (result == -ENOBUFS) { /* so long that the envelope is not kept either */
        buf_clear(&envelope);
        result = 0;
    }
    return result < 0 ? result : sort_key_append(&summary, buf_span(&envelope), hash_key, scratch, bytes);
}

/* --- reading --- */

static bool take(span_t *rest, size_t len, span_t *ret_taken)
{
    if (rest->len < len)
        return false;
    *ret_taken = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    return true;
}

static int64_t read_date(span_t number)
{
    uint64_t date = 0;
    for (size_t i = 0; i < DATE_SIZE; i++)
        date = date << 8 | number.at[i];
    return (int64_t)date - DATE_OFFSET;
}

static bool read_numbers(span_t *rest, struct sort_key *key)
{
    span_t marks = SPAN_NONE;
    span_t number = SPAN_NONE;
    if (!take(rest, 1, &marks))
        return false;
    key->has_date = (marks.at[0] & HAS_DATE) != 0;
    key->has_id = (marks.at[0] & HAS_ID) != 0;
    key->is_reply = (marks.at[0] & IS_REPLY) != 0;
    if (key->has_date && !take(rest, DATE_SIZE, &number))
        return false;
    if (key->has_date)
        key->date = read_date(number);
    if (key->has_id && !take(rest, HASH_SIZE, &number))
        return false;
    if (key->has_id)
        key->id = bytes_get_u64(number.at);
    if ((marks.at[0] & HAS_REFERENCES) == 0)
        return true;
    if (!take(rest, 1, &number))
        return false;
    key->reference_count = number.at[0];
    if (!take(rest, key->reference_count * HASH_SIZE, &number))
        return false;
    key->reference = number.at;
    return true;
}

bool sort_key_read(span_t bytes, struct sort_key *ret_key)
{
    struct sort_key key = {0};
    span_t len = SPAN_NONE;
    if (!read_numbers(&bytes, &key))
        return false;
    for (size_t i = 0; i < SORT_TEXT_COUNT && take(&bytes, 1, &len); i++) {
        if (len.at[0] == TEXT_REPEATED)
            key.texts[i] = key.texts[plain_of(i)];
        else if (!take(&bytes, len.at[0], &key.texts[i]))
            return false;
    }
    *ret_key = key;
    return true;
}

uint64_t sort_key_reference(const struct sort_key *key, size_t at)
{
    return bytes_get_u64(key->reference + at * HASH_SIZE);
}
