#include <stdlib.h>
#include <time.h>

#include "role/keeper/admin-state.h"
#include "role/keeper/reports.h"

#define DAY 86400U
#define DAYS_DEFAULT 7U
#define DAYS_MAX 3650U
#define SHOWN_MAX 35U /* rows of each table: with the longest texts 52 KB of DMARC and 18 KB of TLS … */
#define REPORTERS_MAX 20U
#define PAGE_MAX 12000U /* … so that a domain fits behind this much, whatever strangers have put into it */

/* One domain's overview while it is written. */
struct overview {
    struct admin_command *command;
    struct reports *reports;
    struct buf *output;
    uint64_t since;
    unsigned days;
    const char *only; /* the one domain that was asked for; empty: all */
    struct reports_view view;
    bool is_first; /* of a JSON list */
};

/* --- as JSON ------------------------------------------------------------------------------------------------------ */

static void write_string(struct buf *output, const char *key, span_t text)
{
    char copy[512];
    const size_t len = text.len < sizeof(copy) - 1 ? text.len : sizeof(copy) - 1;
    for (size_t i = 0; i < len; i++)
        copy[i] = (char)text.at[i];
    copy[len] = '\0';
    (void)buf_append_format(output, ",\"%s\":", key);
    admin_write_json(output, copy);
}

static void write_comma(struct overview *overview)
{
    if (!overview->is_first)
        (void)buf_append_byte(overview->output, ',');
    overview->is_first = false;
}

/* The names of the texts in ipc/received.h. */
static const char *const names_dmarc[RECEIVED_TEXTS] = {
    [RECEIVED_DISPOSITION] = "disposition", [RECEIVED_DKIM] = "dkim",     [RECEIVED_SPF] = "spf",
    [RECEIVED_SOURCE] = "source",           [RECEIVED_AUTHOR] = "from",   [RECEIVED_REASON] = "reason",
    [RECEIVED_SIGNER] = "signed",           [RECEIVED_SENDER] = "sender",
};
static const char *const names_tls[RECEIVED_TEXTS] = {
    [RECEIVED_POLICY] = "policy", [RECEIVED_RESULT] = "result", [RECEIVED_MX] = "mx",
    [RECEIVED_FROM] = "sender",   [RECEIVED_CODE] = "reason",
};

static int json_row(void *arg, const struct received_row *row)
{
    struct overview *overview = arg;
    const char *const *names = overview->view.kind == RECEIVED_DMARC ? names_dmarc : names_tls;
    write_comma(overview);
    (void)buf_append_format(overview->output, "{\"count\":%llu", (unsigned long long)row->count);
    for (size_t i = 0; i < RECEIVED_TEXTS; i++)
        if (names[i] != NULL)
            write_string(overview->output, names[i], row->texts[i]);
    return buf_append_byte(overview->output, '}');
}

static int json_rows(struct overview *overview, const char *key, enum reports_which which)
{
    (void)buf_append_format(overview->output, ",\"%s\":[", key);
    overview->is_first = true;
    int result = reports_received_rows(overview->reports, &overview->view, which, json_row, overview);
    return result < 0 ? result : buf_append_byte(overview->output, ']');
}

static int json_dmarc(struct overview *overview)
{
    struct reports_totals totals;
    int result = reports_received_totals(overview->reports, &overview->view, &totals);
    if (result < 0)
        return result;
    (void)buf_append_format(
        overview->output,
        ",\"dmarc\":{\"reports\":%llu,\"messages\":%llu,\"passed\":%llu,\"quarantined\":%llu,\"rejected\":%llu",
        (unsigned long long)totals.reports, (unsigned long long)totals.count, (unsigned long long)totals.passed,
        (unsigned long long)totals.quarantined, (unsigned long long)totals.rejected);
    result = json_rows(overview, "failures", REPORTS_FAILED_ONES);
    if (result == 0)
        result = json_rows(overview, "passes", REPORTS_PASSED_ONES);
    return result < 0 ? result : buf_append_byte(overview->output, '}');
}

static int json_tls(struct overview *overview)
{
    struct reports_totals totals;
    int result = reports_received_totals(overview->reports, &overview->view, &totals);
    if (result < 0)
        return result;
    (void)buf_append_format(overview->output, ",\"tls\":{\"reports\":%llu,\"successful\":%llu,\"failed\":%llu",
                            (unsigned long long)totals.reports, (unsigned long long)(totals.count - totals.failed),
                            (unsigned long long)totals.failed);
    result = json_rows(overview, "failures", REPORTS_FAILED_ONES);
    return result < 0 ? result : buf_append_byte(overview->output, '}');
}

