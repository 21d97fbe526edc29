#include "dns/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unbound-event.h>
#include <unbound.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "dns/context.h"
#include "dns/event.h"
#include "dns/servers.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "rt/event.h"
#include "rt/task.h"
#include "rt/timer.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX 65536U
#define TYPE_DNSKEY 48
#define CLASS_IN 1
#define SILENT_QUESTIONS 20U /* in a row without any answer: it is not the fault of those who are asked about */
#define PROBE_AGAIN 30000    /* milliseconds until servers that did not answer are tried for DNSSEC once more */

enum security { SECURITY_NONE = 0, SECURITY_BOGUS = 1, SECURITY_SECURE = 2 }; /* as libunbound's callback has it */

/* What is known of the system's servers. */
enum probe { PROBE_NEEDED, PROBE_ASKED, PROBE_SETTLED };

struct resolver {
    struct loop *loop;
    struct dns_events *events;
    const struct conf *conf;
    struct buf anchors; /* dns_anchors_read() */
    struct dns_servers servers;
    struct ub_ctx *forward; /* either may be NULL: each is made when it is first needed, for it takes 1.5 MB */
    struct ub_ctx *recurse;
    enum dns_way chosen; /* DNS_WAY_FIND_OUT while that is not settled */
    enum probe probe;
    int64_t probe_again;
    uint16_t ports[DNS_SERVERS_MAX + 1];
    size_t port_count;
    int64_t timeout;
    struct timer *starter;
    struct list new; /* questions that libunbound has not been given */
    struct list asked;
    size_t held; /* questions in both */
    size_t held_max;
    struct event room; /* pulsed when one of them is gone */
    uint64_t count;
    uint64_t failed;
    uint64_t bogus;
    unsigned unanswered; /* in a row */
};

/*
 * One question. It lives until libunbound has answered it, even if the one who asked has gone meanwhile (task is NULL
 * then): the answer goes into the cache, and so long the work it makes is counted.
 */
struct question {
    struct list_link link;
    struct resolver *resolver;
    struct task *task;
    struct question **slot; /* where task keeps it; cleared when it is gone */
    struct arena *arena;
    struct dns_answer *answer;
    enum dns_type type;
    char name[];
};

static void question_free(struct question *question)
{
    struct resolver *resolver = question->resolver;
    list_remove(&question->link);
    resolver->held--;
    event_pulse(&resolver->room);
    if (question->slot != NULL)
        *question->slot = NULL;
    free(question);
}

static struct dns_answer failed(const char *reason)
{
    return (struct dns_answer){.outcome = DNS_FAILED, .canonical = "", .reason = reason};
}

static int read_bogus(struct arena *arena, const char *why, struct dns_answer *ret_answer)
{
    const char *reason = arena_text(arena, span_of_text(why != NULL ? why : "the signatures do not fit"));
    if (reason == NULL)
        return -ENOMEM;
    *ret_answer = (struct dns_answer){.outcome = DNS_BOGUS, .canonical = "", .reason = reason};
    return 0;
}

static int read_answer(const struct question *question, span_t packet, int security, const char *why)
{
    if (security == SECURITY_BOGUS)
        return read_bogus(question->arena, why, question->answer);
    const int result = dns_message_read(packet, question->type, question->arena, question->answer);
    if (result == -EBADMSG)
        *question->answer = failed("the answer is malformed");
    else if (result == 0)
        question->answer->is_secure = security == SECURITY_SECURE && question->answer->outcome != DNS_FAILED;
    return result == -ENOMEM ? result : 0;
}

static void on_answer(void *arg, int rcode, void *packet, int len, int security, char *why, int was_limited)
{
    struct question *question = arg;
    int result = 0;
    (void)was_limited;
    if (question->task != NULL) {
        if (rcode != 0 || packet == NULL || len < 0)
            *question->answer = failed("no name server gave a valid answer");
        else
            result = read_answer(question, span_of(packet, (size_t)len), security, why);
        task_wake(question->task, result);
    }
    question_free(question);
}

