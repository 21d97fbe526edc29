#include "trust/dkim/signature.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "trust/domain.h"
#include "trust/taglist.h"

struct reading {
    struct taglist tags;
    struct arena *arena;
    struct dkim_signature *out;
    int fault;
};

/* Without the white space and line ends that may stand anywhere in a value (RFC 6376 §3.2). */
static span_t squeeze(struct reading *reading, span_t value)
{
    uint8_t *bytes = arena_alloc(reading->arena, value.len + 1);
    if (bytes == NULL) {
        reading->fault = -ENOMEM;
        return SPAN_NONE;
    }
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++)
        if (!ascii_is_space(value.at[i]) && value.at[i] != '\r' && value.at[i] != '\n')
            bytes[len++] = value.at[i];
    return span_of(bytes, len);
}

static span_t tag(struct reading *reading, const char *name)
{
    span_t value = taglist_value(&reading->tags, name);
    return value.at != NULL ? squeeze(reading, value) : SPAN_NONE;
}

static bool decode(struct reading *reading, span_t text, span_t *ret_bytes)
{
    AUTO_BUF struct buf bytes;
    buf_init(&bytes, text.len);
    int result = base64_decode(text, &bytes);
    if (result == 0)
        result = arena_copy(reading->arena, buf_span(&bytes), ret_bytes);
    if (result == -ENOMEM)
        reading->fault = result;
    return result == 0 && ret_bytes->len > 0;
}

static void read_algorithm(struct reading *reading)
{
    static const struct {
        const char *name;
        enum dkim_algorithm algorithm;
    } rows[] = {
        {"rsa-sha256", DKIM_RSA_SHA256},         /* RFC 6376 §3.3.2 */
        {"ed25519-sha256", DKIM_ED25519_SHA256}, /* RFC 8463 §3 */
        {"rsa-sha1", DKIM_RSA_SHA1},             /* RFC 8301 §3.1 */
    };
    reading->out->algorithm_text = tag(reading, "a");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (span_equal_nocase(reading->out->algorithm_text, span_of_text(rows[i].name)))
            reading->out->algorithm = rows[i].algorithm;
}

