#include "zone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/dns/name.h"

#define ALIASES_MAX 8U

struct row {
    struct row *next;
    size_t name_len;
    uint8_t name[DNS_NAME_WIRE_MAX];
    unsigned type;
    enum dns_outcome outcome;
    size_t len;
    uint8_t *rdata;
};

struct zone {
    struct row *rows; /* newest first */
};

int zone_new(struct zone **ret_zone)
{
    *ret_zone = mem_new(sizeof(**ret_zone));
    return *ret_zone != NULL ? 0 : -ENOMEM;
}

void zone_clear(struct zone *zone)
{
    while (zone->rows != NULL) {
        struct row *row = zone->rows;
        zone->rows = row->next;
        free(row->rdata);
        free(row);
    }
}

void zone_free(struct zone *zone)
{
    if (zone != NULL)
        zone_clear(zone);
    free(zone);
}

int zone_add(struct zone *zone, const char *name, unsigned type, enum dns_outcome outcome, span_t rdata)
{
    AUTO_BUF struct buf wire;
    buf_init(&wire, DNS_NAME_WIRE_MAX);
    int result = dns_name_write(&wire, span_of_text(name));
    struct row *row = result == 0 ? mem_new(sizeof(*row)) : NULL;
    if (row == NULL)
        return result == 0 ? -ENOMEM : result;
    *row = (struct row){.next = zone->rows, .type = type, .outcome = outcome, .len = rdata.len};
    row->name_len = buf_len(&wire);
    memcpy(row->name, buf_span(&wire).at, buf_len(&wire));
    row->rdata = mem_new(rdata.len + 1);
    zone->rows = row;
    if (row->rdata == NULL)
        return -ENOMEM;
    if (rdata.len > 0)
        memcpy(row->rdata, rdata.at, rdata.len);
    return 0;
}

static bool is_at(const struct row *row, span_t wire)
{
    return span_equal_nocase(span_of(row->name, row->name_len), wire);
}

static int collect(const struct zone *zone, span_t name, unsigned type, struct arena *arena, struct dns_answer *answer)
{
    span_t *records = arena_alloc_array(arena, DNS_RECORDS_MAX, sizeof(*records));
    if (records == NULL)
        return -ENOMEM;
    for (const struct row *row = zone->rows; row != NULL; row = row->next) {
        if (!is_at(row, name))
            continue;
        if (answer->outcome == DNS_NO_NAME)
            answer->outcome = DNS_NO_DATA;
        if (row->type != type || answer->count == DNS_RECORDS_MAX)
            continue;
        answer->outcome = row->outcome;
        if (row->outcome == DNS_FOUND)
            records[answer->count++] = span_of(row->rdata, row->len);
    }
    for (size_t i = 0; i < answer->count / 2; i++) { /* in the order in which they were added */
        span_t first = records[i];
        records[i] = records[answer->count - 1 - i];
        records[answer->count - 1 - i] = first;
    }
    answer->records = records;
    return 0;
}

static int ask(void *context, const char *name, enum dns_type type, struct arena *arena, struct dns_answer *ret_answer)
{
    const struct zone *zone = context;
    AUTO_BUF struct buf wire;
    buf_init(&wire, DNS_NAME_WIRE_MAX);
    for (unsigned aliases = 0; aliases < ALIASES_MAX; aliases++) {
        struct dns_answer answer = {.outcome = DNS_NO_NAME, .canonical = name, .reason = ""};
        struct dns_answer alias = answer;
        buf_clear(&wire);
        if (dns_name_write(&wire, span_of_text(name)) != 0)
            return -EINVAL;
        int result = collect(zone, buf_span(&wire), type, arena, &answer);
        if (result == 0)
            result = collect(zone, buf_span(&wire), DNS_CNAME, arena, &alias);
        if (result != 0)
            return result;
        if (answer.count > 0 || alias.count == 0) {
            *ret_answer = answer;
            return 0;
        }
        span_t rest = alias.records[0];
        const char *target = NULL;
        result = dns_name_read(SPAN_NONE, &rest, arena, &target);
        if (result != 0)
            return result;
        name = target;
    }
    *ret_answer = (struct dns_answer){.outcome = DNS_FAILED, .canonical = "", .reason = "too many aliases"};
    return 0;
}

struct dns_lookup zone_lookup(struct zone *zone)
{
    return (struct dns_lookup){.ask = ask, .context = zone};
}
