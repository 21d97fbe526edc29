#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "ipc/filterrow.h"
#include "role/supervisor/state.h"

/* Each gate and each intake knows its own part of what filters have done: here it is added up for `waxwing status`. */

#define ANSWER_MS 1000

struct sums {
    bool is_known[FILTER_KIND_COUNT];
    struct filter_row rows[FILTER_KIND_COUNT];
};

static void add_rows(span_t rows, struct sums *sums)
{
    for (; rows.len >= FILTER_ROW_SIZE; rows = span_from(rows, FILTER_ROW_SIZE)) {
        struct filter_row row;
        if (filter_row_get(rows.at, &row) != 0)
            return;
        if (sums->is_known[row.kind])
            filter_row_add(&sums->rows[row.kind], &row);
        else
            sums->rows[row.kind] = row;
        sums->is_known[row.kind] = true;
    }
}

static void gather(struct task *task, struct supervisor *supervisor, struct sums *sums)
{
    for (size_t at = 0; at < supervisor->child_count; at++) {
        const struct child *child = &supervisor->children[at];
        struct ipc_message request = {.type = IPC_filters};
        AUTO(ipc_message) struct ipc_message *reply = NULL;
        const bool is_asked = child->role == ROLE_INTAKE || child->role == ROLE_GATE;
        if (!is_asked || !child->is_ready || child->channel == NULL || child->stage == CHILD_ON_TRIAL)
            continue;
        if (channel_call_within(task, child->channel, &request, ANSWER_MS, &reply) == 0)
            add_rows(reply->filters_done.rows, sums);
    }
}

static const char *standing_name(enum filter_standing standing)
{
    static const char *const names[FILTER_STANDING_COUNT] = {
        [FILTER_IS_OFF] = "off", [FILTER_IS_ABSENT] = "not found", [FILTER_IS_UP] = "up", [FILTER_IS_DOWN] = "DOWN"};
    return names[standing];
}

/* Of programs beside us alone: where they are, and whether they were found by themselves. */
static const char *setting_of(const struct conf *conf, enum filter_kind kind)
{
    return kind == FILTER_RSPAMD ? conf->filter_rspamd : kind == FILTER_CLAMD ? conf->filter_clamd : NULL;
}

static double milliseconds(const struct filter_row *row)
{
    return row->asked == 0 ? 0 : (double)row->microseconds / 1000.0 / (double)row->asked;
}

static void write_json(const struct conf *conf, const struct filter_row *row, struct buf *text)
{
    const char *setting = setting_of(conf, row->kind);
    (void)buf_append_format(text, "{\"name\":\"%s\",\"state\":\"%s\",\"since\":%" PRIu64, filter_kind_name(row->kind),
                            row->standing == FILTER_IS_DOWN ? "down" : standing_name(row->standing), row->since);
    if (setting != NULL)
        (void)buf_append_format(text, ",\"found\":%s,\"version\":\"%s\"",
                                strcmp(setting, "auto") == 0 ? "true" : "false", row->version);
    (void)buf_append_format(text,
                            ",\"asked\":%" PRIu64 ",\"passed\":%" PRIu64 ",\"junk\":%" PRIu64 ",\"refused\":%" PRIu64
                            ",\"deferred\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"ms\":%.1f}",
                            row->asked, row->passed, row->junked, row->refused, row->deferred, row->failed,
                            milliseconds(row));
}

static void write_counts(const struct filter_row *row, struct buf *text)
{
    const struct {
        uint64_t number;
        const char *what;
    } counts[] = {
        {row->junked, "junk"}, {row->refused, "refused"}, {row->deferred, "deferred"}, {row->failed, "failed"}};
    (void)buf_append_format(text, ": %" PRIu64 " asked", row->asked);
    for (size_t at = 0; at < COUNT_OF(counts); at++)
        if (counts[at].number > 0)
            (void)buf_append_format(text, ", %" PRIu64 " %s", counts[at].number, counts[at].what);
    (void)buf_append_format(text, ", %.1f ms each", milliseconds(row));
}

static void write_since(uint64_t since, struct buf *text)
{
    struct tm when;
    const time_t at = (time_t)since;
    char words[32];
    if (since > 0 && gmtime_r(&at, &when) != NULL && strftime(words, sizeof(words), "%Y-%m-%d %H:%M:%SZ", &when) > 0)
        (void)buf_append_format(text, " since %s", words);
}

static void write_line(const struct conf *conf, const struct filter_row *row, struct buf *text)
{
    const char *setting = setting_of(conf, row->kind);
    (void)buf_append_format(text, "filter  %-9s %s", filter_kind_name(row->kind), standing_name(row->standing));
    if (setting != NULL && row->standing >= FILTER_IS_UP) {
        const bool is_auto = strcmp(setting, "auto") == 0;
        write_since(row->since, text);
        (void)buf_append_format(text, ", %s%s", row->version, row->version[0] != '\0' ? ", " : "");
        (void)buf_append_format(text, "%s",
                                is_auto ? "found by itself, is shown mail in clear" : "is shown mail in clear");
    }
    if (row->standing >= FILTER_IS_UP && row->asked > 0)
        write_counts(row, text);
    (void)buf_append_byte(text, '\n');
}

void filters_status_write(struct task *task, struct supervisor *supervisor, bool as_json, struct buf *text,
                          bool *ret_healthy)
{
    const struct conf *conf = supervisor->conf;
    struct sums sums = {0};
    bool is_first = true;
    gather(task, supervisor, &sums);
    if (as_json)
        (void)buf_append_text(text, ",\"filters\":[");
    for (enum filter_kind kind = 0; kind < FILTER_KIND_COUNT; kind++) {
        if (!sums.is_known[kind])
            continue;
        if (sums.rows[kind].standing == FILTER_IS_DOWN)
            *ret_healthy = false;
        if (as_json && !is_first)
            (void)buf_append_byte(text, ',');
        is_first = false;
        if (as_json)
            write_json(conf, &sums.rows[kind], text);
        else
            write_line(conf, &sums.rows[kind], text);
    }
    if (as_json)
        (void)buf_append_byte(text, ']');
}