static int json_reporter(void *arg, const struct reports_reporter *reporter)
{
    struct overview *overview = arg;
    write_comma(overview);
    (void)buf_append_format(overview->output, "{\"reports\":%llu,\"last\":\"", (unsigned long long)reporter->reports);
    admin_write_time(overview->output, reporter->last);
    (void)buf_append_byte(overview->output, '"');
    write_string(overview->output, "domain", reporter->domain);
    write_string(overview->output, "organization", reporter->organization);
    write_string(overview->output, "contact", reporter->contact);
    return buf_append_byte(overview->output, '}');
}

static void json_begin(struct overview *overview)
{
    (void)buf_append_format(overview->output, "{\"domain\":\"%s\",\"days\":%u", overview->view.domain, overview->days);
}

static void json_reporters_begin(struct overview *overview)
{
    (void)buf_append_text(overview->output, ",\"reporters\":[");
    overview->is_first = true;
}

static void json_end(struct overview *overview)
{
    (void)buf_append_text(overview->output, "]}");
}

/* --- as text ------------------------------------------------------------------------------------------------------ */

static int text_dmarc_row(void *arg, const struct received_row *row)
{
    struct overview *overview = arg;
    const span_t *texts = row->texts;
    const span_t source = texts[RECEIVED_SOURCE].len > 0 ? texts[RECEIVED_SOURCE] : SPAN("(further ones)");
    (void)buf_append_format(overview->output, "  %9llu  %-4.*s  %-4.*s  %-10.*s  %-15.*s  %.*s",
                            (unsigned long long)row->count, SPAN_PRINT(texts[RECEIVED_DKIM]),
                            SPAN_PRINT(texts[RECEIVED_SPF]), SPAN_PRINT(texts[RECEIVED_DISPOSITION]),
                            SPAN_PRINT(source), SPAN_PRINT(texts[RECEIVED_AUTHOR]));
    if (texts[RECEIVED_SIGNER].len > 0)
        (void)buf_append_format(overview->output, "; signed by %.*s", SPAN_PRINT(texts[RECEIVED_SIGNER]));
    if (texts[RECEIVED_SENDER].len > 0)
        (void)buf_append_format(overview->output, "; sent as %.*s", SPAN_PRINT(texts[RECEIVED_SENDER]));
    if (texts[RECEIVED_REASON].len > 0)
        (void)buf_append_format(overview->output, "; %.*s", SPAN_PRINT(texts[RECEIVED_REASON]));
    return buf_append_byte(overview->output, '\n');
}

static int text_dmarc(struct overview *overview)
{
    struct reports_totals totals;
    int result = reports_received_totals(overview->reports, &overview->view, &totals);
    if (result < 0 || totals.reports == 0)
        return result;
    (void)buf_append_format(overview->output,
                            "  mail that names it in From (DMARC): %llu messages in %llu reports, %llu passed, %llu "
                            "did not; %llu were quarantined, %llu rejected\n"
                            "   messages  DKIM  SPF   done        source           From\n",
                            (unsigned long long)totals.count, (unsigned long long)totals.reports,
                            (unsigned long long)totals.passed, (unsigned long long)(totals.count - totals.passed),
                            (unsigned long long)totals.quarantined, (unsigned long long)totals.rejected);
    result = reports_received_rows(overview->reports, &overview->view, REPORTS_FAILED_ONES, text_dmarc_row, overview);
    if (result == 0)
        result =
            reports_received_rows(overview->reports, &overview->view, REPORTS_PASSED_ONES, text_dmarc_row, overview);
    return result;
}

static int text_tls_row(void *arg, const struct received_row *row)
{
    struct overview *overview = arg;
    const span_t *texts = row->texts;
    (void)buf_append_format(overview->output, "  %9llu  %-30.*s  %-15.*s  %.*s", (unsigned long long)row->count,
                            SPAN_PRINT(texts[RECEIVED_RESULT]), SPAN_PRINT(texts[RECEIVED_POLICY]),
                            SPAN_PRINT(texts[RECEIVED_MX]));
    if (texts[RECEIVED_FROM].len > 0)
        (void)buf_append_format(overview->output, "; from %.*s", SPAN_PRINT(texts[RECEIVED_FROM]));
    if (texts[RECEIVED_CODE].len > 0)
        (void)buf_append_format(overview->output, "; %.*s", SPAN_PRINT(texts[RECEIVED_CODE]));
    return buf_append_byte(overview->output, '\n');
}