static bool read_canon(span_t text, enum dkim_canon *ret_canon)
{
    *ret_canon = span_equal_nocase(text, SPAN("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
    return *ret_canon == DKIM_RELAXED || span_equal_nocase(text, SPAN("simple"));
}

/* "header/body"; simple where not said (RFC 6376 §3.5). */
static bool read_canons(struct reading *reading)
{
    span_t text = tag(reading, "c");
    if (text.at == NULL)
        return true;
    size_t slash = span_find_byte(text, '/');
    return read_canon(span_upto(text, slash), &reading->out->header_canon) &&
           (slash >= text.len || read_canon(span_from(text, slash + 1), &reading->out->body_canon));
}

static bool read_number(struct reading *reading, const char *name, uint64_t *ret_value)
{
    span_t text = tag(reading, name);
    return text.at == NULL || span_to_u64(text, INT64_MAX, ret_value) == 0;
}

static bool read_domain(struct reading *reading, const char *name, span_t *ret_domain)
{
    span_t text = tag(reading, name);
    int result = text.len > 0 ? domain_normal(text, reading->arena, ret_domain) : -EINVAL;
    if (result == -ENOMEM)
        reading->fault = result;
    return result == 0;
}

static bool read_identity(struct reading *reading)
{
    struct dkim_signature *out = reading->out;
    out->identity = tag(reading, "i");
    if (out->identity.at != NULL) {
        span_t domain = SPAN_NONE;
        size_t at = span_find_last_byte(out->identity, '@');
        return at < out->identity.len &&
               domain_normal(span_from(out->identity, at + 1), reading->arena, &domain) == 0 &&
               domain_is_below(domain, out->domain); /* RFC 6376 §3.5 */
    }
    uint8_t *bytes = arena_alloc(reading->arena, out->domain.len + 1);
    if (bytes == NULL) {
        reading->fault = -ENOMEM;
        return false;
    }
    bytes[0] = '@';
    memcpy(bytes + 1, out->domain.at, out->domain.len);
    out->identity = span_of(bytes, out->domain.len + 1);
    return true;
}

static bool read_names(struct reading *reading)
{
    reading->out->names = tag(reading, "h");
    span_t rest = reading->out->names;
    size_t count = 0;
    for (span_t name; span_cut(&rest, ':', &name); count++)
        if (name.len == 0 || count == DKIM_NAMES_MAX)
            return false;
    return count > 0 && dkim_signature_covers(reading->out, SPAN("From")); /* RFC 6376 §5.4 */
}

static bool read_body_hash(struct reading *reading)
{
    span_t hash = SPAN_NONE;
    span_t text = tag(reading, "bh");
    if (reading->out->algorithm == DKIM_RSA_SHA1 || reading->out->algorithm == DKIM_UNKNOWN)
        return text.len > 0;
    if (!decode(reading, text, &hash) || hash.len != DKIM_HASH_SIZE)
        return false;
    memcpy(reading->out->body_hash, hash.at, hash.len);
    return true;
}

/* From behind the "=" of b= up to the ";", white space included (RFC 6376 §3.7). */
static span_t value_whole(const struct taglist *tags, span_t field)
{
    const uint8_t *start = taglist_value(tags, "b").at;
    while (start > field.at && start[-1] != '=')
        start--;
    span_t rest = span_of(start, (size_t)(field.at + field.len - start));
    return span_upto(rest, span_find_byte(rest, ';'));
}

static const char *read_common(struct reading *reading)
{
    struct dkim_signature *out = reading->out;
    if (!read_domain(reading, "d", &out->domain))
        return "no domain in d=";
    if (!read_domain(reading, "s", &out->selector))
        return "no selector in s=";
    read_algorithm(reading);
    out->signature_text = tag(reading, "b");
    if (!decode(reading, out->signature_text, &out->signature))
        return "no signature in b=";
    out->empty_b = value_whole(&reading->tags, out->field);
    if (!read_number(reading, "t", &out->time))
        return "no time in t=";
    return NULL;
}

static const char *read_coverage(struct reading *reading)
{
    span_t query = tag(reading, "q");
    if (!read_canons(reading))
        return "unknown canonicalization in c=";
    if (!read_names(reading))
        return "From is not among the fields in h=";
    if (!read_body_hash(reading))
        return "no hash in bh=";
    if (!read_number(reading, "l", &reading->out->limit))
        return "no length in l=";
    if (!read_number(reading, "x", &reading->out->expiry))
        return "no time in x=";
    if (reading->out->expiry != 0 && reading->out->expiry < reading->out->time)
        return "it expired before it was made";
    if (query.at != NULL && span_find_nocase(query, SPAN("dns/txt")) >= query.len)
        return "unknown query method in q=";
    return NULL;
}

static const char *read_instance(struct reading *reading)
{
    uint64_t instance = 0;
    if (span_to_u64(tag(reading, "i"), ARC_INSTANCES_MAX, &instance) != 0 || instance == 0)
        return "no instance in i=";
    reading->out->instance = (unsigned)instance;
    return NULL;
}

static const char *read_message(struct reading *reading)
{
    const char *wrong = read_coverage(reading);
    if (wrong == NULL && !span_equal(tag(reading, "v"), SPAN("1")))
        wrong = "unknown version in v=";
    if (wrong == NULL && !read_identity(reading))
        wrong = "the identity in i= is not of the domain in d=";
    return wrong;
}

static const char *read_arc(enum dkim_kind kind, struct reading *reading)
{
    const char *wrong = read_instance(reading);
    if (wrong != NULL)
        return wrong;
    if (kind == DKIM_OF_ARC_SEAL) {
        reading->out->chain = tag(reading, "cv");
        reading->out->header_canon = DKIM_RELAXED;                                        /* RFC 8617 §5.1.1 */
        return taglist_value(&reading->tags, "h").at != NULL ? "a seal has no h=" : NULL; /* RFC 8617 §4.1.3 */
    }
    wrong = read_coverage(reading);
    if (wrong == NULL && dkim_signature_covers(reading->out, SPAN("ARC-Seal"))) /* RFC 8617 §4.1.2 */
        wrong = "it signs ARC-Seal";
    return wrong;
}

const char *dkim_signature_parse(enum dkim_kind kind, span_t field, struct arena *arena,
                                 struct dkim_signature *ret_signature, int *ret_result)
{
    struct reading reading = {.arena = arena, .out = ret_signature};
    *ret_signature = (struct dkim_signature){.field = field, .limit = DKIM_NO_LIMIT, .algorithm = DKIM_UNKNOWN};
    *ret_result = 0;
    if (field.len > DKIM_SIGNATURE_MAX)
        return "it is too long";
    if (taglist_parse(span_from(field, span_find_byte(field, ':') + 1), &reading.tags) != TAGLIST_OK)
        return "it is no list of tags";
    const char *wrong = read_common(&reading);
    if (wrong == NULL)
        wrong = kind == DKIM_OF_MESSAGE ? read_message(&reading) : read_arc(kind, &reading);
    *ret_result = reading.fault;
    return wrong;
}

bool dkim_signature_covers(const struct dkim_signature *signature, span_t name)
{
    span_t rest = signature->names;
    for (span_t covered; span_cut(&rest, ':', &covered);)
        if (span_equal_nocase(covered, name))
            return true;
    return false;
}
