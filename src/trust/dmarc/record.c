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
    bool has_nonexistent;
    bool is_wrong;
};

/* Tags of one edition alone. */
static void read_own_tag(struct reading *reading, enum dmarc_edition edition, span_t name, span_t value)
{
    struct dmarc_record *record = &reading->record;
    const bool is_yes = span_equal_nocase(value, SPAN("y"));
    uint64_t number = 0;
    if (edition == DMARC_RFC7489) {
        if (span_equal(name, SPAN("pct")) && span_to_u64(value, PERCENT_MAX, &number) == 0)
            record->percent = (unsigned)number;
        else if (span_equal(name, SPAN("ri")) && span_to_u64(value, UINT32_MAX, &number) == 0)
            record->interval = (uint32_t)number;
    } else if (span_equal(name, SPAN("np"))) {
        reading->has_nonexistent = read_policy(value, &record->nonexistent);
        reading->is_wrong = reading->is_wrong || !reading->has_nonexistent;
    } else if (span_equal(name, SPAN("psd"))) {
        record->psd = is_yes ? DMARC_PSD_YES : span_equal_nocase(value, SPAN("n")) ? DMARC_PSD_NO : DMARC_PSD_UNKNOWN;
    } else if (span_equal(name, SPAN("t")) && is_yes) {
        record->percent = 0; /* the next milder policy for all: what RFC 7489 §6.6.4 does to those not in the sample */
    }
}

static void read_tag(struct reading *reading, enum dmarc_edition edition, span_t name, span_t value)
{
    struct dmarc_record *record = &reading->record;
    if (span_equal(name, SPAN("p"))) {
        reading->has_policy = read_policy(value, &record->policy);
    } else if (span_equal(name, SPAN("sp"))) {
        reading->has_subdomains = read_policy(value, &record->subdomains);
        reading->is_wrong = reading->is_wrong || !reading->has_subdomains;
    } else if (span_equal(name, SPAN("adkim"))) {
        record->is_dkim_strict = span_equal_nocase(value, SPAN("s"));
    } else if (span_equal(name, SPAN("aspf"))) {
        record->is_spf_strict = span_equal_nocase(value, SPAN("s"));
    } else if (span_equal(name, SPAN("fo"))) {
        record->fo = value;
    } else if (span_equal(name, SPAN("rua"))) {
        record->rua = value;
    } else if (span_equal(name, SPAN("ruf"))) {
        record->ruf = value;
    } else {
        read_own_tag(reading, edition, name, value);
    }
}

/* What was not said is as what it is a part of. */
static void fill_in(struct reading *reading)
{
    if (!reading->has_subdomains)
        reading->record.subdomains = reading->record.policy;
    if (!reading->has_nonexistent)
        reading->record.nonexistent = reading->record.subdomains;
}

bool dmarc_record_parse(span_t text, enum dmarc_edition edition, struct dmarc_record *ret_record)
{
    struct reading reading = {
        .record = {.percent = PERCENT_MAX, .interval = INTERVAL_DEFAULT, .fo = SPAN("0")},
    };
    if (!dmarc_is_record(text))
        return false;
    for (span_t name, value; next_tag(&text, &name, &value);)
        read_tag(&reading, edition, name, value);
    if (!reading.has_policy || reading.is_wrong) {
        if (reading.record.rua.len == 0)
            return false;
        reading.record.policy = DMARC_NONE;
        reading.has_subdomains = false;
        reading.has_nonexistent = false;
    }
    fill_in(&reading);
    *ret_record = reading.record;
    return true;
}
