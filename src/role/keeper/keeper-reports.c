#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "role/keeper/keeper-state.h"
#include "role/start.h"

/* Reports are worth less than mail: what fails here is said, and keeps nobody waiting. */

static uint32_t first_day_kept(void)
{
    uint64_t today = (uint64_t)time(NULL) / TALLY_DAY_SECONDS;
    return today > REPORTS_KEPT_DAYS ? (uint32_t)(today - REPORTS_KEPT_DAYS) : 0;
}

static int open_it(struct keeper *keeper)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/reports.db", keeper->start->data);
    if (len < 0 || (size_t)len >= sizeof(path))
        return -ENAMETOOLONG;
    int result = reports_open(path, secret_bytes(keeper->reports_key), &keeper->reports);
    return result == 0 ? reports_trim(keeper->reports, first_day_kept()) : result;
}

void keeper_reports_begin(struct keeper *keeper)
{
    int result = open_it(keeper);
    if (result == -EBADMSG)
        keeper_reports_damaged(keeper);
    else if (result < 0)
        log_error("keeper.reports.unavailable", F_FAULT(result));
    secret_free(keeper->reports_key);
    keeper->reports_key = NULL;
}

static int count_all(struct keeper *keeper, span_t rows, uint64_t *left_out)
{
    struct tally_row row;
    int result = reports_begin_lazily(keeper->reports);
    while (result >= 0 && tally_row_next(&rows, &row)) {
        result = reports_count(keeper->reports, &row);
        *left_out += result == REPORTS_FULL;
    }
    if (result >= 0)
        result = reports_commit(keeper->reports);
    reports_rollback(keeper->reports);
    return result;
}

void keeper_tally(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    uint64_t left_out = 0;
    (void)task;
    if (keeper->reports == NULL)
        return;
    int result = count_all(keeper, request->message->tally.rows, &left_out);
    if (result < 0)
        log_error("keeper.tally.failed", F_FAULT(result));
    if (left_out > 0)
        log_warn("keeper.tally.full", F_U64("left_out", left_out));
}

/* False: there can be no such place. */
static bool place_of(uint32_t day, span_t domain, struct reports_place *ret_place)
{
    if (domain.len > TALLY_DOMAIN_MAX)
        return false;
    *ret_place = (struct reports_place){.day = day};
    if (domain.len > 0)
        memcpy(ret_place->domain, domain.at, domain.len);
    return true;
}

static int find_next(struct keeper *keeper, const struct ipc_report_next *asked, struct reports_place *place)
{
    const struct reports_days days = {(enum tally_kind)asked->kind, asked->first, asked->last};
    if (keeper->reports == NULL || asked->kind >= TALLY_KIND_COUNT || !place_of(asked->day, asked->domain, place))
        return -ENOENT;
    int result = place->domain[0] == '\0' ? reports_trim(keeper->reports, first_day_kept()) : 0;
    if (result == 0)
        result = reports_next(keeper->reports, &days, place);
    return result == REPORTS_NONE ? -ENOENT : result;
}

void keeper_report_next(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    struct reports_place place = {0};
    char own[NAME_DOMAIN_MAX + 1] = "";
    (void)task;
    int result = find_next(keeper, &request->message->report_next, &place);
    if (result == 0)
        result = directory_domain_first(keeper->directory, own);
    if (result < 0 && result != -ENOENT)
        log_error("keeper.report.failed", F_FAULT(result));
    struct ipc_message reply = {.type = IPC_report_next_done,
                                .report_next_done = {.outcome = result < 0 ? (uint32_t)-result : 0,
                                                     .day = place.day,
                                                     .domain = span_of_text(place.domain),
                                                     .own = span_of_text(own)}};
    keeper_reply(request, &reply);
}

void keeper_report_rows(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    const struct ipc_report_rows *asked = &request->message->report_rows;
    struct ipc_message reply = {.type = IPC_report_rows_done, .report_rows_done = {.offset = asked->offset}};
    struct reports_place place;
    AUTO_BUF struct buf rows;
    (void)task;
    buf_init(&rows, TALLY_ROWS_MAX);
    int result = -ENOENT;
    if (keeper->reports != NULL && asked->kind < TALLY_KIND_COUNT && place_of(asked->day, asked->domain, &place))
        result =
            reports_rows(keeper->reports, (enum tally_kind)asked->kind, &place, &reply.report_rows_done.offset, &rows);
    if (result < 0)
        log_error("keeper.report.failed", F_FAULT(result));
    reply.report_rows_done.outcome = result < 0 ? (uint32_t)-result : 0;
    reply.report_rows_done.more = result == REPORTS_OK;
    if (result >= 0)
        reply.report_rows_done.rows = buf_span(&rows);
    keeper_reply(request, &reply);
}

void keeper_report_over(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    const struct ipc_report_over *said = &request->message->report_over;
    struct reports_place place;
    (void)task;
    int result = -ENOENT;
    if (keeper->reports != NULL && said->kind < TALLY_KIND_COUNT && place_of(said->day, said->domain, &place))
        result = reports_forget(keeper->reports, (enum tally_kind)said->kind, &place);
    if (result < 0)
        log_error("keeper.report.failed", F_FAULT(result));
    struct ipc_message reply = {.type = IPC_done, .done = {.outcome = result < 0 ? (uint32_t)-result : 0}};
    keeper_reply(request, &reply);
}
