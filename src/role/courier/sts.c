#include "role/courier/sts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "role/courier/courier-state.h"
#include "role/courier/stskept.h"
#include "trust/mtasts/record.h"

#define FETCH_MS 60000 /* RFC 8461 §3.3 */
#define FETCH_PAUSE 300
#define HOST_PREFIX "mta-sts."
#define REFRESH_SECONDS 3600 /* at the most between two looks at what has to be fetched again: the clock may be set */
#define REFRESH_QUESTIONS 40U
#define REFRESH_MEMORY (1U << 20)

/* What is known of a domain: its policy, or that none could be had. */
struct known {
    uint64_t key;
    char id[MTASTS_ID_MAX + 1];
    int64_t fetched; /* seconds since 1970 */
    int64_t ends;
    int64_t failed;   /* the last fetch, or 0 */
    int64_t used;     /* for mail, or 0 */
    uint64_t record;  /* where it is kept, or 0 */
    uint64_t earlier; /* where what was known before is kept, until it is */
    size_t len;       /* of the policy; 0: there is none */
    uint8_t *text;
    char domain[];
};

struct sts_cache {
    struct map *known;
    struct event news; /* one more is used */
    size_t bytes;
};

int sts_cache_new(struct sts_cache **ret_cache)
{
    AUTO(sts_cache) struct sts_cache *cache = mem_new(sizeof(*cache));
    if (cache == NULL)
        return -ENOMEM;
    event_init(&cache->news);
    int result = map_new(&cache->known);
    if (result == 0)
        *ret_cache = TAKE(cache);
    return result;
}

static void known_drop(struct sts_cache *cache, struct known *known)
{
    (void)map_remove(cache->known, known->key);
    cache->bytes -= known->len;
    free(known->text);
    free(known);
}

/* It is true no more, or there is no room for it. */
static void known_forget(struct courier *courier, struct known *known)
{
    settle_record(courier, known->record);
    settle_record(courier, known->earlier);
    known_drop(courier->sts, known);
}

void sts_cache_free(struct sts_cache *cache)
{
    size_t cursor = 0;
    uint64_t key = 0;
    void *known = NULL;
    if (cache == NULL)
        return;
    while (cache->known != NULL && map_next(cache->known, &cursor, &key, &known))
        known_drop(cache, known);
    map_free(cache->known);
    free(cache);
}

static void make_room(struct courier *courier, size_t len)
{
    struct sts_cache *cache = courier->sts;
    while (map_count(cache->known) >= STS_MAX || (map_count(cache->known) > 0 && cache->bytes + len > STS_BYTES_MAX)) {
        struct known *first = NULL;
        size_t cursor = 0;
        uint64_t key = 0;
        void *known = NULL;
        while (map_next(cache->known, &cursor, &key, &known))
            if (first == NULL || ((struct known *)known)->ends < first->ends)
                first = known;
        known_forget(courier, first);
    }
}

static uint64_t key_of(const struct courier *courier, span_t domain)
{
    return hash_keyed(courier->hash_key, domain);
}

/* What is known, and still true. */
static struct known *known_find(struct courier *courier, span_t domain)
{
    struct known *known = map_get(courier->sts->known, key_of(courier, domain));
    if (known == NULL || !span_equal(span_of_text(known->domain), domain))
        return NULL;
    if (known->ends > courier_seconds())
        return known;
    known_forget(courier, known);
    return NULL;
}

static struct known *known_new(const struct courier *courier, const struct sts_kept *kept)
{
    struct known *known = mem_new(sizeof(*known) + kept->domain.len + 1);
    AUTO_FREE uint8_t *copy = mem_new(kept->text.len + 1);
    if (known == NULL || copy == NULL) {
        free(known);
        return NULL;
    }
    memcpy(known->domain, kept->domain.at, kept->domain.len);
    memcpy(known->id, kept->id.at, kept->id.len < MTASTS_ID_MAX ? kept->id.len : MTASTS_ID_MAX);
    if (kept->text.len > 0)
        memcpy(copy, kept->text.at, kept->text.len);
    known->key = key_of(courier, kept->domain);
    known->fetched = kept->fetched;
    known->ends = kept->ends;
    known->failed = kept->text.len > 0 ? 0 : kept->fetched;
    known->len = kept->text.len;
    known->text = TAKE(copy);
    return known;
}

