#include "trust/dkim/verify.h"

#include <errno.h>
#include <string.h>

#include "trust/domain.h"

const char *dkim_result_text(enum dkim_result result)
{
    static const char *const texts[] = {"none", "pass", "fail", "policy", "neutral", "temperror", "permerror"};
    return texts[result];
}

static void settle(struct dkim_verdict *verdict, enum dkim_result result, const char *reason)
{
    verdict->result = result;
    verdict->reason = reason;
}

int dkim_task_begin(struct dkim_task *task, enum dkim_kind kind, span_t field, struct dkim_body *body,
                    struct arena *arena)
{
    int result = 0;
    struct dkim_verdict *verdict = &task->verdict;
    *task = (struct dkim_task){.verdict = {.result = DKIM_NONE, .reason = ""}};
    const char *wrong = dkim_signature_parse(kind, field, arena, &verdict->signature, &result);
    if (result != 0)
        return result;
    if (wrong != NULL)
        settle(verdict, DKIM_PERMERROR, wrong);
    else if (verdict->signature.algorithm == DKIM_RSA_SHA1)
        settle(verdict, DKIM_POLICY, "SHA-1 proves nothing any more"); /* RFC 8301 §3.1 */
    else if (verdict->signature.algorithm == DKIM_UNKNOWN)
        settle(verdict, DKIM_PERMERROR, "unknown algorithm in a=");
    if (verdict->result != DKIM_NONE || kind == DKIM_OF_ARC_SEAL)
        return 0;
    const struct dkim_signature *signature = &verdict->signature;
    result = dkim_body_want(body, signature->body_canon, signature->limit, &task->body_hash);
    if (result == DKIM_BODY_TOO_MANY)
        settle(verdict, DKIM_POLICY, "the signatures ask for too many hashes of the body");
    return result < 0 ? result : 0;
}

int dkim_verify_hash(struct dkim_verdict *verdict, const uint8_t hash[DKIM_HASH_SIZE], const struct dns_lookup *lookup,
                     struct arena *arena)
{
    AUTO_DKIM_KEY struct dkim_key key = {.key = NULL};
    struct dkim_problem problem;
    const struct dkim_signature *signature = &verdict->signature;
    int result = dkim_key_find(lookup, signature, arena, &key, &problem);
    if (result != 0)
        return result;
    settle(verdict, problem.result, problem.reason);
    if (problem.result != DKIM_NONE)
        return 0;
    verdict->bits = key.bits;
    verdict->is_testing = key.is_testing;
    if (key.is_strict && signature->identity.len > 0 &&
        !domain_equal(domain_of_mailbox(signature->identity), signature->domain))
        settle(verdict, DKIM_PERMERROR, "the key does not allow a subdomain in i=");
    else if (dkim_key_verifies(&key, hash, signature->signature))
        settle(verdict, DKIM_PASS, "");
    else
        settle(verdict, DKIM_FAIL, "the signature does not match the header");
    return 0;
}

/* What needs neither hash of the header nor key. */
static void check_time_and_body(struct dkim_task *task, const struct dkim_body *body, uint64_t now)
{
    struct dkim_verdict *verdict = &task->verdict;
    const struct dkim_signature *signature = &verdict->signature;
    uint64_t len = 0;
    const uint8_t *hash = dkim_body_hash(body, task->body_hash, &len);
    if (signature->expiry != 0 && signature->expiry < now)
        settle(verdict, DKIM_FAIL, "the signature has expired"); /* RFC 6376 §3.5, x= */
    else if (signature->time > now + DKIM_SKEW)
        settle(verdict, DKIM_FAIL, "the signature is from the future");
    else if (signature->limit != DKIM_NO_LIMIT && signature->limit > len)
        settle(verdict, DKIM_FAIL, "the body is shorter than was signed"); /* RFC 6376 §3.5, l= */
    else if (memcmp(hash, signature->body_hash, DKIM_HASH_SIZE) != 0)
        settle(verdict, DKIM_FAIL, "the body was changed");
}

/* Anybody could have put more behind what was signed (RFC 6376 §8.2). */
static void weigh(struct dkim_task *task, const struct dkim_body *body)
{
    uint64_t len = 0;
    struct dkim_verdict *verdict = &task->verdict;
    (void)dkim_body_hash(body, task->body_hash, &len);
    if (verdict->result == DKIM_PASS && verdict->signature.limit < len)
        settle(verdict, DKIM_POLICY, "a part of the body alone is signed");
}

int dkim_task_end(struct dkim_task *task, const struct dkim_header *header, const struct dkim_body *body,
                  const struct dns_lookup *lookup, uint64_t now, struct arena *arena)
{
    uint8_t hash[DKIM_HASH_SIZE];
    struct dkim_verdict *verdict = &task->verdict;
    if (verdict->result == DKIM_NONE && header->is_too_large)
        settle(verdict, DKIM_POLICY, "the header is too large");
    if (verdict->result == DKIM_NONE)
        check_time_and_body(task, body, now);
    if (verdict->result != DKIM_NONE)
        return 0;
    int result = dkim_header_hash(header, &verdict->signature, hash);
    if (result == 0)
        result = dkim_verify_hash(verdict, hash, lookup, arena);
    if (result == 0)
        weigh(task, body);
    return result;
}

int dkim_verifier_new(const struct dkim_header *header, struct dkim_body *body, struct arena *arena,
                      struct dkim_verifier **ret_verifier)
{
    struct dkim_verifier *verifier = arena_alloc(arena, sizeof(*verifier));
    if (verifier == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < header->count && verifier->count < DKIM_SIGNATURES_MAX; i++) {
        if (!span_equal_nocase(header->fields[i].name, SPAN("DKIM-Signature")))
            continue;
        int result =
            dkim_task_begin(&verifier->tasks[verifier->count++], DKIM_OF_MESSAGE, header->fields[i].whole, body, arena);
        if (result != 0)
            return result;
    }
    *ret_verifier = verifier;
    return 0;
}

int dkim_verifier_finish(struct dkim_verifier *verifier, const struct dkim_header *header, const struct dkim_body *body,
                         const struct dns_lookup *lookup, uint64_t now, struct arena *arena)
{
    for (size_t i = 0; i < verifier->count; i++) {
        int result = dkim_task_end(&verifier->tasks[i], header, body, lookup, now, arena);
        if (result != 0)
            return result;
    }
    return 0;
}
