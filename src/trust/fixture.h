#pragma once

#include "base/test.h"

#include <errno.h>
#include "proto/dns/lookup.h"
#include "proto/dns/name.h"

/*
 * A DNS for tests: rows of names and records, asked through a struct dns_lookup. A name without a row of the type is
 * DNS_NO_DATA where it has another row, else DNS_NO_NAME; both are secure denials.
 */
struct fixture_row {
    const char *name;
    enum dns_type type;
    span_t rdata; /* with DNS_FOUND */
    enum dns_outcome outcome;
    bool is_insecure;
    const char *canonical; /* NULL: the name */
};

struct fixture_zone {
    const struct fixture_row *rows;
    size_t count;
    size_t asked; /* how many questions there were */
};

static inline int fixture_ask(void *context, const char *name, enum dns_type type, struct arena *arena,
                              struct dns_answer *ret_answer)
{
    struct fixture_zone *zone = context;
    span_t *records = arena_alloc_array(arena, zone->count + 1, sizeof(*records));
    assert_non_null(records);
    *ret_answer = (struct dns_answer){.outcome = DNS_NO_NAME, .is_secure = true, .canonical = name, .reason = ""};
    zone->asked++;
    for (size_t at = 0; at < zone->count; at++) {
        const struct fixture_row *row = &zone->rows[at];
        if (!dns_name_equal(span_of_text(row->name), span_of_text(name)))
            continue;
        if (ret_answer->outcome == DNS_NO_NAME)
            ret_answer->outcome = DNS_NO_DATA;
        if (row->type != type)
            continue;
        ret_answer->outcome = row->outcome;
        ret_answer->is_secure = !row->is_insecure && row->outcome != DNS_FAILED && row->outcome != DNS_BOGUS;
        ret_answer->reason = row->outcome == DNS_FOUND ? "" : "as the test has it";
        ret_answer->canonical = row->canonical == NULL ? name : row->canonical;
        if (row->outcome == DNS_FOUND)
            records[ret_answer->count++] = row->rdata;
    }
    ret_answer->records = records;
    return 0;
}