static void start_question(struct resolver *resolver, struct question *question, struct ub_ctx *context)
{
    list_remove(&question->link);
    if (question->task == NULL) {
        question_free(question);
        return;
    }
    list_push(&resolver->asked, &question->link);
    if (context == NULL ||
        ub_resolve_event(context, question->name, (int)question->type, CLASS_IN, question, on_answer, NULL) != 0) {
        *question->answer = failed("out of memory");
        task_wake(question->task, 0);
        question_free(question);
    }
}

/* NULL where there is no memory for it. */
static struct ub_ctx *context_for(struct resolver *resolver, enum dns_way way)
{
    struct ub_ctx **slot = way == DNS_WAY_RECURSE ? &resolver->recurse : &resolver->forward;
    if (*slot == NULL &&
        dns_context_new(dns_events_base(resolver->events), resolver->conf,
                        way == DNS_WAY_RECURSE ? NULL : &resolver->servers, buf_span(&resolver->anchors), slot) != 0)
        return NULL;
    return *slot;
}

static void start_questions(struct resolver *resolver, enum dns_way way)
{
    struct ub_ctx *context = context_for(resolver, way);
    for (struct list_link *link; (link = list_first(&resolver->new)) != NULL;)
        start_question(resolver, LIST_ITEM(link, struct question, link), context);
}

/* The root's keys came through the system's servers: with signatures or without. */
static void on_probe(void *arg, int rcode, void *packet, int len, int security, char *why, int was_limited)
{
    struct resolver *resolver = arg;
    (void)packet;
    (void)len;
    (void)why;
    (void)was_limited;
    resolver->probe = PROBE_NEEDED;
    resolver->probe_again = loop_now(resolver->loop) + PROBE_AGAIN;
    if (rcode == 0) {
        resolver->probe = PROBE_SETTLED;
        resolver->chosen = security == SECURITY_SECURE ? DNS_WAY_FORWARD : DNS_WAY_RECURSE;
    }
    start_questions(resolver, resolver->chosen == DNS_WAY_RECURSE ? DNS_WAY_RECURSE : DNS_WAY_FORWARD);
}

/*
 * On the loop's own stack, for libunbound and the validator beneath it want more than a task has. While it is not known
 * whether the system's servers do DNSSEC, questions wait for that; where these do not answer at all, so do they.
 */
static void on_start(void *arg)
{
    struct resolver *resolver = arg;
    if (resolver->chosen != DNS_WAY_FIND_OUT) {
        start_questions(resolver, resolver->chosen);
        return;
    }
    if (resolver->probe == PROBE_ASKED)
        return;
    if (loop_now(resolver->loop) < resolver->probe_again) {
        start_questions(resolver, DNS_WAY_FORWARD);
        return;
    }
    resolver->probe = PROBE_ASKED;
    struct ub_ctx *context = context_for(resolver, DNS_WAY_FORWARD);
    if (context == NULL || ub_resolve_event(context, ".", TYPE_DNSKEY, CLASS_IN, resolver, on_probe, NULL) != 0)
        on_probe(resolver, -1, NULL, 0, SECURITY_NONE, NULL, 0);
}

static int question_new(struct resolver_job *job, const char *name, enum dns_type type, struct arena *arena,
                        struct dns_answer *answer, struct question **ret_question)
{
    struct resolver *resolver = job->resolver;
    const span_t text = span_of_text(name);
    struct question *question = mem_new(sizeof(*question) + text.len + 2);
    if (question == NULL)
        return -ENOMEM;
    memcpy(question->name, text.at, text.len);
    if (text.len == 0) /* libunbound's root */
        question->name[0] = '.';
    question->resolver = resolver;
    question->task = job->task;
    question->arena = arena;
    question->answer = answer;
    question->type = type;
    list_push(&resolver->new, &question->link);
    resolver->held++;
    resolver->count++;
    timer_start(resolver->starter, 0);
    question->slot = ret_question;
    *ret_question = question;
    return 0;
}

