#include "role/session/index.h"

#include <errno.h>

#include "base/bytes.h"
#include "proto/imap/bodystructure.h"
#include "proto/imap/envelope.h"
#include "role/session/sortkey.h"

#define STRUCTURE_VERSION 1U
#define STRUCTURE_HEAD 5U /* version (1), length of BODY (4) */

int index_structure_make(const struct mime_part *root, struct buf *structure)
{
    uint8_t head[STRUCTURE_HEAD] = {STRUCTURE_VERSION};
    struct buf body AUTO_BUF;
    buf_init(&body, structure->max);
    int result = imap_body_append(root, &body);
    if (result < 0)
        return result;
    bytes_put_u32(head + 1, (uint32_t)buf_len(&body));
    (void)buf_append(structure, span_of(head, sizeof(head)));
    (void)buf_append(structure, buf_span(&body));
    return imap_bodystructure_append(root, structure);
}

bool index_structure_split(span_t structure, span_t *ret_body, span_t *ret_bodystructure)
{
    if (structure.len < STRUCTURE_HEAD || structure.at[0] != STRUCTURE_VERSION)
        return false;
    uint32_t len = bytes_get_u32(structure.at + 1);
    if (len > structure.len - STRUCTURE_HEAD)
        return false;
    *ret_body = span_slice(structure, STRUCTURE_HEAD, len);
    *ret_bodystructure = span_from(structure, STRUCTURE_HEAD + len);
    return true;
}

static int keep_summary(const struct imap_summary *summary, struct arena *keep, struct vault_new_email *email)
{
    email->sent = summary->has_date ? summary->date.unix_time * 1000000 : 0;
    int result = arena_copy(keep, summary->message_id, &email->message_id);
    if (result < 0)
        return result;
    size_t count = summary->reference_count;
    size_t skip = count > VAULT_REFERENCES_MAX ? count - VAULT_REFERENCES_MAX : 0;
    span_t *references = arena_alloc_array(keep, count - skip + 1, sizeof(*references));
    if (references == NULL)
        return -ENOMEM;
    for (size_t i = skip; i < count; i++) {
        result = arena_copy(keep, summary->references[i], &references[email->reference_count]);
        if (result < 0)
            return result;
        email->reference_count++;
    }
    email->references = references;
    return 0;
}

/* A cache too long to be kept stays empty and is made when it is asked for. */
static int keep_cache(int result, const struct buf *text, struct arena *keep, span_t *ret_cache)
{
    if (result == -ENOBUFS)
        return 0;
    return result < 0 ? result : arena_copy(keep, buf_span(text), ret_cache);
}

/* Everything that the header says. */
static int index_header(span_t header, const uint8_t *hash_key, struct arena *scratch, struct arena *keep,
                        struct vault_new_email *email)
{
    struct imap_summary summary = {0};
    struct buf text AUTO_BUF;
    buf_init(&text, VAULT_CACHE_MAX);
    arena_reset(scratch);
    int result = imap_summary_read(header, scratch, &summary);
    if (result == 0)
        result = keep_summary(&summary, keep, email);
    if (result == 0)
        result = keep_cache(imap_envelope_append(header, &text), &text, keep, &email->envelope);
    buf_clear(&text);
    if (result == 0)
        result = sort_key_append(&summary, email->envelope, hash_key, scratch, &text);
    return result < 0 ? result : arena_copy(keep, buf_span(&text), &email->sorting);
}

int index_message(span_t message, const uint8_t hash_key[16], struct arena *scratch, struct arena *keep,
                  struct vault_new_email *ret_email)
{
    span_t header = span_upto(message, mime_header_len(message));
    struct vault_new_email email = {.size = message.len, .header_size = (uint32_t)header.len};
    int result = index_header(header, hash_key, scratch, keep, &email);
    if (result < 0)
        return result;
    arena_reset(scratch); /* parsing may need all of it */
    struct mime_part *root = NULL;
    result = mime_parse(message, scratch, &root);
    if (result < 0)
        return result;
    struct buf text AUTO_BUF;
    buf_init(&text, VAULT_CACHE_MAX);
    result = keep_cache(index_structure_make(root, &text), &text, keep, &email.structure);
    if (result < 0)
        return result;
    *ret_email = email;
    return 0;
}
