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
#include "trust/mtasts/record.h"

#define FETCH_MS 60000 /* RFC 8461 §3.3 */
#define FETCH_PAUSE 300
#define HOST_PREFIX "mta-sts."

/* What is known of a domain: its policy, or that none could be had. */
struct known {
    uint64_t key;
    char id[MTASTS_ID_MAX + 1];
    int64_t fetched; /* seconds since 1970 */
    int64_t ends;
    int64_t failed; /* the last fetch, or 0 */
    size_t len;     /* of the policy; 0: there is none */
    uint8_t *text;
    char domain[];
};

struct sts_cache {
    struct map *known;
    size_t bytes;
};

int sts_cache_new(struct sts_cache **ret_cache)
{
    AUTO(sts_cache) struct sts_cache *cache = mem_new(sizeof(*cache));
    if (cache == NULL)
        return -ENOMEM;
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

static void make_room(struct sts_cache *cache, size_t len)
{
    while (map_count(cache->known) >= STS_MAX || (map_count(cache->known) > 0 && cache->bytes + len > STS_BYTES_MAX)) {
        struct known *first = NULL;
        size_t cursor = 0;
        uint64_t key = 0;
        void *known = NULL;
        while (map_next(cache->known, &cursor, &key, &known))
            if (first == NULL || ((struct known *)known)->ends < first->ends)
                first = known;
        known_drop(cache, first);
    }
}

static uint64_t key_of(const struct courier *courier, const char *domain)
{
    return hash_keyed(courier->hash_key, span_of_text(domain));
}

/* What is known, and still true. */
static struct known *known_find(struct courier *courier, const char *domain)
{
    struct known *known = map_get(courier->sts->known, key_of(courier, domain));
    if (known == NULL || strcmp(known->domain, domain) != 0)
        return NULL;
    if (known->ends > courier_seconds())
        return known;
    known_drop(courier->sts, known);
    return NULL;
}

/* In place of what was known; text is empty where there is no policy. */
static int known_put(struct courier *courier, const char *domain, span_t id, span_t text, uint32_t max_age)
{
    struct sts_cache *cache = courier->sts;
    struct known *old = map_get(cache->known, key_of(courier, domain));
    size_t len = strlen(domain);
    if (old != NULL)
        known_drop(cache, old);
    make_room(cache, text.len);
    struct known *known = mem_new(sizeof(*known) + len + 1);
    AUTO_FREE uint8_t *copy = mem_new(text.len + 1);
    if (known == NULL || copy == NULL || map_put(cache->known, key_of(courier, domain), known) < 0) {
        free(known);
        return -ENOMEM;
    }
    memcpy(known->domain, domain, len);
    memcpy(known->id, id.at, id.len < MTASTS_ID_MAX ? id.len : MTASTS_ID_MAX);
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    known->key = key_of(courier, domain);
    known->fetched = courier_seconds();
    known->ends = known->fetched + max_age;
    known->failed = text.len > 0 ? 0 : known->fetched;
    known->len = text.len;
    known->text = TAKE(copy);
    cache->bytes += text.len;
    return 0;
}

/* --- fetching --------------------------------------------------------------------------------------------------- */

/* Why there is no policy in what came, or NULL. */
static const char *trouble_of(int outcome, const struct fetch_response *response, struct mtasts_policy *policy)
{
    if (outcome != FETCH_OK)
        return response->reason;
    if (response->status != 200) /* RFC 8461 §3.3: redirects are not followed */
        return "the answer is not 200";
    if (strcmp(response->type, "text/plain") != 0)
        return "the answer is not text/plain";
    return mtasts_policy_parse(buf_span(response->content), policy) == MTASTS_OK ? NULL : "it is no policy";
}

static int fetch_failed(struct courier *courier, const char *domain, span_t id, const char *trouble)
{
    struct known *known = known_find(courier, domain);
    log_warn("courier.sts.unfetched", F_HASH("destination", span_of_text(domain)), F_TEXT("reason", trouble));
    if (known == NULL)
        return known_put(courier, domain, id, SPAN_NONE, FETCH_PAUSE);
    known->failed = courier_seconds();
    return 0;
}

static int fetch_policy(struct task *task, struct courier *courier, const struct routing *routing, const char *domain,
                        span_t id)
{
    char host[sizeof(HOST_PREFIX) + DNS_NAME_MAX];
    AUTO_BUF struct buf content;
    int len = snprintf(host, sizeof(host), HOST_PREFIX "%s", domain);
    if (len < 0 || (size_t)len >= sizeof(host))
        return 0;
    buf_init(&content, MTASTS_POLICY_MAX);
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
    const char *trouble = trouble_of(outcome, &response, &policy);
    if (trouble != NULL)
        return fetch_failed(courier, domain, id, trouble);
    log_debug("courier.sts.fetched", F_HASH("destination", span_of_text(domain)),
              F_TEXT("mode", mtasts_mode_name(policy.mode)));
    return known_put(courier, domain, id, buf_span(&content), policy.max_age);
}

static bool is_due(const struct known *known, span_t id)
{
    int64_t now = courier_seconds();
    if (known == NULL)
        return true;
    bool is_old = now - known->fetched > (known->ends - known->fetched) / 2;
    bool has_changed = !span_equal(id, span_of_text(known->id));
    return (is_old || has_changed || known->len == 0) && (known->failed == 0 || now - known->failed >= FETCH_PAUSE);
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
             const struct mtasts_policy **ret_policy)
{
    span_t id = SPAN_NONE;
    *ret_policy = NULL;
    int result = mtasts_record_find(routing->lookup, domain, routing->arena, &id);
    if (result < 0 && result != -EINVAL)
        return result;
    if (result == MTASTS_RECORD_FOUND && is_due(known_find(courier, domain), id)) {
        result = fetch_policy(task, courier, routing, domain, id);
        if (result < 0)
            return result;
    }
    /* RFC 8461 §5.1: a record that has gone does not end a policy; only its age does, or a policy of mode none. */
    const struct known *known = known_find(courier, domain);
    return known != NULL && known->len > 0 ? give(known, routing->arena, ret_policy) : 0;
}