static int64_t job_time(const struct resolver_job *job, int64_t most)
{
    if (job->until == FOREVER)
        return most;
    const int64_t left = job->until - loop_now(job->resolver->loop);
    return left < 0 ? 0 : left < most ? left : most;
}

static int wait_for_room(const struct resolver_job *job, int64_t until)
{
    struct resolver *resolver = job->resolver;
    int result = 0;
    while (result == 0 && resolver->held >= resolver->held_max) {
        const int64_t left = until - loop_now(resolver->loop);
        result = left <= 0 ? -ETIMEDOUT : event_wait(job->task, &resolver->room, left);
    }
    return result;
}

/* The answer, or -ETIMEDOUT. */
static int ask_until(struct resolver_job *job, const char *name, enum dns_type type, struct arena *arena, int64_t until,
                     struct dns_answer *answer)
{
    struct question *question = NULL;
    int result = wait_for_room(job, until);
    if (result == 0)
        result = question_new(job, name, type, arena, answer, &question);
    if (result < 0)
        return result;
    const int64_t left = until - loop_now(job->resolver->loop);
    result = task_suspend(job->task, left < 0 ? 0 : left);
    if (question != NULL) { /* given up: it lives on without us */
        question->task = NULL;
        question->slot = NULL;
    }
    return result;
}

/* Domains whose name servers are away there are always some; when nothing has an answer, the operator is to hear of it.
 */
static void note_silence(struct resolver *resolver, enum dns_outcome outcome)
{
    if (outcome != DNS_FAILED) {
        if (resolver->unanswered >= SILENT_QUESTIONS)
            log_info("dns.answers.again", F_U64("unanswered", resolver->unanswered));
        resolver->unanswered = 0;
    } else if (++resolver->unanswered == SILENT_QUESTIONS) {
        log_warn("dns.silent", F_U64("unanswered", resolver->unanswered),
                 F_TEXT("look_at", "[dns] resolver, and whether this machine reaches it"));
    }
}

static int resolver_ask(void *context, const char *name, enum dns_type type, struct arena *arena,
                        struct dns_answer *ret_answer)
{
    struct resolver_job *job = context;
    struct resolver *resolver = job->resolver;
    struct dns_answer answer = failed("too many questions");
    AUTO_BUF struct buf wire;
    buf_init(&wire, DNS_NAME_WIRE_MAX);
    const int is_name = dns_name_write(&wire, span_of_text(name));
    if (is_name < 0)
        return is_name;
    int result = 0;
    if (task_is_cancelled(job->task))
        return -ECANCELED;
    const int64_t time = job->left > 0 ? job_time(job, resolver->timeout) : 0;
    const bool is_asked = time > 0;
    if (job->left > 0) {
        job->left--;
        result = !is_asked ? -ETIMEDOUT : ask_until(job, name, type, arena, loop_now(resolver->loop) + time, &answer);
    }
    if (result == -ETIMEDOUT) {
        answer = failed("no answer in time");
        result = 0;
    }
    if (result < 0)
        return result;
    if (is_asked)
        note_silence(resolver, answer.outcome);
    resolver->failed += answer.outcome == DNS_FAILED;
    resolver->bogus += answer.outcome == DNS_BOGUS;
    *ret_answer = answer;
    return 0;
}

void resolver_job_init(struct resolver_job *job, struct resolver *resolver, struct task *task, unsigned questions,
                       int64_t timeout_ms)
{
    *job = (struct resolver_job){
        .resolver = resolver,
        .task = task,
        .until = timeout_ms == FOREVER ? FOREVER : loop_now(resolver->loop) + timeout_ms,
        .left = questions,
    };
}

struct dns_lookup resolver_lookup(struct resolver_job *job)
{
    return (struct dns_lookup){.ask = resolver_ask, .context = job};
}

