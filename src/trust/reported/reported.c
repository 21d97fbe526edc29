#include "trust/reported/reported.h"

#include "mime/message.h"
#include "trust/unpack/unpack.h"

#define NOTHING_THERE                                                                                                  \
    "This address takes reports: there is no attachment with one, of DMARC (XML) or of TLS (JSON), in gzip or zip"

#define ENCODED_MAX (REPORTED_PACKED_MAX / 2U * 3U) /* base64 and its line ends make four bytes of three, and some */

struct search {
    struct arena *arena;
    struct reported *found;
    const char *problem;
};

static const char *const unpack_problems[] = {
    [UNPACK_MALFORMED] = "The report's archive is damaged: it is cut off or its checksum is wrong",
    [UNPACK_TOO_LARGE] = "The report is larger, once unpacked, than this server takes",
    [UNPACK_UNSUPPORTED] = "The report's archive is of a kind that is not taken: encrypted, zip64 or of several files",
};

static bool has_ending(span_t name)
{
    static const char *const endings[] = {".gz", ".zip", ".xml", ".json"};
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        span_t ending = span_of_text(endings[i]);
        if (name.len > ending.len && span_equal_nocase(span_from(name, name.len - ending.len), ending))
            return true;
    }
    return false;
}

/* An attachment by its type, or, where a sender calls it a text, by its name. */
static bool may_hold(const struct mime_part *part)
{
    if (part->is_multipart || part->is_message)
        return false;
    return mime_part_is(part, SPAN("application"), SPAN_NONE) || mime_part_is(part, SPAN("text"), SPAN("xml")) ||
           has_ending(mime_param_raw(part->disposition_params, SPAN("filename"))) ||
           has_ending(mime_param_raw(part->params, SPAN("name")));
}

/* REPORTED_FOUND or REPORTED_NONE, by what it starts with. */
static int read_plain(struct search *search, span_t plain)
{
    int result = REPORTED_NONE;
    span_t text = span_trim(plain);
    if (span_starts(text, SPAN("\xef\xbb\xbf"))) /* a byte order mark is allowed in XML, and comes with JSON */
        text = span_from(text, 3);
    if (span_starts(text, SPAN("{"))) {
        search->found->kind = REPORTED_TLS;
        result = tlsrpt_report_read(text, search->arena, &search->found->tls);
    } else if (span_starts(text, SPAN("<"))) {
        search->found->kind = REPORTED_DMARC;
        result = dmarc_report_read(text, search->arena, &search->found->dmarc);
    }
    if (result > 0)
        search->problem = "The attachment is no report of DMARC (RFC 7489) or of TLS (RFC 8460), or a damaged one";
    return result;
}

static int read_packed(struct search *search, span_t packed)
{
    AUTO_BUF struct buf plain;
    buf_init(&plain, REPORTED_PLAIN_MAX + 1);
    int result = unpack(packed, REPORTED_PLAIN_MAX, &plain);
    if (result == UNPACK_NO_ARCHIVE)
        return read_plain(search, packed);
    if (result == UNPACK_OK)
        return read_plain(search, buf_span(&plain));
    if (result < 0)
        return result;
    search->problem = unpack_problems[result];
    return REPORTED_NONE;
}

static int try_part(struct search *search, const struct mime_part *part)
{
    AUTO_BUF struct buf packed;
    buf_init(&packed, ENCODED_MAX + 16);
    int result = part->body.len <= ENCODED_MAX ? mime_decode(part->encoding, part->body, &packed) : 0;
    if (result != 0)
        return result;
    if (part->body.len <= ENCODED_MAX && buf_len(&packed) <= REPORTED_PACKED_MAX)
        return read_packed(search, buf_span(&packed));
    search->problem = unpack_problems[UNPACK_TOO_LARGE];
    return REPORTED_NONE;
}

int reported_find(span_t message, struct arena *arena, struct reported *ret_reported, const char **ret_problem)
{
    struct reported found = {.kind = REPORTED_DMARC};
    struct search search = {.arena = arena, .found = &found, .problem = NOTHING_THERE};
    struct mime_part *root = NULL;
    int result = mime_parse(message, arena, &root);
    unsigned tries = 0;
    if (result != 0)
        return result;
    result = REPORTED_NONE;
    for (const struct mime_part *part = root; part != NULL && result == REPORTED_NONE && tries < REPORTED_TRIES_MAX;
         part = mime_part_after(root, part)) {
        if (!may_hold(part))
            continue;
        tries++;
        result = try_part(&search, part);
    }
    if (result == REPORTED_FOUND)
        *ret_reported = found;
    *ret_problem = result == REPORTED_NONE ? search.problem : "";
    return result;
}
