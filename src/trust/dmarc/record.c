#include "trust/dmarc/record.h"

#define PERCENT_MAX 100U
#define INTERVAL_DEFAULT 86400U

/* Takes "name=value" off the front; a piece that is none has an empty name. */
static bool next_tag(span_t *rest, span_t *ret_name, span_t *ret_value)
{
    span_t piece;
    if (!span_cut(rest, ';', &piece))
        return false;
    size_t equals = span_find_byte(piece, '=');
    *ret_name = equals < piece.len ? span_trim(span_upto(piece, equals)) : SPAN_NONE;
    *ret_value = span_trim(span_from(piece, equals + 1));
    return true;
}

bool dmarc_is_record(span_t text)
{
    span_t name;
    span_t value;
    return next_tag(&text, &name, &value) && span_equal(name, SPAN("v")) && span_equal(value, SPAN("DMARC1"));
}

static bool read_policy(span_t value, enum dmarc_policy *ret_policy)
{
    static const char *const names[] = {"none", "quarantine", "reject"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (span_equal_nocase(value, span_of_text(names[i]))) {
            *ret_policy = (enum dmarc_policy)i;
            return true;
        }
    return false;
}

struct reading {
    struct dmarc_record record;
    bool has_policy;
    bool has_subdomains;
    bool is_wrong;
};

static void read_tag(struct reading *reading, span_t name, span_t value)
{
    struct dmarc_record *record = &reading->record;
    uint64_t number = 0;
    if (span_equal(name, SPAN("p"))) {
        reading->has_policy = read_policy(value, &record->policy);
    } else if (span_equal(name, SPAN("sp"))) {
        reading->has_subdomains = read_policy(value, &record->subdomains);
        reading->is_wrong = reading->is_wrong || !reading->has_subdomains;
    } else if (span_equal(name, SPAN("adkim"))) {
        record->is_dkim_strict = span_equal_nocase(value, SPAN("s"));
    } else if (span_equal(name, SPAN("aspf"))) {
        record->is_spf_strict = span_equal_nocase(value, SPAN("s"));
    } else if (span_equal(name, SPAN("pct"))) {
        if (span_to_u64(value, PERCENT_MAX, &number) == 0)
            record->percent = (unsigned)number;
    } else if (span_equal(name, SPAN("ri"))) {
        if (span_to_u64(value, UINT32_MAX, &number) == 0)
            record->interval = (uint32_t)number;
    } else if (span_equal(name, SPAN("fo"))) {
        record->fo = value;
    } else if (span_equal(name, SPAN("rua"))) {
        record->rua = value;
    } else if (span_equal(name, SPAN("ruf"))) {
        record->ruf = value;
    }
}

bool dmarc_record_parse(span_t text, struct dmarc_record *ret_record)
{
    struct reading reading = {
        .record = {.percent = PERCENT_MAX, .interval = INTERVAL_DEFAULT, .fo = SPAN("0")},
    };
    if (!dmarc_is_record(text))
        return false;
    for (span_t name, value; next_tag(&text, &name, &value);)
        read_tag(&reading, name, value);
    if (!reading.has_policy || reading.is_wrong) {
        if (reading.record.rua.len == 0)
            return false;
        reading.record.policy = DMARC_NONE;
        reading.record.subdomains = DMARC_NONE;
    } else if (!reading.has_subdomains) {
        reading.record.subdomains = reading.record.policy;
    }
    *ret_record = reading.record;
    return true;
}
