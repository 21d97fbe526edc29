#include <errno.h>
#include <string.h>

#include "dns/resolver.h"
#include "rt/task.h"
#include "tool/command.h"
#include "tool/dns/report.h"
#include "tool/terminal.h"

#define EXIT_USAGE 2
#define FACTS_MAX ((size_t)1 << 20)
#define FINDING_MAX ((size_t)4 << 20) /* all answers for one piece of advice */
#define REPORT_MAX ((size_t)32 << 20)
#define QUESTIONS_MAX 80U
#define TOTAL_TIME 24000 /* milliseconds, whatever the name servers do; with the keys, half a minute */
#define END_TIME 1000

struct search;

struct inquiry {
    struct search *search;
    size_t index;
    struct arena *arena;
};

struct search {
    const struct facts *facts;
    const struct advice_list *list;
    struct loop *loop;
    struct resolver *resolver;
    struct task_group tasks;
    struct inquiry inquiries[ADVICE_MAX];
    struct finding findings[ADVICE_MAX];
};

static void on_inquiry(struct task *task, void *arg)
{
    struct inquiry *inquiry = arg;
    struct search *search = inquiry->search;
    struct resolver_job job;
    resolver_job_init(&job, search->resolver, task, QUESTIONS_MAX, TOTAL_TIME);
    const struct dns_lookup lookup = resolver_lookup(&job);
    struct finding *finding = &search->findings[inquiry->index];
    const int result =
        advice_find(&search->list->rows[inquiry->index], search->facts, &lookup, inquiry->arena, finding);
    if (result < 0)
        *finding = (struct finding){.state = FINDING_UNKNOWN,
                                    .note = result == -ENOMEM ? "the answers are too large" : "interrupted"};
}

static void on_search(struct task *task, void *arg)
{
    struct search *search = arg;
    for (size_t i = 0; i < search->list->count; i++) {
        search->inquiries[i].search = search;
        search->inquiries[i].index = i;
        search->findings[i] = (struct finding){.state = FINDING_UNKNOWN, .note = "out of memory"};
        if (arena_new(FINDING_MAX, &search->inquiries[i].arena) == 0)
            (void)!task_group_spawn(&search->tasks, search->loop, "dns.inquiry", on_inquiry, &search->inquiries[i]);
    }
    task_group_wait(task, &search->tasks);
    loop_stop(search->loop);
}

static int run(struct search *search, const struct conf *conf)
{
    int result = loop_new(&search->loop);
    if (result < 0)
        return terminal_fail("out of memory");
    result = resolver_new(search->loop, conf, &search->resolver);
    if (result == -EINVAL)
        return terminal_fail("[dns] resolver is not understood; see: waxwing config dns.resolver");
    if (result == -EBADMSG)
        return terminal_fail("there is no DNSSEC key in [dns] trust_anchor, %s", conf->dns_trust_anchor);
    if (result < 0)
        return terminal_fail("cannot read [dns] trust_anchor, %s: %s", conf->dns_trust_anchor, strerror(-result));
    task_group_init(&search->tasks);
    result = task_spawn(search->loop, "dns.search", on_search, search, NULL);
    if (result == 0)
        result = loop_run(search->loop);
    if (result == 0)
        result = loop_finish(search->loop, END_TIME);
    return result < 0 ? terminal_fail("cannot ask the DNS: %s", strerror(-result)) : 0;
}

static void search_end(struct search *search)
{
    resolver_free(search->resolver);
    if (search->loop != NULL)
        loop_free(search->loop);
    for (size_t i = 0; i < ADVICE_MAX; i++)
        arena_free(search->inquiries[i].arena);
}

enum shape { SHAPE_LIST, SHAPE_ZONE, SHAPE_JSON };

static int show_live(const struct conf *conf, const struct facts *facts, const struct advice_list *list,
                     enum shape shape, struct buf *out)
{
    static struct search search; /* large, and needed once */
    search.facts = facts;
    search.list = list;
    int status = run(&search, conf);
    int result = 0;
    if (status == 0 && shape == SHAPE_JSON)
        result = report_json(facts, list, search.findings, out);
    else if (status == 0)
        result = report_list(facts, list, search.findings, out);
    if (result < 0)
        status = terminal_fail("the answers are too long to show");
    for (size_t i = 0; status == 0 && i < list->count; i++)
        if (advice_fails(&list->rows[i], &search.findings[i]))
            status = 1;
    search_end(&search);
    return status;
}

static int show(const struct conf *conf, const char *domain, enum shape shape)
{
    struct facts facts;
    struct advice_list list;
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf out;
    buf_init(&out, REPORT_MAX);
    int result = arena_new(FACTS_MAX, &arena);
    if (result == 0)
        result = facts_gather(conf, domain, arena, &facts);
    if (result == 0)
        result = advice_make(&facts, arena, &list);
    if (result == -EINVAL)
        return terminal_fail("%s is no domain, or [server] hostname, %s, is none", domain, conf->server_hostname);
    int status = 0;
    if (result == 0 && shape == SHAPE_ZONE)
        result = report_zone(&facts, &list, &out);
    else if (result == 0)
        status = show_live(conf, &facts, &list, shape, &out);
    if (result < 0)
        return terminal_fail("out of memory");
    const int written = terminal_write(buf_span(&out));
    return status != 0 ? status : written;
}

int tool_dns(const char *conf_path, int count, char **words)
{
    struct conf_error error;
    AUTO(conf) struct conf *conf = NULL;
    const char *domain = NULL;
    enum shape shape = SHAPE_LIST;
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], "--zone") == 0)
            shape = SHAPE_ZONE;
        else if (strcmp(words[i], "--json") == 0)
            shape = SHAPE_JSON;
        else if (words[i][0] != '-' && domain == NULL)
            domain = words[i];
        else
            domain = "";
    }
    if (domain == NULL || domain[0] == '\0') {
        (void)terminal_fail("usage: waxwing dns DOMAIN [--zone | --json]");
        return EXIT_USAGE;
    }
    if (conf_load(conf_path, &conf, &error) < 0)
        return terminal_fail("%s", error.text);
    return show(conf, domain, shape);
}
