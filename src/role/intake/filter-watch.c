#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "role/intake/filter.h"

/*
 * A program beside us is looked for when we start, and from then on: often while it is away, and otherwise where no
 * message has shown for a minute that it is there. A message that meets one that is away looks once more, briefly, so
 * that whoever comes back is taken up by the next message, and whoever does not costs none of them its whole time.
 */
#define LOOK_WAIT 3000       /* milliseconds for one look */
#define LOOK_SOON 5000       /* while it is away */
#define LOOK_LATER 60000     /* while it is there */
#define GONE_AFTER 3600000LL /* one that was found by itself, and is away for so long, was taken away */
#define WATCHED FILTER_DNSBL /* kinds below it are programs */
#define KINDS FILTER_TURN    /* kinds below it are asked by intakes */

struct watch_of {
    struct intake *intake;
    enum filter_choice choice;
    bool has_looked;
    int64_t heard; /* when it answered last, on the loop's clock */
    struct filter_row row;
};

struct filters {
    struct task_group tasks;
    struct watch_of watches[KINDS];
};

static filter_prober *const probers[WATCHED] = {
    [FILTER_RSPAMD] = filter_probe_rspamd, [FILTER_CLAMD] = filter_probe_clamd};

int64_t filter_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

enum filter_choice filter_choice_of(const char *setting)
{
    if (setting[0] == '\0' || strcmp(setting, "off") == 0)
        return FILTER_CHOSEN_OFF;
    return strcmp(setting, "auto") == 0 ? FILTER_CHOSEN_AUTO : FILTER_CHOSEN_ON;
}

static uint64_t now_seconds(void)
{
    return (uint64_t)time(NULL);
}

/* --- the one place where a standing changes --- */

static void say_found(const struct watch_of *watch, const char *where)
{
    const bool is_auto = watch->choice == FILTER_CHOSEN_AUTO;
    if (watch->intake->start->index != 0 && !watch->has_looked)
        return; /* one of several intakes says it */
    log_info("filter.found", F_TEXT("filter", filter_kind_name(watch->row.kind)), F_TEXT("where", where),
             F_TEXT("version", watch->row.version), F_TEXT("means", "mail is shown to it in clear"),
             F_TEXT("chosen", is_auto ? "auto; [filter] can switch it off" : "by its setting"));
}

static const char *where_is(const struct watch_of *watch)
{
    const struct conf *conf = watch->intake->start->conf;
    if (watch->choice == FILTER_CHOSEN_AUTO)
        return watch->row.kind == FILTER_RSPAMD ? FILTER_RSPAMD_AUTO : FILTER_CLAMD_AUTO;
    return watch->row.kind == FILTER_RSPAMD ? conf->filter_rspamd : conf->filter_clamd;
}

static void stand(struct watch_of *watch, enum filter_standing standing)
{
    if (watch->row.standing == standing)
        return;
    watch->row.standing = standing;
    watch->row.since = now_seconds();
}

static void is_there(struct watch_of *watch)
{
    const bool was_up = watch->row.standing == FILTER_IS_UP;
    watch->heard = loop_now(watch->intake->loop);
    stand(watch, FILTER_IS_UP);
    if (!was_up)
        say_found(watch, where_is(watch));
    watch->has_looked = true;
}

static void is_away(struct watch_of *watch, const char *reason)
{
    const bool was_up = watch->row.standing == FILTER_IS_UP;
    const bool is_auto = watch->choice == FILTER_CHOSEN_AUTO;
    const bool is_first = !watch->has_looked;
    watch->has_looked = true;
    if (was_up || (is_first && !is_auto))
        log_warn("filter.down", F_TEXT("filter", filter_kind_name(watch->row.kind)), F_TEXT("where", where_is(watch)),
                 F_TEXT("reason", reason));
    if (was_up)
        stand(watch, FILTER_IS_DOWN);
    if (!is_auto || watch->row.standing != FILTER_IS_DOWN || loop_now(watch->intake->loop) - watch->heard < GONE_AFTER)
        return;
    log_warn("filter.gone", F_TEXT("filter", filter_kind_name(watch->row.kind)),
             F_TEXT("means", "it was found by itself, and mail waits for it no longer"));
    stand(watch, FILTER_IS_ABSENT);
}

/* --- looking --- */

/* 0 whatever was found; -ENOMEM, -ECANCELED. */
static int look(struct task *task, struct watch_of *watch)
{
    char reason[FILTER_REASON_MAX] = "";
    char version[FILTER_VERSION_MAX] = "";
    const int64_t limit = (int64_t)watch->intake->start->conf->filter_timeout * 1000;
    int result = probers[watch->row.kind](task, watch->intake, limit < LOOK_WAIT ? limit : LOOK_WAIT, version, reason);
    if (result < 0)
        return result;
    if (result == 0)
        memcpy(watch->row.version, version, sizeof(version));
    if (result == 0)
        is_there(watch);
    else
        is_away(watch, reason);
    return 0;
}

static void run_watch(struct task *task, void *arg)
{
    struct watch_of *watch = arg;
    for (int result = 0; result == 0 || result == -ENOMEM;) {
        const bool is_up = watch->row.standing == FILTER_IS_UP;
        const int64_t silence = loop_now(watch->intake->loop) - watch->heard;
        result = is_up && silence < LOOK_LATER ? 0 : look(task, watch);
        if (result != -ECANCELED)
            result = task_sleep(task, watch->row.standing == FILTER_IS_UP ? LOOK_LATER : LOOK_SOON);
    }
}

