#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "fetch/fetch.h"
#include "fetch/url.h"
#include "ipc/body.h"
#include "role/intake/filter.h"
#include "role/intake/intake-state.h"

/*
 * What people take for junk or not, for rspamd's controller to learn from: one message at a time, and few that wait,
 * unread, in the sockets they come through. While rspamd is away, all that wait are dropped.
 */
#define WAITING_MAX 32U
#define BODY_MS 30000
#define URL_MEMORY 65536U
#define ANSWER_MAX 4096U
#define FIELD_MAX 1100U

struct lesson {
    struct list_link link;
    int fd;
    uint64_t length;
    bool is_spam;
};

static void lesson_free(struct lesson *lesson)
{
    if (lesson == NULL)
        return;
    scope_close(&lesson->fd);
    free(lesson);
}
SCOPE_OF(lesson)

static struct lesson *pop(struct intake *intake)
{
    struct list_link *link = list_pop(&intake->lessons);
    if (link == NULL)
        return NULL;
    intake->lesson_count--;
    return LIST_ITEM(link, struct lesson, link);
}

void intake_drop_lessons(struct intake *intake)
{
    for (struct lesson *lesson = pop(intake); lesson != NULL; lesson = pop(intake))
        lesson_free(lesson);
}

static int parse(const struct conf *conf, struct arena *arena, struct url *ret_url)
{
    int result = url_parse(span_of_text(conf->filter_rspamd_learn), arena, ret_url);
    return result == 0 && ret_url->is_tls ? -EINVAL : result;
}

size_t intake_teach_ports(const struct conf *conf, uint16_t ret_ports[INTAKE_TEACH_PORTS_MAX])
{
    AUTO(arena) struct arena *arena = NULL;
    struct url url;
    if (conf->filter_rspamd_learn[0] == 0 || arena_new(URL_MEMORY, &arena) != 0 || parse(conf, arena, &url) != 0)
        return 0;
    ret_ports[0] = url.port;
    return 1;
}

static int read_body(struct task *task, struct intake *intake, struct lesson *lesson, struct buf *text)
{
    AUTO(body_reader) struct body_reader *reader = NULL;
    int result = body_reader_new(intake->loop, TAKE_FD(lesson->fd), &reader);
    while (result == 0) {
        size_t room = lesson->length - buf_len(text) + 1; /* a byte more shows that there are too many */
        uint8_t *at = NULL;
        size_t len = 0;
        result = buf_reserve(text, room, &at);
        if (result == 0)
            result = body_read(task, reader, at, room, BODY_MS, &len);
        if (result == BODY_COMPLETE)
            return buf_len(text) == lesson->length ? 0 : -EBADMSG;
        if (result != BODY_DATA)
            return result < 0 ? result : -ECONNABORTED;
        if (buf_len(text) + len > lesson->length)
            return -EBADMSG;
        buf_commit(text, len);
    }
    return result;
}

static int post(struct task *task, struct intake *intake, const struct lesson *lesson, span_t text)
{
    const struct conf *conf = intake->start->conf;
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf answer;
    char field[FIELD_MAX];
    struct url url;
    buf_init(&answer, ANSWER_MAX);
    int result = arena_new(URL_MEMORY, &arena);
    if (result == 0)
        result = parse(conf, arena, &url);
    if (result != 0)
        return result;
    struct fetch_request request = {.method = "POST",
                                    .host = url.host,
                                    .port = url.port,
                                    .target = lesson->is_spam ? "/learnspam" : "/learnham",
                                    .content = text,
                                    .timeout_ms = (int64_t)conf->filter_timeout * 1000};
    struct fetch_response response = {.content = &answer};
    int len = snprintf(field, sizeof(field), "Password: %s", conf->filter_rspamd_password);
    if (len > 0 && (size_t)len < sizeof(field) && conf->filter_rspamd_password[0] != 0)
        request.fields[request.field_count++] = field;
    struct resolver_job job;
    resolver_job_init(&job, intake->resolver, task, FETCH_ADDRESSES_MAX, request.timeout_ms);
    struct dns_lookup lookup = resolver_lookup(&job);
    const struct fetch_means means = {.lookup = &lookup};
    result = fetch(task, &means, &request, &response);
    if (result > FETCH_OK) {
        log_warn("intake.teach.unheard", F_TEXT("reason", response.reason));
        return -EHOSTUNREACH;
    }
    if (result == 0 && response.status == 200)
        intake->taught++;
    else if (result == 0) /* learned before, for the most part; or the password is another */
        log_info("intake.teach.refused", F_U64("status", response.status));
    return result;
}

static int teach_one(struct task *task, struct intake *intake, struct lesson *lesson)
{
    AUTO_BUF struct buf text;
    buf_init(&text, lesson->length + 1);
    intake->held += lesson->length;
    int result = read_body(task, intake, lesson, &text);
    if (result == 0)
        result = post(task, intake, lesson, buf_span(&text));
    intake->held -= lesson->length;
    return result;
}

static void teach_task(struct task *task, void *arg)
{
    struct intake *intake = arg;
    struct lesson *next = NULL;
    int result = 0;
    while (result != -ECANCELED && (next = pop(intake)) != NULL) {
        AUTO(lesson) struct lesson *lesson = next;
        result = teach_one(task, intake, lesson);
        if (result == -EHOSTUNREACH || result == -ECANCELED)
            intake_drop_lessons(intake);
        else if (result < 0)
            log_debug("intake.teach.failed", F_FAULT(result));
    }
    intake->is_teaching = false;
}

/* What there is no room for is left out: its socket is closed. */
void intake_teach(struct intake *intake, struct ipc_message *message)
{
    const struct conf *conf = intake->start->conf;
    AUTO(lesson) struct lesson *lesson = mem_new(sizeof(*lesson));
    if (lesson == NULL)
        return;
    *lesson = (struct lesson){
        .fd = ipc_message_take_fd(message, 0), .length = message->teach.length, .is_spam = message->teach.is_spam != 0};
    if (lesson->fd < 0 || conf->filter_rspamd_learn[0] == 0 || intake->lesson_count == WAITING_MAX ||
        lesson->length > conf->filter_scan_max || intake->held + lesson->length > conf->intake_memory_max)
        return;
    list_push(&intake->lessons, &lesson->link);
    intake->lesson_count++;
    (void)TAKE(lesson);
    if (intake->is_teaching)
        return;
    int result = task_group_spawn(&intake->tasks, intake->loop, "intake.teach", teach_task, intake);
    intake->is_teaching = result == 0;
    if (result < 0)
        intake_drop_lessons(intake);
}
