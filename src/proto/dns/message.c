#include "proto/dns/message.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "proto/dns/name.h"
#include "proto/dns/rdata.h"

#define HEADER_SIZE 12U /* RFC 1035 §4.1.1 */
#define IS_RESPONSE 0x8000U
#define RCODE_MASK 0x000fU
#define ALIASES_MAX 16U /* a longer chain is nobody's honest work */
#define RDATA_MAX 65535U

enum rcode { RCODE_OK = 0, RCODE_NO_NAME = 3 };

struct reader {
    span_t message;
    span_t rest;
    struct arena *arena;
    enum dns_type type;
    struct buf current; /* the name looked for now, as on the wire */
    uint32_t ttl;
    size_t aliases;
    size_t count;
    span_t *records;
};

struct record {
    span_t owner; /* in the reader's scratch, until the next record */
    unsigned type;
    unsigned class;
    uint32_t ttl;
    span_t rdata;
};

static unsigned get_u16(span_t bytes, size_t at)
{
    return (unsigned)bytes.at[at] << 8 | bytes.at[at + 1];
}

static uint32_t get_u32(span_t bytes, size_t at)
{
    return (uint32_t)get_u16(bytes, at) << 16 | get_u16(bytes, at + 2);
}

static uint32_t least(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

static int next_record(struct reader *reader, struct buf *scratch, struct record *ret_record)
{
    buf_clear(scratch);
    const int result = dns_name_expand(reader->message, &reader->rest, scratch);
    if (result < 0)
        return result;
    const span_t fixed = span_upto(reader->rest, 10);
    if (fixed.len < 10 || reader->rest.len - 10 < get_u16(fixed, 8))
        return -EBADMSG;
    *ret_record = (struct record){
        .owner = buf_span(scratch),
        .type = get_u16(fixed, 0),
        .class = get_u16(fixed, 2),
        .ttl = get_u32(fixed, 4) > INT32_MAX ? 0 : get_u32(fixed, 4), /* RFC 2181 §8 */
        .rdata = span_slice(reader->rest, 10, get_u16(fixed, 8)),
    };
    reader->rest = span_from(reader->rest, 10 + ret_record->rdata.len);
    return 0;
}

/* How many bytes and names RDATA begins with, of the types in which names may be compressed (RFC 3597 §4). */
static const struct layout {
    enum dns_type type;
    size_t before;
    size_t names;
} layouts[] = {{DNS_NS, 0, 1}, {DNS_CNAME, 0, 1}, {DNS_PTR, 0, 1}, {DNS_MX, 2, 1}, {DNS_SOA, 0, 2}};

static int expand(const struct reader *reader, unsigned type, span_t rdata, struct buf *out)
{
    struct layout layout = {(enum dns_type)type, 0, 0};
    for (size_t i = 0; i < COUNT_OF(layouts); i++)
        if ((unsigned)layouts[i].type == type)
            layout = layouts[i];
    if (rdata.len < layout.before)
        return -EBADMSG;
    buf_append(out, span_upto(rdata, layout.before));
    rdata = span_from(rdata, layout.before);
    /* A name must end within the record, wherever it jumps to. */
    const span_t upto_end = span_upto(reader->message, (size_t)(rdata.at + rdata.len - reader->message.at));
    for (size_t i = 0; i < layout.names; i++) {
        const int result = dns_name_expand(upto_end, &rdata, out);
        if (result < 0)
            return result;
    }
    return buf_append(out, rdata);
}

static int take_record(struct reader *reader, const struct record *record)
{
    AUTO_BUF struct buf rdata;
    buf_init(&rdata, RDATA_MAX + DNS_NAME_WIRE_MAX);
    int result = expand(reader, record->type, record->rdata, &rdata);
    if (result == 0 && reader->records == NULL) {
        reader->records = arena_alloc_array(reader->arena, DNS_RECORDS_MAX, sizeof(*reader->records));
        result = reader->records == NULL ? -ENOMEM : 0;
    }
    if (result == 0 && reader->count < DNS_RECORDS_MAX)
        result = arena_copy(reader->arena, buf_span(&rdata), &reader->records[reader->count]);
    if (result == 0)
        reader->count++;
    return result;
}

static int follow_alias(struct reader *reader, const struct record *record)
{
    if (++reader->aliases > ALIASES_MAX)
        return -EBADMSG;
    buf_clear(&reader->current);
    return expand(reader, DNS_CNAME, record->rdata, &reader->current);
}

static int read_answers(struct reader *reader, unsigned count)
{
    AUTO_BUF struct buf scratch;
    buf_init(&scratch, DNS_NAME_WIRE_MAX);
    for (struct record record; count > 0; count--) {
        int result = next_record(reader, &scratch, &record);
        if (result < 0)
            return result;
        if (record.class != 1 || !span_equal_nocase(record.owner, buf_span(&reader->current)))
            continue;
        if (record.type == (unsigned)reader->type)
            result = take_record(reader, &record);
        else if (record.type == DNS_CNAME)
            result = follow_alias(reader, &record);
        else
            continue;
        if (result < 0)
            return result;
        reader->ttl = least(reader->ttl, record.ttl);
    }
    return 0;
}

/* How long a denial holds: the SOA's last number, or its TTL where that is less (RFC 2308 §5). */
static int read_denial(struct reader *reader, unsigned count)
{
    AUTO_BUF struct buf scratch;
    uint32_t ttl = 0;
    buf_init(&scratch, DNS_NAME_WIRE_MAX);
    for (struct record record; count > 0; count--) {
        const int result = next_record(reader, &scratch, &record);
        if (result < 0)
            return result;
        if (record.type == DNS_SOA && record.rdata.len >= 4)
            ttl = least(record.ttl, get_u32(record.rdata, record.rdata.len - 4));
    }
    reader->ttl = least(reader->ttl, ttl);
    return 0;
}

static int finish(struct reader *reader, unsigned rcode, struct dns_answer *ret_answer)
{
    span_t name = buf_span(&reader->current);
    struct dns_answer answer = {.ttl = reader->ttl, .canonical = "", .reason = ""};
    const int result = dns_name_read(SPAN_NONE, &name, reader->arena, &answer.canonical);
    if (result < 0)
        return result;
    if (reader->count > DNS_RECORDS_MAX) {
        answer.outcome = DNS_FAILED;
        answer.reason = "too many records";
    } else if (reader->count > 0) {
        answer.outcome = DNS_FOUND;
        answer.count = reader->count;
        answer.records = reader->records;
    } else {
        answer.outcome = rcode == RCODE_NO_NAME ? DNS_NO_NAME : DNS_NO_DATA;
    }
    *ret_answer = answer;
    return 0;
}

static int read_sections(struct reader *reader, span_t header, struct dns_answer *ret_answer)
{
    const unsigned rcode = get_u16(header, 2) & RCODE_MASK;
    int result = dns_name_expand(reader->message, &reader->rest, &reader->current);
    if (result < 0)
        return result;
    if (reader->rest.len < 4 || get_u16(reader->rest, 0) != (unsigned)reader->type || get_u16(reader->rest, 2) != 1)
        return -EBADMSG;
    reader->rest = span_from(reader->rest, 4);
    if (rcode != RCODE_OK && rcode != RCODE_NO_NAME) {
        *ret_answer = (struct dns_answer){.outcome = DNS_FAILED, .canonical = "", .reason = "the name server failed"};
        return 0;
    }
    result = read_answers(reader, get_u16(header, 6));
    if (result == 0 && reader->count == 0)
        result = read_denial(reader, get_u16(header, 8));
    return result < 0 ? result : finish(reader, rcode, ret_answer);
}

int dns_message_read(span_t message, enum dns_type type, struct arena *arena, struct dns_answer *ret_answer)
{
    const span_t header = span_upto(message, HEADER_SIZE);
    if (header.len < HEADER_SIZE || (get_u16(header, 2) & IS_RESPONSE) == 0 || get_u16(header, 4) != 1)
        return -EBADMSG;
    struct reader reader = {
        .message = message, .rest = span_from(message, HEADER_SIZE), .arena = arena, .type = type, .ttl = UINT32_MAX};
    buf_init(&reader.current, DNS_NAME_WIRE_MAX);
    const int result = read_sections(&reader, header, ret_answer);
    buf_deinit(&reader.current);
    return result;
}
