#include "trust/dkim/header.h"

#include <errno.h>
#include <openssl/evp.h>

int dkim_header_index(span_t header, struct arena *arena, struct dkim_header *ret_header)
{
    struct mime_field *fields = arena_alloc_array(arena, DKIM_FIELDS_MAX, sizeof(*fields));
    if (fields == NULL)
        return -ENOMEM;
    struct dkim_header out = {.text = header, .fields = fields, .is_too_large = header.len > DKIM_HEADER_MAX};
    header = span_upto(header, DKIM_HEADER_MAX);
    struct mime_field field;
    while (mime_field_next(&header, &field)) {
        out.is_too_large = out.is_too_large || out.count == DKIM_FIELDS_MAX;
        if (out.count == DKIM_FIELDS_MAX)
            break;
        fields[out.count++] = field;
    }
    *ret_header = out;
    return 0;
}

int dkim_hash(span_t bytes, uint8_t ret_hash[DKIM_HASH_SIZE])
{
    return EVP_Digest(bytes.at, bytes.len, ret_hash, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

int dkim_header_append_own(const struct dkim_signature *signature, struct buf *out)
{
    size_t cut = (size_t)(signature->empty_b.at - signature->field.at);
    AUTO_BUF struct buf field;
    buf_init(&field, DKIM_SIGNATURE_MAX + 2);
    (void)buf_append(&field, span_upto(signature->field, cut));
    (void)buf_append(&field, span_from(signature->field, cut + signature->empty_b.len));
    size_t before = buf_len(out);
    if (buf_fault(&field) == 0)
        (void)dkim_canon_field(signature->header_canon, buf_span(&field), out);
    if (buf_fault(&field) != 0 || buf_fault(out) != 0)
        return buf_fault(&field) != 0 ? buf_fault(&field) : buf_fault(out);
    if (span_ends(buf_span(out), SPAN("\r\n")) && buf_len(out) >= before + 2)
        buf_truncate(out, buf_len(out) - 2);
    return 0;
}

/* The last field of the name that was not taken yet; what is not there counts as nothing (RFC 6376 §5.4). */
static int append_named(const struct dkim_header *header, const struct dkim_signature *signature, span_t name,
                        bool *taken, struct buf *out)
{
    for (size_t i = header->count; i-- > 0;) {
        if (taken[i] || !span_equal_nocase(header->fields[i].name, name))
            continue;
        taken[i] = true;
        return dkim_canon_field(signature->header_canon, header->fields[i].whole, out);
    }
    return 0;
}

int dkim_header_hash(const struct dkim_header *header, const struct dkim_signature *signature,
                     uint8_t ret_hash[DKIM_HASH_SIZE])
{
    bool taken[DKIM_FIELDS_MAX] = {false};
    AUTO_BUF struct buf text;
    buf_init(&text, DKIM_HEADER_MAX + 2U * DKIM_SIGNATURE_MAX + 2U * DKIM_FIELDS_MAX);
    for (size_t i = 0; i < header->count; i++) /* a signature does not sign itself */
        taken[i] = header->fields[i].whole.at == signature->field.at;
    span_t names = signature->names;
    for (span_t name; span_cut(&names, ':', &name);)
        (void)append_named(header, signature, name, taken, &text);
    (void)dkim_header_append_own(signature, &text);
    return buf_fault(&text) != 0 ? buf_fault(&text) : dkim_hash(buf_span(&text), ret_hash);
}