/* What there is of resolv.conf; nothing where it cannot be read, as for the C library. */
static int read_system(struct buf *text)
{
    uint8_t *at = NULL;
    AUTO_FD int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC);
    const int result = buf_reserve(text, RESOLV_CONF_MAX, &at);
    if (fd < 0 || result < 0)
        return result;
    const ssize_t len = read(fd, at, RESOLV_CONF_MAX);
    buf_commit(text, len < 0 ? 0 : (size_t)len);
    return 0;
}

static int find_servers(struct resolver *resolver, const char *setting)
{
    AUTO_BUF struct buf text;
    buf_init(&text, RESOLV_CONF_MAX);
    int result = read_system(&text);
    if (result == 0)
        result = dns_servers_read(setting, buf_span(&text), &resolver->servers);
    if (result < 0)
        return result;
    for (size_t i = 0; i < resolver->servers.count; i++)
        resolver->ports[resolver->port_count++] = resolver->servers.servers[i].port;
    resolver->ports[resolver->port_count++] = DNS_PORT;
    return 0;
}

/* Whether libunbound understands the settings is found out at once, by a context that is given up again. */
static int try_context(const struct resolver *resolver)
{
    struct ub_ctx *context = NULL;
    const bool asks_itself = resolver->servers.way == DNS_WAY_RECURSE;
    int result = dns_context_new(dns_events_base(resolver->events), resolver->conf,
                                 asks_itself ? NULL : &resolver->servers, buf_span(&resolver->anchors), &context);
    if (result < 0)
        return dns_events_lacked_memory(resolver->events) ? -ENOMEM : result;
    ub_ctx_delete(context);
    mem_give_back();
    return 0;
}

int resolver_new(struct loop *loop, const struct conf *conf, struct resolver **ret_resolver)
{
    AUTO(resolver) struct resolver *resolver = mem_new(sizeof(*resolver));
    if (resolver == NULL)
        return -ENOMEM;
    resolver->loop = loop;
    resolver->conf = conf;
    buf_init(&resolver->anchors, DNS_ANCHORS_MAX);
    resolver->timeout = (int64_t)conf->dns_timeout * 1000;
    resolver->held_max = (size_t)conf->dns_questions_max;
    list_init(&resolver->new);
    list_init(&resolver->asked);
    event_init(&resolver->room);
    int result = dns_events_new(loop, &resolver->events);
    if (result == 0)
        result = timer_new(loop, on_start, resolver, &resolver->starter);
    if (result == 0)
        result = find_servers(resolver, conf->dns_resolver);
    if (result == 0)
        result = dns_anchors_read(conf->dns_trust_anchor, &resolver->anchors);
    if (result == 0)
        result = try_context(resolver);
    if (result < 0)
        return result;
    resolver->chosen = resolver->servers.way;
    *ret_resolver = TAKE(resolver);
    return 0;
}

static void free_questions(struct list *list)
{
    for (struct list_link *link; (link = list_first(list)) != NULL;)
        question_free(LIST_ITEM(link, struct question, link));
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    /* libunbound drops what it is at without a word. */
    if (resolver->forward != NULL)
        ub_ctx_delete(resolver->forward);
    if (resolver->recurse != NULL)
        ub_ctx_delete(resolver->recurse);
    free_questions(&resolver->new);
    free_questions(&resolver->asked);
    buf_deinit(&resolver->anchors);
    timer_free(resolver->starter);
    dns_events_free(resolver->events);
    free(resolver);
}

size_t resolver_ports(const struct resolver *resolver, const uint16_t **ret_ports)
{
    *ret_ports = resolver->ports;
    return resolver->port_count;
}

void resolver_status(const struct resolver *resolver, struct buf *json)
{
    static const char *const ways[] = {
        [DNS_WAY_FORWARD] = "forward", [DNS_WAY_RECURSE] = "recursive", [DNS_WAY_FIND_OUT] = "not known yet"};
    (void)buf_append_format(json,
                            ",\"dns\":{\"way\":\"%s\",\"asked\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"bogus\":%" PRIu64
                            ",\"waiting\":%zu}",
                            ways[resolver->chosen], resolver->count, resolver->failed, resolver->bogus, resolver->held);
}