/* In place of what was known; text is empty where there is no policy. */
static int known_put(struct courier *courier, const struct sts_kept *kept)
{
    struct sts_cache *cache = courier->sts;
    struct known *old = map_get(cache->known, key_of(courier, kept->domain));
    uint64_t earlier = 0;
    if (old != NULL && span_equal(span_of_text(old->domain), kept->domain)) {
        earlier = old->record != 0 ? old->record : old->earlier;
        old->record = old->earlier = 0;
    }
    if (old != NULL)
        known_forget(courier, old);
    make_room(courier, kept->text.len);
    struct known *known = known_new(courier, kept);
    if (known == NULL || map_put(cache->known, known->key, known) < 0) {
        if (known != NULL)
            free(known->text);
        free(known);
        return -ENOMEM;
    }
    known->earlier = earlier;
    cache->bytes += known->len;
    return 0;
}

/* --- keeping ---------------------------------------------------------------------------------------------------- */

/* Into the log, sealed to the queue. Without that, it holds until the next restart. */
static int keep(struct task *task, struct courier *courier, span_t domain)
{
    AUTO_BUF struct buf bytes;
    buf_init(&bytes, STS_KEPT_MAX);
    struct place place = {0};
    struct known *known = known_find(courier, domain);
    if (known == NULL)
        return 0;
    const struct sts_kept kept = {.fetched = known->fetched,
                                  .ends = known->ends,
                                  .id = span_of_text(known->id),
                                  .domain = domain,
                                  .text = span_of(known->text, known->len)};
    int result = sts_kept_write(&kept, &bytes);
    if (result == 0)
        result = record_append(task, courier, RECORD_POLICY, buf_span(&bytes), &place);
    if (result < 0) {
        log_warn("courier.sts.unkept", F_HASH("destination", domain), F_FAULT(result));
        return result == -ECANCELED ? result : 0;
    }
    known = known_find(courier, domain); /* another one may have been fetched meanwhile */
    if (known == NULL || known->record != 0 || known->fetched != kept.fetched) {
        settle_record(courier, place.record);
        return 0;
    }
    known->record = place.record;
    settle_record(courier, known->earlier);
    known->earlier = 0;
    return 0;
}

int sts_take(struct courier *courier, uint64_t record, span_t bytes)
{
    struct sts_kept kept;
    if (!sts_kept_read(bytes, &kept))
        return -EBADMSG;
    struct known *known = known_find(courier, kept.domain);
    if (known == NULL && kept.ends > courier_seconds()) {
        int result = known_put(courier, &kept);
        known = known_find(courier, kept.domain);
        if (known != NULL)
            known->record = record;
        return result;
    }
    bool is_its_own = known != NULL && (known->record == 0 || known->record == record); /* 0: being appended */
    if (!is_its_own)
        settle_record(courier, record);
    return 0;
}

/* --- fetching --------------------------------------------------------------------------------------------------- */

/* Why there is no policy in what came (RFC 8460 §4.3.2.2), or NULL. */
static const char *trouble_of(int outcome, const struct fetch_response *response, struct mtasts_policy *policy,
                              enum tlsrpt_result_type *ret_type)
{
    *ret_type = outcome == FETCH_UNTRUSTED ? TLSRPT_STS_WEBPKI_INVALID : TLSRPT_STS_POLICY_FETCH_ERROR;
    if (outcome != FETCH_OK)
        return response->reason;
    if (response->status != 200) /* RFC 8461 §3.3: redirects are not followed */
        return "the answer is not 200";
    *ret_type = TLSRPT_STS_POLICY_INVALID;
    if (strcmp(response->type, "text/plain") != 0)
        return "the answer is not text/plain";
    return mtasts_policy_parse(buf_span(response->content), policy) == MTASTS_OK ? NULL : "it is no policy";
}