/* Ours steps back while rspamd is at work, which can do the same with more knowledge. */
static bool stands_back(const struct intake *intake, enum filter_kind kind)
{
    const struct watch_of *watches = intake->filters->watches;
    return kind == FILTER_GREYLIST && watches[kind].choice == FILTER_CHOSEN_AUTO &&
           watches[FILTER_RSPAMD].row.standing == FILTER_IS_UP;
}

int filter_ready(struct task *task, struct intake *intake, enum filter_kind kind)
{
    struct watch_of *watch = &intake->filters->watches[kind];
    if (watch->row.standing == FILTER_IS_OFF || stands_back(intake, kind))
        return FILTER_PASS_BY;
    const bool is_sought = watch->row.standing == FILTER_IS_DOWN || !watch->has_looked;
    int result = kind < WATCHED && is_sought ? look(task, watch) : 0;
    if (result != 0)
        return result;
    return watch->row.standing == FILTER_IS_UP     ? (int)FILTER_GO
           : watch->row.standing == FILTER_IS_DOWN ? (int)FILTER_AWAY
                                                   : (int)FILTER_PASS_BY;
}

bool filters_matter(const struct intake *intake)
{
    for (enum filter_kind kind = 0; kind < KINDS; kind++) {
        const struct watch_of *watch = &intake->filters->watches[kind];
        const bool is_sought = watch->choice == FILTER_CHOSEN_AUTO && !watch->has_looked;
        if (watch->row.standing >= FILTER_IS_UP || is_sought)
            return true;
    }
    return false;
}

/* --- counting --- */

static void count(struct filter_row *row, int64_t since)
{
    row->asked++;
    row->microseconds += (uint64_t)(filter_clock() - since);
}

void filter_heard(struct intake *intake, enum filter_kind kind, enum filter_advice own, int64_t since)
{
    struct watch_of *watch = &intake->filters->watches[kind];
    struct filter_row *row = &watch->row;
    uint64_t *const counts[] = {[FILTER_ACCEPT] = &row->passed,
                                [FILTER_JUNK] = &row->junked,
                                [FILTER_REFUSE] = &row->refused,
                                [FILTER_LATER] = &row->deferred};
    count(row, since);
    (*counts[own])++;
    if (kind < WATCHED)
        is_there(watch);
}

void filter_unheard(struct intake *intake, enum filter_kind kind, const char *reason, int64_t since)
{
    struct watch_of *watch = &intake->filters->watches[kind];
    count(&watch->row, since);
    watch->row.failed++;
    if (kind < WATCHED)
        is_away(watch, reason);
    else
        log_warn("filter.silent", F_TEXT("filter", filter_kind_name(kind)), F_TEXT("reason", reason));
}

void filters_write(const struct intake *intake, struct buf *rows)
{
    for (size_t at = 0; intake->filters != NULL && at < KINDS; at++) {
        uint8_t *into = NULL;
        if (buf_reserve(rows, FILTER_ROW_SIZE, &into) != 0)
            return;
        struct filter_row row = intake->filters->watches[at].row;
        if (stands_back(intake, row.kind))
            row.standing = FILTER_IS_OFF;
        filter_row_put(into, &row);
        buf_commit(rows, FILTER_ROW_SIZE);
    }
}

/* --- life --- */

/* One that is set is down until it is found; one that is only looked for is absent until then. The others need no
 * looking for. */
static void watch_init(struct watch_of *watch, struct intake *intake, enum filter_kind kind, const char *setting)
{
    static const enum filter_standing at_first[] = {[FILTER_CHOSEN_OFF] = FILTER_IS_OFF,
                                                    [FILTER_CHOSEN_AUTO] = FILTER_IS_ABSENT,
                                                    [FILTER_CHOSEN_ON] = FILTER_IS_DOWN};
    const enum filter_choice choice = filter_choice_of(setting);
    const bool is_own = kind >= WATCHED && choice != FILTER_CHOSEN_OFF;
    *watch = (struct watch_of){
        .intake = intake,
        .choice = choice,
        .row = {.kind = kind, .standing = is_own ? FILTER_IS_UP : at_first[choice], .since = now_seconds()},
    };
}

int filters_begin(struct intake *intake)
{
    const struct conf *conf = intake->start->conf;
    const char *const settings[KINDS] = {[FILTER_RSPAMD] = conf->filter_rspamd,
                                         [FILTER_CLAMD] = conf->filter_clamd,
                                         [FILTER_DNSBL] = conf->filter_dnsbl,
                                         [FILTER_GREYLIST] = conf->filter_greylist};
    struct filters *filters = mem_new(sizeof(*filters));
    if (filters == NULL)
        return -ENOMEM;
    task_group_init(&filters->tasks);
    intake->filters = filters;
    for (enum filter_kind kind = 0; kind < KINDS; kind++)
        watch_init(&filters->watches[kind], intake, kind, settings[kind]);
    int result = 0;
    for (enum filter_kind kind = 0; result == 0 && kind < WATCHED; kind++)
        if (filters->watches[kind].choice != FILTER_CHOSEN_OFF)
            result =
                task_group_spawn(&filters->tasks, intake->loop, "intake.filter", run_watch, &filters->watches[kind]);
    return result;
}

void filters_end(struct intake *intake)
{
    free(intake->filters);
    intake->filters = NULL;
}
