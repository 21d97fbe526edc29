#include "trust/arc/seal.h"

#include <errno.h>

#define FIELD_MAX 65536U
#define SEALED_MAX (3U * ARC_INSTANCES_MAX)

static struct mime_field field_of(const struct buf *text)
{
    return (struct mime_field){.whole = buf_span(text)};
}

/* All sets in their order; of a chain that has failed the new one alone (RFC 8617 §5.1.2). The seal itself is left. */
static void gather(const struct arc_sealing *sealing, struct mime_field *fields, struct dkim_header *ret_header)
{
    size_t count = 0;
    unsigned sets = sealing->chain->result == ARC_FAIL ? 0 : sealing->chain->count;
    for (unsigned i = 0; i < sets; i++) {
        fields[count++].whole = sealing->chain->sets[i].results;
        fields[count++].whole = sealing->chain->sets[i].message;
        fields[count++].whole = sealing->chain->sets[i].seal;
    }
    *ret_header = (struct dkim_header){.fields = fields, .count = count};
}

static int seal(const struct arc_sealing *sealing, const struct dkim_header *header, const struct dkim_signer *signer,
                struct buf parts[3])
{
    struct mime_field fields[SEALED_MAX];
    struct dkim_header sealed;
    struct dkim_signing signing = {
        .kind = DKIM_OF_ARC_MESSAGE,
        .algorithm = sealing->algorithm,
        .domain = sealing->domain,
        .selector = sealing->selector,
        .now = sealing->now,
        .body_hash = sealing->body_hash,
        .instance = sealing->chain->count + 1,
        .chain = arc_result_text(sealing->chain->result),
        .seal = &sealed,
    };
    (void)buf_append_format(&parts[2], "ARC-Authentication-Results: i=%u; %.*s", signing.instance,
                            SPAN_PRINT(sealing->host));
    (void)buf_append(&parts[2], sealing->results);
    (void)buf_append_text(&parts[2], "\r\n");
    int result = dkim_sign(&signing, header, signer, &parts[1]);
    if (result != 0)
        return result;
    gather(sealing, fields, &sealed);
    fields[sealed.count++] = field_of(&parts[2]);
    fields[sealed.count++] = field_of(&parts[1]);
    signing.kind = DKIM_OF_ARC_SEAL;
    return buf_fault(&parts[2]) != 0 ? buf_fault(&parts[2]) : dkim_sign(&signing, header, signer, &parts[0]);
}

int arc_seal(const struct arc_sealing *sealing, const struct dkim_header *header, const struct dkim_signer *signer,
             struct buf *lines)
{
    struct buf parts[3]; /* as they will stand: seal, signature, results */
    if (sealing->chain->has_failed_before || sealing->chain->count >= ARC_INSTANCES_MAX)
        return ARC_NOT_SEALED;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        buf_init(&parts[i], FIELD_MAX);
    int result = seal(sealing, header, signer, parts);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (result == 0)
            result = buf_append(lines, buf_span(&parts[i]));
        buf_deinit(&parts[i]);
    }
    return result;
}
