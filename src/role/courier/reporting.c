#include "role/courier/reporting.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "role/courier/courier-state.h"
#include "role/courier/reportmail.h"
#include "trust/domain.h"

#define ARENA_MAX (48U << 20)
#define ITEMS_MAX 5000U /* as many as keeper counts of a domain and day */
#define QUESTIONS_MAX 40U
#define QUESTIONS_MS 60000
#define REPORTS_MAX 10000U /* of one kind and run; the rest is for the next one */
#define AGAIN 14400        /* seconds until what could not be sent is tried once more */
#define LOOK_MS 3600000    /* the clock may be set */
#define MARGIN 2           /* times that counts are written down, after midnight or our start, before they are read */

struct reporting {
    struct courier *courier;
    struct timer *timer;
    int64_t next; /* seconds since 1970 */
    bool is_running;
};

/* --- one report --------------------------------------------------------------------------------------------------- */

int report_id(const struct report_job *job, const struct tally_item *items, size_t count, span_t *ret_id)
{
    static const uint8_t key[16];
    AUTO_BUF struct buf text;
    uint64_t sum = hash_keyed(key, span_of_text(job->domain)) + (uint64_t)job->kind;
    buf_init(&text, 512);
    for (size_t i = 0; i < count; i++)
        sum = sum * 31 + (hash_keyed(key, items[i].context) ^ hash_keyed(key, items[i].what)) + items[i].count;
    (void)buf_append_format(&text, "%" PRIu32 ".%016" PRIx64 "@%s", job->day, sum, job->organization);
    return buf_fault(&text) != 0 ? buf_fault(&text) : arena_copy(job->arena, buf_span(&text), ret_id);
}

int report_mail(const struct report_job *job, span_t id, span_t packed, span_t to, struct buf *text)
{
    struct reportmail mail = {.kind = job->kind,
                              .organization = span_of_text(job->organization),
                              .from = span_of_text(job->from),
                              .to = to,
                              .domain = span_of_text(job->domain),
                              .id = id,
                              .start = (int64_t)job->day * TALLY_DAY_SECONDS,
                              .end = (int64_t)(job->day + 1) * TALLY_DAY_SECONDS - 1,
                              .now = courier_seconds(),
                              .packed = packed};
    random_bytes(&mail.number, sizeof(mail.number));
    return reportmail_write(&mail, text);
}

/* --- asking keeper ------------------------------------------------------------------------------------------------ */

static int call_keeper(const struct report_job *job, struct ipc_message *request, struct ipc_message **ret_reply)
{
    struct channel *keeper = wiring_peer(job->courier->wiring, ROLE_KEEPER, 0);
    if (keeper == NULL)
        return -ENOTCONN;
    return channel_call_within(job->task, keeper, request, COURIER_CALL_MS, ret_reply);
}

/* Rows of one context come together, and share it. */
static int take_rows(const struct report_job *job, span_t rows, struct tally_item *items, size_t *count)
{
    struct tally_row row;
    while (*count < ITEMS_MAX && tally_row_next(&rows, &row)) {
        struct tally_item item = {.count = row.count};
        int result = arena_copy(job->arena, row.what, &item.what);
        if (*count > 0 && span_equal(items[*count - 1].context, row.context))
            item.context = items[*count - 1].context;
        else if (result == 0)
            result = arena_copy(job->arena, row.context, &item.context);
        if (result < 0)
            return result;
        items[(*count)++] = item;
    }
    return 0;
}

static int read_rows(struct report_job *job)
{
    struct tally_item *items = arena_alloc_array(job->arena, ITEMS_MAX, sizeof(*items));
    uint64_t offset = 0;
    bool has_more = true;
    if (items == NULL)
        return -ENOMEM;
    job->items = items;
    while (has_more) {
        AUTO(ipc_message) struct ipc_message *reply = NULL;
        struct ipc_message request = {
            .type = IPC_report_rows,
            .report_rows = {
                .kind = (uint32_t)job->kind, .day = job->day, .domain = span_of_text(job->domain), .offset = offset}};
        int result = call_keeper(job, &request, &reply);
        if (result == 0 && reply->report_rows_done.outcome != 0)
            result = -(int)reply->report_rows_done.outcome;
        if (result == 0)
            result = take_rows(job, reply->report_rows_done.rows, items, &job->count);
        if (result < 0)
            return result;
        has_more =
            reply->report_rows_done.more != 0 && reply->report_rows_done.offset > offset && job->count < ITEMS_MAX;
        offset = reply->report_rows_done.offset;
    }
    return 0;
}

