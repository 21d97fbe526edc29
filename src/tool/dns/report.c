#include "tool/dns/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/dns/rdata.h"
#include "trust/domain.h"

#define RECORD_TTL 3600
#define HAVE_MAX 8U         /* records of one kind that are shown; a liar could have hundreds */
#define HAVE_TEXT_MAX 1000U /* bytes of each of them: more than anybody needs for one, and still to be read */
#define RECORD_TEXT_MAX ((size_t)1 << 20)

static const char *type_text(enum dns_type type)
{
    static char room[DNS_TYPE_TEXT_SIZE];
    return dns_type_text(type, room);
}

static bool is_inside(const struct facts *facts, const struct advice *advice)
{
    return domain_is_below(span_of_text(advice->owner), span_of_text(facts->domain));
}

static int zone_rows(const struct facts *facts, const struct advice *advice, struct buf *out)
{
    int result = 0;
    const char *comment = is_inside(facts, advice) ? "" : "; ";
    buf_append_format(out, "\n; %s: %s\n", advice->title, advice->why);
    if (comment[0] != '\0')
        buf_append_format(out, "; not in this zone, but in that of %s:\n", advice->owner);
    for (size_t i = 0; result == 0 && i < advice->count; i++) {
        buf_append_format(out, "%s%s. %d IN %s ", comment, advice->owner, RECORD_TTL, type_text(advice->type));
        result = dns_print_rdata(out, advice->type, advice->wanted[i]);
        buf_append_byte(out, '\n');
    }
    return result;
}

static void zone_policy(const struct facts *facts, const struct advice_list *list, struct buf *out)
{
    bool is_served = conf_port(facts->conf, SERVICE_HTTPS) != 0;
    buf_append_format(out, "\n; https://%s/.well-known/mta-sts.txt %s:\n", list->policy_host,
                      is_served ? "holds, with a certificate for that name" : "has to hold ([https] port)");
    for (span_t rest = span_of_text(list->policy), line; span_cut(&rest, '\n', &line);)
        if (span_trim(line).len > 0)
            buf_append_format(out, ";   %.*s\n", SPAN_PRINT(span_trim(line)));
}

int report_zone(const struct facts *facts, const struct advice_list *list, struct buf *out)
{
    int result = 0;
    buf_append_format(out, "; What %s needs for its mail on %s\n", facts->domain, facts->host);
    if (facts->problem[0] != '\0')
        buf_append_format(out, "; %s\n", facts->problem);
    for (size_t i = 0; result == 0 && i < list->count; i++)
        result = zone_rows(facts, &list->rows[i], out);
    if (list->policy[0] != '\0')
        zone_policy(facts, list, out);
    return result < 0 ? result : buf_fault(out);
}

static int list_record(enum dns_type type, span_t record, struct buf *out)
{
    AUTO_BUF struct buf text;
    buf_init(&text, RECORD_TEXT_MAX);
    int result = dns_print_rdata(&text, type, record);
    if (result < 0)
        return result;
    buf_append(out, span_upto(buf_span(&text), HAVE_TEXT_MAX));
    if (buf_len(&text) > HAVE_TEXT_MAX)
        buf_append_format(out, " and %zu bytes more", buf_len(&text) - HAVE_TEXT_MAX);
    return buf_append_byte(out, '\n');
}

static int list_records(const char *word, enum dns_type type, const span_t *records, size_t count, struct buf *out)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < count && i < HAVE_MAX; i++) {
        buf_append_format(out, "           %s %s ", word, type_text(type));
        result = list_record(type, records[i], out);
    }
    if (count > HAVE_MAX)
        buf_append_format(out, "           and %zu more\n", count - HAVE_MAX);
    return result;
}

static int list_row(const struct advice *advice, const struct finding *finding, struct buf *out)
{
    int result = 0;
    const bool is_ok = finding->state == FINDING_OK;
    buf_append_format(out, "%-9s  %s  %s%s\n", finding_text(finding->state), advice->title, advice->owner,
                      finding->is_secure && finding->count > 0 ? "  (DNSSEC)" : "");
    if (!is_ok || finding->note[0] != '\0')
        result = list_records("have", finding->type, finding->have, finding->count, out);
    if (result == 0 && !is_ok)
        result = list_records("want", advice->type, advice->wanted, advice->count, out);
    if (finding->note[0] != '\0')
        buf_append_format(out, "           %s\n", finding->note);
    if (finding->state == FINDING_MISSING)
        buf_append_format(out, "           %s: %s\n", advice->level == ADVICE_NEEDED ? "needed" : "good to have",
                          advice->why);
    return result;
}

static size_t count_failing(const struct advice_list *list, const struct finding *findings)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += advice_fails(&list->rows[i], &findings[i]);
    return count;
}

int report_list(const struct facts *facts, const struct advice_list *list, const struct finding *findings,
                struct buf *out)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < list->count; i++)
        result = list_row(&list->rows[i], &findings[i], out);
    const size_t failing = count_failing(list, findings);
    if (facts->problem[0] != '\0')
        buf_append_format(out, "note       %s\n", facts->problem);
    if (failing > 0)
        buf_append_format(out, "\n%zu of %zu need attention; all records as a zone file: waxwing dns %s --zone\n",
                          failing, list->count, facts->domain);
    else
        buf_append_format(out, "\nwhat mail for %s needs is in place\n", facts->domain);
    return result < 0 ? result : buf_fault(out);
}

static json_t *json_records(enum dns_type type, const span_t *records, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < count; i++) {
        AUTO_BUF struct buf text;
        buf_init(&text, RECORD_TEXT_MAX);
        if (dns_print_rdata(&text, type, records[i]) < 0 ||
            json_array_append_new(list, json_stringn((const char *)buf_span(&text).at, buf_len(&text))) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *json_row(const struct advice *advice, const struct finding *finding)
{
    static const char *const levels[] = {
        [ADVICE_NEEDED] = "needed", [ADVICE_RIGHT] = "right or absent", [ADVICE_NICE] = "good to have"};
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:o, s:o, s:s, s:s}", "title", advice->title, "name",
                     advice->owner, "type", type_text(advice->type), "level", levels[advice->level], "state",
                     finding_text(finding->state), "fails", advice_fails(advice, finding), "secure", finding->is_secure,
                     "want", json_records(advice->type, advice->wanted, advice->count), "have",
                     json_records(finding->type, finding->have, finding->count), "note", finding->note, "why",
                     advice->why);
}

int report_json(const struct facts *facts, const struct advice_list *list, const struct finding *findings,
                struct buf *out)
{
    json_t *rows = json_array();
    for (size_t i = 0; rows != NULL && i < list->count; i++)
        if (json_array_append_new(rows, json_row(&list->rows[i], &findings[i])) < 0) {
            json_decref(rows);
            return -ENOMEM;
        }
    json_t *all = json_pack("{s:s, s:s, s:b, s:o, s:s, s:s, s:s}", "domain", facts->domain, "host", facts->host,
                            "complete", count_failing(list, findings) == 0, "records", rows, "policy", list->policy,
                            "policy_host", list->policy_host, "problem", facts->problem);
    char *text = all == NULL ? NULL : json_dumps(all, JSON_COMPACT);
    json_decref(all);
    if (text == NULL)
        return -ENOMEM;
    buf_append_format(out, "%s\n", text);
    free(text);
    return buf_fault(out);
}