static int fetch_failed(struct courier *courier, span_t domain, span_t id, const char *trouble, struct sts_found *found)
{
    int64_t now = courier_seconds();
    struct known *known = known_find(courier, domain);
    const struct sts_kept none = {.fetched = now, .ends = now + FETCH_PAUSE, .id = id, .domain = domain};
    log_warn("courier.sts.unfetched", F_HASH("destination", domain), F_TEXT("reason", trouble));
    found->has_failed = true;
    (void)snprintf(found->reason, sizeof(found->reason), "%s", trouble);
    if (known == NULL)
        return known_put(courier, &none);
    known->failed = now;
    return 0;
}

static int fetch_policy(struct task *task, struct courier *courier, const struct routing *routing, const char *domain,
                        span_t id, struct sts_found *found)
{
    char host[sizeof(HOST_PREFIX) + DNS_NAME_MAX];
    AUTO_BUF struct buf content;
    buf_init(&content, MTASTS_POLICY_MAX);
    int len = snprintf(host, sizeof(host), HOST_PREFIX "%s", domain);
    if (len < 0 || (size_t)len >= sizeof(host))
        return 0;
    const struct fetch_means means = {.lookup = routing->lookup, .client = courier->tls};
    const struct fetch_request request = {.method = "GET",
                                          .is_tls = true,
                                          .host = host,
                                          .port = (uint16_t)courier->conf->courier_sts_port,
                                          .target = "/.well-known/mta-sts.txt",
                                          .timeout_ms = FETCH_MS};
    struct fetch_response response = {.content = &content};
    struct mtasts_policy policy;
    int outcome = fetch(task, &means, &request, &response);
    if (outcome < 0 && outcome != -EINVAL)
        return outcome;
    const char *trouble = trouble_of(outcome, &response, &policy, &found->failure);
    const span_t name = span_of_text(domain);
    if (trouble != NULL)
        return fetch_failed(courier, name, id, trouble, found);
    log_debug("courier.sts.fetched", F_HASH("destination", name), F_TEXT("mode", mtasts_mode_name(policy.mode)));
    const struct sts_kept kept = {.fetched = courier_seconds(),
                                  .ends = courier_seconds() + (int64_t)policy.max_age,
                                  .id = id,
                                  .domain = name,
                                  .text = buf_span(&content)};
    outcome = known_put(courier, &kept);
    return outcome == 0 ? keep(task, courier, name) : outcome;
}

static bool is_old(const struct known *known)
{
    return courier_seconds() - known->fetched > (known->ends - known->fetched) / 2;
}

static bool is_due(const struct known *known, span_t id)
{
    int64_t now = courier_seconds();
    if (known == NULL)
        return true;
    bool has_changed = !span_equal(id, span_of_text(known->id));
    return (is_old(known) || has_changed || known->len == 0) &&
           (known->failed == 0 || now - known->failed >= FETCH_PAUSE);
}

/* The policy, lent to the arena: what is known may change while it is used. A mode of none is no policy. */
static int give(const struct known *known, struct arena *arena, const struct mtasts_policy **ret_policy)
{
    struct mtasts_policy *policy = arena_alloc(arena, sizeof(*policy));
    uint8_t *text = arena_alloc(arena, known->len);
    if (policy == NULL || text == NULL)
        return -ENOMEM;
    memcpy(text, known->text, known->len);
    if (mtasts_policy_parse(span_of(text, known->len), policy) == MTASTS_OK && policy->mode != MTASTS_NONE)
        *ret_policy = policy;
    return 0;
}

