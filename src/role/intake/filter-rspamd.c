#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "conf/conf.h"
#include "fetch/fetch.h"
#include "fetch/url.h"
#include "role/intake/filter.h"
#include "trust/rspamd/verdict.h"

#define FIELD_MAX 1200U
#define PONG_MAX 1024U
#define PING_MEMORY 65536U

struct fields {
    struct fetch_request *request;
    struct arena *arena;
};

/* A field of the request. What could end the line was never part of an envelope that was accepted; it is left out
 * still. */
static int add(const struct fields *fields, const char *name, span_t value)
{
    AUTO_BUF struct buf line;
    buf_init(&line, FIELD_MAX);
    if (value.len == 0 || value.len > 1024 || span_find_byte(value, '\r') < value.len ||
        span_find_byte(value, '\n') < value.len || span_find_byte(value, 0) < value.len)
        return 0;
    (void)buf_append_text(&line, name);
    (void)buf_append_text(&line, ": ");
    (void)buf_append(&line, value);
    char *text = arena_text(fields->arena, buf_span(&line));
    if (buf_fault(&line) != 0 || text == NULL)
        return -ENOMEM;
    fields->request->fields[fields->request->field_count++] = text;
    return 0;
}

static bool is_submission(const struct ipc_deliver *envelope)
{
    return (envelope->flags & DELIVER_SUBMISSION) != 0;
}

/* From where our users write is not rspamd's business, either: it is told who has logged in, which exempts them from
 * what is asked of strangers. Names and meanings are those of rspamd's protocol; the answer is wanted with the fields
 * it would have a mail server add. */
static int describe(struct intake *intake, const struct filter_letter *letter, struct fetch_request *request)
{
    const struct ipc_deliver *envelope = letter->envelope;
    const bool is_own = is_submission(envelope);
    const struct fields fields = {request, letter->arena};
    bool is_tls = (envelope->flags & DELIVER_TLS) != 0;
    const struct {
        const char *name;
        span_t value;
    } rows[] = {
        {"IP", is_own ? SPAN("") : envelope->client},
        {"Helo", is_own ? SPAN("") : envelope->helo},
        {"User", envelope->user},
        {"From", envelope->sender},
        {"Rcpt", envelope->for_address},
        {"MTA-Name", span_of_text(intake->start->conf->server_hostname)},
        {"Flags", SPAN("milter")},
        {"TLS-Version", is_tls ? SPAN("TLS") : SPAN("")},
    };
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        int result = add(&fields, rows[at].name, rows[at].value);
        if (result != 0)
            return result;
    }
    return 0;
}

/* False where it does not fit any more: a line is added whole, or not at all. */
static bool add_line(struct filter_opinion *opinion, span_t name, span_t value)
{
    if (buf_len(opinion->lines) + name.len + value.len + 4 > FILTER_LINES_MAX)
        return false;
    (void)buf_append(opinion->lines, name);
    (void)buf_append_text(opinion->lines, ": ");
    (void)buf_append(opinion->lines, value);
    return buf_append_text(opinion->lines, "\r\n") == 0;
}

/* Why a message is junk stands in it: the score, and what was found, a few to a line. */
static void add_reason(struct filter_opinion *opinion, const struct rspamd_verdict *verdict)
{
    (void)buf_append_format(opinion->lines, "X-Spam-Status: Yes, score=%.2f required=%.2f", verdict->score,
                            verdict->required);
    for (size_t at = 0; at < verdict->symbol_count; at++)
        (void)buf_append_format(opinion->lines, "%s%.*s",
                                at == 0       ? "\r\n\ttests="
                                : at % 4 == 0 ? ",\r\n\t"
                                              : ",",
                                SPAN_PRINT(verdict->symbols[at]));
    (void)buf_append_text(opinion->lines, "\r\n");
}

static void add_subject(struct filter_opinion *opinion, span_t subject)
{
    if (subject.len == 0 || opinion->removed_count + 1 >= FILTER_REMOVED_MAX)
        return;
    if (add_line(opinion, SPAN("Subject"), subject)) /* else the message keeps its own */
        opinion->removed[opinion->removed_count++] = SPAN("Subject");
}

/* Mail of our own goes or does not; nothing is written into it. */
static void obey(const struct rspamd_verdict *verdict, bool is_own, struct filter_opinion *opinion)
{
    static const enum filter_advice advice[RSPAMD_ACTION_COUNT] = {
        [RSPAMD_NO_ACTION] = FILTER_ACCEPT,     [RSPAMD_GREYLIST] = FILTER_ACCEPT,   [RSPAMD_ADD_HEADER] = FILTER_JUNK,
        [RSPAMD_REWRITE_SUBJECT] = FILTER_JUNK, [RSPAMD_SOFT_REJECT] = FILTER_LATER, [RSPAMD_REJECT] = FILTER_REFUSE,
        [RSPAMD_DISCARD] = FILTER_JUNK,         [RSPAMD_QUARANTINE] = FILTER_JUNK,
    };
    span_t words = verdict->reply.len > 0 ? verdict->reply : SPAN("The message looks like spam");
    const bool is_spared = is_own && advice[verdict->action] == FILTER_JUNK;
    filter_advise(opinion, is_spared ? FILTER_ACCEPT : advice[verdict->action], words);
    if (is_own)
        return;
    if (advice[verdict->action] == FILTER_JUNK)
        add_reason(opinion, verdict);
    if (verdict->action == RSPAMD_REWRITE_SUBJECT)
        add_subject(opinion, verdict->subject);
    for (size_t at = 0; at < verdict->add_count; at++)
        (void)add_line(opinion, verdict->add[at].name, verdict->add[at].value);
    for (size_t at = 0; at < verdict->remove_count && opinion->removed_count + 1 < FILTER_REMOVED_MAX; at++)
        opinion->removed[opinion->removed_count++] = verdict->remove[at];
}