static int text_tls(struct overview *overview)
{
    struct reports_totals totals;
    int result = reports_received_totals(overview->reports, &overview->view, &totals);
    if (result < 0 || totals.reports == 0)
        return result;
    (void)buf_append_format(overview->output,
                            "  connections to it over TLS: %llu in %llu reports, %llu succeeded, %llu failed\n",
                            (unsigned long long)totals.count, (unsigned long long)totals.reports,
                            (unsigned long long)(totals.count - totals.failed), (unsigned long long)totals.failed);
    if (totals.failed > 0)
        (void)buf_append_text(overview->output, "     failed  why                             policy           MX\n");
    return reports_received_rows(overview->reports, &overview->view, REPORTS_FAILED_ONES, text_tls_row, overview);
}

static int text_reporter(void *arg, const struct reports_reporter *reporter)
{
    struct overview *overview = arg;
    (void)buf_append_format(overview->output, "  %9llu  %.*s", (unsigned long long)reporter->reports,
                            SPAN_PRINT(reporter->domain));
    if (reporter->organization.len > 0)
        (void)buf_append_format(overview->output, " (%.*s)", SPAN_PRINT(reporter->organization));
    (void)buf_append_text(overview->output, ", up to ");
    admin_write_time(overview->output, reporter->last);
    return buf_append_byte(overview->output, '\n');
}

static void text_begin(struct overview *overview)
{
    (void)buf_append_format(overview->output, "%s\n", overview->view.domain);
}

static void text_reporters_begin(struct overview *overview)
{
    (void)buf_append_text(overview->output, "    reports  from\n");
}

static void text_end(struct overview *overview)
{
    (void)overview;
}

/* --- either ------------------------------------------------------------------------------------------------------- */

struct shape {
    void (*begin)(struct overview *overview);
    int (*dmarc)(struct overview *overview);
    int (*tls)(struct overview *overview);
    void (*reporters_begin)(struct overview *overview);
    reports_reporter_row *reporter;
    void (*end)(struct overview *overview);
};

static const struct shape shapes[] = {
    {text_begin, text_dmarc, text_tls, text_reporters_begin, text_reporter, text_end},
    {json_begin, json_dmarc, json_tls, json_reporters_begin, json_reporter, json_end},
};

static int write_domain(struct overview *overview, const struct shape *shape)
{
    struct reports_view *view = &overview->view;
    shape->begin(overview);
    view->limit = SHOWN_MAX;
    view->kind = RECEIVED_DMARC;
    int result = shape->dmarc(overview);
    view->kind = RECEIVED_TLS;
    if (result == 0)
        result = shape->tls(overview);
    view->limit = REPORTERS_MAX;
    if (result == 0)
        shape->reporters_begin(overview);
    if (result == 0)
        result = reports_received_reporters(overview->reports, view, shape->reporter, overview);
    if (result == 0)
        shape->end(overview);
    return result < 0 ? result : buf_fault(overview->output);
}

static int domain_row(void *arg, const char *domain)
{
    struct overview *overview = arg;
    struct admin_command *command = overview->command;
    if (overview->only[0] != '\0' && !span_equal(span_of_text(overview->only), span_of_text(domain)))
        return 0;
    overview->view = (struct reports_view){.domain = domain, .since = overview->since};
    admin_list_row(command);
    int result = write_domain(overview, &shapes[command->json ? 1 : 0]);
    if (result < 0)
        return result;
    return admin_list_row_end_at(command, PAGE_MAX, (const char *const[]){domain}, 1);
}

/* 1 and the days, or 0 and it is told. */
static int days_of(struct admin_command *command, unsigned *ret_days)
{
    uint64_t days = DAYS_DEFAULT;
    if (command->days.len > 0 && (span_to_u64(command->days, DAYS_MAX, &days) != 0 || days == 0))
        return admin_misused(command, "--days takes a number from 1 to %u", DAYS_MAX);
    *ret_days = (unsigned)days;
    return 1;
}

int admin_reports(struct admin_command *command)
{
    char only[NAME_DOMAIN_MAX + 1] = "";
    const char *after = "";
    struct overview overview = {
        .command = command, .reports = command->admin->reports, .output = &command->reply->output, .only = only};
    int result = command->count > 0 ? admin_domain_of(command, only) : 1;
    if (result == 1)
        result = days_of(command, &overview.days);
    if (result != 1)
        return result;
    if (overview.reports == NULL)
        return admin_refuse(command, "reports.db cannot be opened; the server's log says why");
    overview.since = (uint64_t)time(NULL) - (uint64_t)overview.days * DAY;
    admin_list_after(command, &after, 1);
    result = reports_received_domains(overview.reports, overview.since, after, domain_row, &overview);
    if (result == 0 && command->rows == 0 && !command->json && after[0] == '\0')
        return buf_append_format(overview.output,
                                 "no reports have come within %u days; `waxwing dns DOMAIN` says which records ask for "
                                 "them\n",
                                 overview.days);
    return admin_list_end(command, result);
}