static int forget(const struct report_job *job)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    struct ipc_message request = {
        .type = IPC_report_over,
        .report_over = {.kind = (uint32_t)job->kind, .day = job->day, .domain = span_of_text(job->domain)}};
    int result = call_keeper(job, &request, &reply);
    return result == 0 ? -(int)reply->done.outcome : result;
}

/* --- one domain --------------------------------------------------------------------------------------------------- */

static int choose_addresses(struct report_job *job, span_t own)
{
    const struct conf *conf = job->courier->conf;
    AUTO_BUF struct buf text;
    buf_init(&text, 1024);
    (void)buf_append_format(&text, "noreply@%.*s", SPAN_PRINT(own));
    span_t from = conf->reports_from[0] != '\0' ? span_of_text(conf->reports_from) : buf_span(&text);
    span_t organization = SPAN_NONE;
    job->from = arena_text(job->arena, from);
    int result = domain_normal(domain_of_mailbox(from), job->arena, &organization);
    if (result < 0)
        return result;
    job->organization = arena_text(job->arena, organization);
    buf_clear(&text);
    (void)buf_append_format(&text, "postmaster@%.*s", SPAN_PRINT(organization));
    job->contact = arena_text(job->arena,
                              conf->reports_contact[0] != '\0' ? span_of_text(conf->reports_contact) : buf_span(&text));
    return job->from == NULL || job->organization == NULL || job->contact == NULL ? -ENOMEM : 0;
}

static int make(struct report_job *job, span_t own)
{
    int result = choose_addresses(job, own);
    if (result == 0)
        result = read_rows(job);
    if (result == 0)
        result = job->kind == TALLY_TLS ? report_tls(job) : report_dmarc(job);
    if (result >= 0 || result == -ECANCELED)
        return result;
    log_warn("courier.domain_report.failed", F_HASH("domain", span_of_text(job->domain)), F_FAULT(result));
    bool is_too_large = result == -ENOBUFS || result == -ENOMEM; /* and will be, every day */
    return is_too_large ? REPORT_UNWANTED : REPORT_OPEN;
}

/* An enum report_outcome; faults are those that end all reporting for now. */
static int report_one(struct report_job *job, span_t own)
{
    AUTO(arena) struct arena *arena = NULL;
    struct resolver_job questions;
    int result = arena_new(ARENA_MAX, &arena);
    if (result < 0)
        return result;
    resolver_job_init(&questions, job->courier->resolver, job->task, QUESTIONS_MAX, QUESTIONS_MS);
    const struct dns_lookup lookup = resolver_lookup(&questions);
    job->lookup = &lookup;
    job->arena = arena;
    job->count = 0;
    int outcome = make(job, own);
    if (outcome == REPORT_SENT || outcome == REPORT_UNWANTED) {
        result = forget(job);
        log_info("courier.domain_report", F_HASH("domain", span_of_text(job->domain)),
                 F_TEXT("kind", job->kind == TALLY_TLS ? "tls" : "dmarc"), F_INT("outcome", outcome));
    }
    return result < 0 ? result : outcome;
}

/* The next one behind job's day and domain: 1, with domain and own set; 0: there is none. */
static int next(struct report_job *job, const struct reporting_days *days, char domain[TALLY_DOMAIN_MAX + 1],
                char own[TALLY_DOMAIN_MAX + 1])
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    struct ipc_message request = {.type = IPC_report_next,
                                  .report_next = {.kind = (uint32_t)job->kind,
                                                  .first = days->first,
                                                  .last = days->last,
                                                  .day = job->day,
                                                  .domain = span_of_text(domain)}};
    int result = call_keeper(job, &request, &reply);
    if (result < 0)
        return result;
    const struct ipc_report_next_done *found = &reply->report_next_done;
    if (found->outcome != 0)
        return found->outcome == ENOENT ? 0 : -(int)found->outcome;
    if (found->own.len == 0 || found->domain.len == 0)
        return 0;                                        /* we are nobody yet */
    memcpy(domain, found->domain.at, found->domain.len); /* messages.def has seen to their lengths */
    domain[found->domain.len] = '\0';
    memcpy(own, found->own.at, found->own.len);
    own[found->own.len] = '\0';
    job->day = found->day;
    return 1;
}