int sts_find(struct task *task, struct courier *courier, const struct routing *routing, const char *domain,
             struct sts_found *ret_found)
{
    span_t id = SPAN_NONE;
    const span_t name = span_of_text(domain);
    *ret_found = (struct sts_found){.policy = NULL};
    int result = mtasts_record_find(routing->lookup, domain, routing->arena, &id);
    if (result < 0 && result != -EINVAL)
        return result;
    if (result == MTASTS_RECORD_FOUND && is_due(known_find(courier, name), id)) {
        result = fetch_policy(task, courier, routing, domain, id, ret_found);
        if (result < 0)
            return result;
    }
    /* RFC 8461 §5.1: a record that has gone does not end a policy; only its age does, or a policy of mode none. */
    struct known *known = known_find(courier, name);
    if (known == NULL || known->len == 0)
        return 0;
    if (known->used < known->fetched)
        event_raise(&courier->sts->news);
    known->used = courier_seconds();
    return give(known, routing->arena, &ret_found->policy);
}

/* --- before they are over -------------------------------------------------------------------------------------------
 */

/* When to ask again for one that is used; INT64_MAX: nobody has written there since it was fetched, and it may end. */
static int64_t refresh_at(const struct known *known)
{
    if (known->len == 0 || known->used < known->fetched)
        return INT64_MAX;
    int64_t half = known->fetched + (known->ends - known->fetched) / 2 + 1;
    int64_t pause = (known->ends - known->failed) / 4;
    int64_t again = known->failed + (pause > FETCH_PAUSE ? pause : FETCH_PAUSE);
    return known->failed != 0 && again > half ? again : half;
}

/* The first that is due, if any is by now; else NULL, and *ret_wait says for how many seconds there is none. */
static struct known *next_to_refresh(struct courier *courier, int64_t *ret_wait)
{
    size_t cursor = 0;
    uint64_t key = 0;
    void *value = NULL;
    int64_t now = courier_seconds();
    *ret_wait = REFRESH_SECONDS;
    while (map_next(courier->sts->known, &cursor, &key, &value)) {
        int64_t at = refresh_at(value);
        if (at <= now)
            return value;
        if (at - now < *ret_wait)
            *ret_wait = at - now;
    }
    return NULL;
}

/* Without its record, too: that it has gone ends no policy (RFC 8461 §5.1), and is no reason to forget it sooner. */
static int refresh(struct task *task, struct courier *courier, const char *domain)
{
    AUTO(arena) struct arena *arena = NULL;
    struct resolver_job job;
    span_t id = SPAN_NONE;
    struct sts_found found; /* no session waits for it: there is nothing to report */
    int result = arena_new(REFRESH_MEMORY, &arena);
    if (result != 0)
        return result;
    resolver_job_init(&job, courier->resolver, task, REFRESH_QUESTIONS, FETCH_MS);
    const struct dns_lookup lookup = resolver_lookup(&job);
    const struct routing routing = {.conf = courier->conf, .lookup = &lookup, .arena = arena};
    result = mtasts_record_find(&lookup, domain, arena, &id);
    if (result < 0 && result != -EINVAL)
        return result;
    if (result == MTASTS_RECORD_FOUND)
        return fetch_policy(task, courier, &routing, domain, id, &found);
    return fetch_failed(courier, span_of_text(domain), id, "there is no record any more", &found);
}

void sts_refresh_task(struct task *task, void *arg)
{
    struct courier *courier = arg;
    int result = 0;
    while (result != -ECANCELED) {
        AUTO_FREE char *domain = NULL;
        int64_t wait = 0;
        event_clear(&courier->sts->news);
        const struct known *known = next_to_refresh(courier, &wait);
        if (known != NULL)
            domain = strdup(known->domain); /* known may go meanwhile */
        result = domain != NULL ? refresh(task, courier, domain) : 1;
        if (result > 0 || (result < 0 && result != -ECANCELED))
            result = event_wait(task, &courier->sts->news, wait * 1000);
    }
}