static int silent(char reason[FILTER_REASON_MAX], const char *words)
{
    (void)snprintf(reason, FILTER_REASON_MAX, "%s", words);
    return FILTER_SILENT;
}

/* One that was found by itself is asked only while it is still the administrator's: anybody on this machine could
 * listen there, once the true one has ended, and would be shown everybody's mail. */
static int check_owner(struct task *task, struct intake *intake, int64_t timeout_ms, char reason[FILTER_REASON_MAX])
{
    if (filter_choice_of(intake->start->conf->filter_rspamd) != FILTER_CHOSEN_AUTO)
        return 0;
    struct ipc_message request = {.type = IPC_reach, .reach = {.filter = FILTER_RSPAMD}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, wiring_supervisor(intake->wiring), &request, timeout_ms, &reply);
    if (result == -ECANCELED || result == -ENOMEM)
        return result;
    if (result != 0 || reply->reached.fault == ENOENT)
        return silent(reason, result != 0 ? strerror(-result) : "nobody listens there");
    return reply->reached.fault == 0
               ? 0
               : silent(reason, "what listens there belongs neither to rspamd's user nor to root: it gets no mail");
}

static int exchange(struct task *task, struct intake *intake, struct arena *arena, struct fetch_request *request,
                    struct fetch_response *response, char reason[FILTER_REASON_MAX])
{
    const char *setting = intake->start->conf->filter_rspamd;
    const bool is_auto = filter_choice_of(setting) == FILTER_CHOSEN_AUTO;
    struct url url;
    int result = url_parse(span_of_text(is_auto ? FILTER_RSPAMD_AUTO : setting), arena, &url);
    if (result != 0 || url.is_tls)
        return result == -ENOMEM ? result : silent(reason, "[filter] rspamd is no URL such as http://127.0.0.1:11333");
    result = check_owner(task, intake, request->timeout_ms, reason);
    if (result != 0)
        return result;
    request->host = url.host;
    request->port = url.port;
    struct resolver_job job;
    resolver_job_init(&job, intake->resolver, task, FETCH_ADDRESSES_MAX, request->timeout_ms);
    struct dns_lookup lookup = resolver_lookup(&job);
    const struct fetch_means means = {.lookup = &lookup};
    result = fetch(task, &means, request, response);
    if (result > 0)
        return silent(reason, response->reason);
    return result == 0 && response->status != 200 ? silent(reason, "its answer is an error") : result;
}

bool filter_concerns_rspamd(const struct conf *conf, const struct filter_letter *letter)
{
    const bool is_wanted = !is_submission(letter->envelope) || strcmp(conf->filter_rspamd_outbound, "on") == 0;
    return is_wanted && letter->message.len <= conf->filter_scan_max && (letter->envelope->flags & DELIVER_REPORT) == 0;
}

int filter_ask_rspamd(struct task *task, struct intake *intake, const struct filter_letter *letter,
                      struct filter_opinion *opinion, char reason[FILTER_REASON_MAX])
{
    AUTO_BUF struct buf content;
    buf_init(&content, RSPAMD_ANSWER_MAX);
    struct fetch_request request = {
        .method = "POST",
        .target = "/checkv2",
        .content = letter->message,
        .timeout_ms = (int64_t)intake->start->conf->filter_timeout * 1000,
    };
    struct fetch_response response = {.content = &content};
    struct rspamd_verdict verdict;
    int result = describe(intake, letter, &request);
    if (result == 0)
        result = exchange(task, intake, letter->arena, &request, &response, reason);
    if (result != 0)
        return result;
    result = rspamd_verdict_read(buf_span(&content), letter->arena, &verdict);
    if (result != RSPAMD_OK)
        return result < 0 ? result : silent(reason, "its answer cannot be read");
    const bool is_own = is_submission(letter->envelope);
    if (!is_own)
        opinion->removed[opinion->removed_count++] = SPAN("X-Spam-Status"); /* nobody else's word for it */
    obey(&verdict, is_own, opinion);
    return 0;
}

int filter_probe_rspamd(struct task *task, struct intake *intake, int64_t timeout_ms, char version[FILTER_VERSION_MAX],
                        char reason[FILTER_REASON_MAX])
{
    AUTO_BUF struct buf content;
    AUTO(arena) struct arena *arena = NULL;
    buf_init(&content, PONG_MAX);
    struct fetch_request request = {.method = "GET", .target = "/ping", .timeout_ms = timeout_ms};
    struct fetch_response response = {.content = &content};
    int result = arena_new(PING_MEMORY, &arena);
    if (result == 0)
        result = exchange(task, intake, arena, &request, &response, reason);
    if (result == 0 && !span_starts_nocase(buf_span(&content), SPAN("pong")))
        result = silent(reason, "what listens there is not rspamd");
    if (result == 0)
        filter_version_set(version, span_of_text(response.server));
    return result;
}