static int run_kind(struct report_job *job, const struct reporting_days *days, struct reporting_done *done)
{
    char domain[TALLY_DOMAIN_MAX + 1] = "";
    char own[TALLY_DOMAIN_MAX + 1] = "";
    int result = 0;
    job->domain = domain;
    for (unsigned i = 0; i < REPORTS_MAX && (result = next(job, days, domain, own)) == 1; i++) {
        result = report_one(job, span_of_text(own));
        if (result < 0)
            return result;
        done->of[job->kind].sent += result == REPORT_SENT;
        done->of[job->kind].unwanted += result == REPORT_UNWANTED;
        done->of[job->kind].open += result == REPORT_OPEN;
        job->courier->told += result == REPORT_SENT;
    }
    return result < 0 ? result : 0;
}

int reporting_run(struct task *task, struct courier *courier, const struct reporting_days *days,
                  struct reporting_done *ret_done)
{
    struct reporting *reporting = courier->reporting;
    const char *const settings[] = {
        [TALLY_TLS] = courier->conf->reports_tls, [TALLY_DMARC] = courier->conf->reports_dmarc};
    struct reporting_done done = {0};
    int result = 0;
    if (reporting->is_running)
        return -EBUSY;
    reporting->is_running = true;
    tallier_send(courier->tallier);
    for (unsigned kind = 0; result == 0 && kind < TALLY_KIND_COUNT; kind++) {
        struct report_job job = {.task = task, .courier = courier, .kind = (enum tally_kind)kind};
        if (strcmp(settings[kind], "on") == 0)
            result = run_kind(&job, days, &done);
    }
    reporting->is_running = false;
    *ret_done = done;
    return result;
}

/* --- once a day --------------------------------------------------------------------------------------------------- */

static int64_t by_chance(uint64_t most)
{
    uint64_t chance = 0;
    random_bytes(&chance, sizeof(chance));
    return most == 0 ? 0 : (int64_t)(chance % most);
}

static void wind(struct reporting *reporting)
{
    int64_t wait = (reporting->next - courier_seconds()) * 1000;
    timer_start(reporting->timer, wait < 0 ? 0 : wait > LOOK_MS ? LOOK_MS : wait);
}

/* RFC 8460 §4.1 asks for it: some time after midnight that nobody else has chosen, too. */
static int64_t time_after(const struct courier *courier, int64_t start)
{
    return start + MARGIN * (int64_t)courier->conf->reports_interval + by_chance(courier->conf->reports_spread);
}

static void daily_task(struct task *task, void *arg)
{
    struct reporting *reporting = arg;
    struct courier *courier = reporting->courier;
    struct reporting_done done = {0};
    const int64_t today = courier_seconds() / TALLY_DAY_SECONDS;
    const struct reporting_days days = {0, (uint32_t)today - 1};
    int result = reporting_run(task, courier, &days, &done);
    if (result < 0 && result != -ECANCELED)
        log_warn("courier.reporting.failed", F_FAULT(result));
    bool is_over = result == 0 && done.of[TALLY_TLS].open == 0 && done.of[TALLY_DMARC].open == 0;
    int64_t tomorrow = time_after(courier, (today + 1) * TALLY_DAY_SECONDS);
    int64_t again = courier_seconds() + AGAIN;
    reporting->next = is_over || tomorrow < again ? tomorrow : again;
    wind(reporting);
}

static void on_timer(void *arg)
{
    struct reporting *reporting = arg;
    struct courier *courier = reporting->courier;
    if (courier->is_stopping)
        return;
    if (courier_seconds() < reporting->next) {
        wind(reporting);
        return;
    }
    reporting->next = courier_seconds() + AGAIN; /* unless the task says otherwise */
    if (task_group_spawn(&courier->tasks, courier->loop, "courier.reporting", daily_task, reporting) < 0)
        wind(reporting);
}

int reporting_new(struct courier *courier, struct reporting **ret_reporting)
{
    struct reporting *reporting = mem_new(sizeof(*reporting));
    if (reporting == NULL)
        return -ENOMEM;
    reporting->courier = courier;
    int result = timer_new(courier->loop, on_timer, reporting, &reporting->timer);
    if (result < 0) {
        free(reporting);
        return result;
    }
    *ret_reporting = reporting;
    return 0;
}

void reporting_free(struct reporting *reporting)
{
    if (reporting != NULL)
        timer_free(reporting->timer);
    free(reporting);
}

/* What a day has left over, because the server was off at its time, is sent soon. */
void reporting_begin(struct reporting *reporting)
{
    const struct courier *courier = reporting->courier;
    int64_t now = courier_seconds();
    int64_t planned = time_after(courier, now / TALLY_DAY_SECONDS * TALLY_DAY_SECONDS);
    reporting->next = planned > now ? planned : time_after(courier, now);
    wind(reporting);
}
