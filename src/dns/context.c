#include "dns/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unbound-event.h>
#include <unbound.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/conf.h"

#define SYSTEM_ANCHORS "/usr/share/dns/root.key" /* Debian's dns-root-data */

/* The root's keys of 2017 and 2024 (https://data.iana.org/root-anchors/root-anchors.xml). */
static const char *const root_anchors[] = {
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

static int say(int code)
{
    switch (code) {
    case UB_NOERROR:
        return 0;
    case UB_NOMEM:
        return -ENOMEM;
    case UB_READFILE:
    case UB_SYNTAX:
        return -EBADMSG;
    default:
        return -EINVAL;
    }
}

static int set_text(struct ub_ctx *context, const char *name, const char *value)
{
    return say(ub_ctx_set_option(context, name, value));
}

static int set_number(struct ub_ctx *context, const char *name, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    return set_text(context, name, text);
}

/* What a stranger's zone may cost us: memory by shares of the cache's size, sockets, and questions. */
static int set_limits(struct ub_ctx *context, const struct conf *conf)
{
    const struct row {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"rrset-cache-size:", conf->dns_cache / 2},
        {"msg-cache-size:", conf->dns_cache / 4},
        {"key-cache-size:", conf->dns_cache / 8},
        {"neg-cache-size:", conf->dns_cache / 16},
        {"infra-cache-numhosts:", 2000},
        /* One thread needs no locks to itself: each further slab is a table of its own for every cache. */
        {"msg-cache-slabs:", 1},
        {"rrset-cache-slabs:", 1},
        {"infra-cache-slabs:", 1},
        {"key-cache-slabs:", 1},
        {"outgoing-range:", 256},
        {"outgoing-num-tcp:", 32},
        {"num-queries-per-thread:", 2 * conf->dns_questions_max},
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < COUNT_OF(rows); i++)
        result = set_number(context, rows[i].name, rows[i].value);
    return result;
}

static int set_ways(struct ub_ctx *context, const struct dns_servers *servers)
{
    int result = set_text(context, "module-config:", "validator iterator");
    if (result == 0)
        result = set_text(context, "qname-minimisation:", "yes");
    if (result < 0 || servers == NULL)
        return result;
    /* One that forwards asks those it was told to, on loopback too, and leaves private names and addresses to them. */
    result = set_text(context, "do-not-query-localhost:", "no");
    if (result == 0)
        result = set_text(context, "unblock-lan-zones:", "yes");
    for (size_t i = 0; result == 0 && i < servers->count; i++)
        result = say(ub_ctx_set_fwd(context, servers->servers[i].text));
    return result;
}

/* Whether the record is a key: libunbound would go without any, and validate nothing. */
static bool is_anchor(span_t record)
{
    for (span_t word; span_cut(&record, ' ', &word);)
        if (span_equal_nocase(word, SPAN("DS")) || span_equal_nocase(word, SPAN("DNSKEY")))
            return true;
    return false;
}

static int append_line(struct buf *record, span_t line, int *depth)
{
    for (size_t i = 0; i < line.len; i++) {
        const uint8_t byte = line.at[i];
        const bool is_bracket = byte == '(' || byte == ')';
        *depth += is_bracket ? (byte == '(' ? 1 : -1) : 0;
        (void)buf_append_byte(record, is_bracket || byte == '\t' || byte == '\r' ? ' ' : byte);
    }
    return buf_append_byte(record, ' ');
}

/* Zone file lines (RFC 1035 §5.1) to records on a line each: comments go, and what stands in brackets is joined. */
static int split_records(span_t text, struct buf *records)
{
    AUTO_BUF struct buf record;
    buf_init(&record, DNS_ANCHORS_MAX);
    int depth = 0;
    bool has_any = false;
    for (span_t line; span_cut(&text, '\n', &line);) {
        int result = append_line(&record, span_upto(line, span_find_byte(line, ';')), &depth);
        if (result < 0)
            return result == -ENOBUFS ? -EBADMSG : result;
        if (depth > 0)
            continue;
        span_t whole = span_trim(buf_span(&record));
        if (whole.len > 0) {
            (void)buf_append(records, whole);
            (void)buf_append_byte(records, '\n');
            has_any |= is_anchor(whole);
        }
        buf_clear(&record);
    }
    return buf_fault(records) != 0 ? buf_fault(records) : has_any ? 0 : -EBADMSG;
}

static int read_file(const char *path, struct buf *text)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (;;) {
        uint8_t *at = NULL;
        const int result = buf_reserve(text, 4096, &at);
        if (result < 0)
            return result == -ENOBUFS ? -EBADMSG : result;
        const ssize_t len = read(fd, at, 4096);
        if (len < 0)
            return -errno;
        if (len == 0)
            return 0;
        buf_commit(text, (size_t)len);
    }
}

int dns_anchors_read(const char *setting, struct buf *records)
{
    AUTO_BUF struct buf text;
    buf_init(&text, DNS_ANCHORS_MAX);
    int result = read_file(setting[0] != '\0' ? setting : SYSTEM_ANCHORS, &text);
    if (result == 0)
        result = split_records(buf_span(&text), records);
    if (result == 0 || setting[0] != '\0')
        return result;
    buf_clear(records);
    for (size_t i = 0; i < COUNT_OF(root_anchors); i++) {
        (void)buf_append_text(records, root_anchors[i]);
        (void)buf_append_byte(records, '\n');
    }
    return buf_fault(records);
}

static int set_anchors(struct ub_ctx *context, span_t records)
{
    AUTO_BUF struct buf text;
    buf_init(&text, DNS_ANCHORS_MAX);
    int result = 0;
    for (span_t record; result == 0 && span_cut(&records, '\n', &record) && record.len > 0;) {
        buf_clear(&text);
        (void)buf_append(&text, record);
        result = buf_append_byte(&text, 0);
        if (result == 0)
            result = say(ub_ctx_add_ta(context, (const char *)buf_span(&text).at));
    }
    return result;
}

static void on_first(void *arg, int rcode, void *packet, int len, int security, char *why, int was_limited)
{
    (void)rcode;
    (void)packet;
    (void)len;
    (void)security;
    (void)why;
    (void)was_limited;
    *(bool *)arg = true;
}

/* Names that libunbound answers for by itself, beside those of private networks (RFC 6303 §4.1, RFC 6761 §6.2). */
static const char *const local_zones[] = {"test.", "127.in-addr.arpa.",
                                          "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa."};

/* Has libunbound make all it will need: with a question that it answers by itself. */
static int finish(struct ub_ctx *context, const struct dns_servers *servers)
{
    bool is_answered = false;
    int code = UB_NOERROR;
    for (size_t i = 0; servers != NULL && code == UB_NOERROR && i < COUNT_OF(local_zones); i++)
        code = ub_ctx_zone_remove(context, local_zones[i]);
    if (code == UB_NOERROR)
        code = ub_resolve_event(context, "localhost.", 1, 1, &is_answered, on_first, NULL);
    if (code != UB_NOERROR)
        return code == UB_NOMEM ? -ENOMEM : -EBADMSG;
    return is_answered ? 0 : -EINVAL;
}

int dns_context_new(struct ub_event_base *base, const struct conf *conf, const struct dns_servers *servers,
                    span_t anchors, struct ub_ctx **ret_context)
{
    struct ub_ctx *context = ub_ctx_create_ub_event(base);
    if (context == NULL)
        return -ENOMEM;
    int result = say(ub_ctx_debugout(context, NULL));
    if (result == 0)
        result = set_limits(context, conf);
    if (result == 0)
        result = set_ways(context, servers);
    if (result == 0)
        result = set_anchors(context, anchors);
    if (result == 0)
        result = finish(context, servers);
    if (result < 0) {
        ub_ctx_delete(context);
        return result;
    }
    *ret_context = context;
    return 0;
}
