#include "trust/arc/chain.h"

#include <errno.h>

#include "trust/authres/authres.h"
#include "trust/domain.h"
#include "trust/taglist.h"

#define TEXT_MAX (DKIM_HEADER_MAX * 2U)

const char *arc_result_text(enum arc_result result)
{
    static const char *const texts[] = {"none", "pass", "fail"};
    return texts[result];
}

static void fail(struct arc_chain *chain, const char *reason)
{
    chain->result = ARC_FAIL;
    chain->reason = reason;
}

static span_t value_of(span_t field)
{
    return span_from(field, span_find_byte(field, ':') + 1);
}

span_t arc_results_of(span_t field)
{
    span_t value = value_of(field);
    return span_from(value, span_find_byte(value, ';') + 1);
}

/* The number of "i=" (RFC 8617 §4.2.1), which stands anywhere in a list of tags, and first in front of results. */
static unsigned instance_of(span_t field, bool is_results)
{
    struct taglist tags;
    uint64_t instance = 0;
    span_t value = value_of(field);
    if (is_results)
        value = span_upto(value, span_find_byte(value, ';'));
    if (taglist_parse(value, &tags) != TAGLIST_OK)
        return 0;
    if (span_to_u64(taglist_value(&tags, "i"), ARC_INSTANCES_MAX, &instance) != 0)
        return 0;
    return (unsigned)instance;
}

/* Sorts the field in where it is one of the chain's; false: it is wrong, or there twice. */
static bool collect(struct arc_set *sets, const struct mime_field *field, unsigned *highest)
{
    static const char *const names[] = {"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!span_equal_nocase(field->name, span_of_text(names[i])))
            continue;
        unsigned instance = instance_of(field->whole, i == 0);
        if (instance == 0)
            return false;
        struct arc_set *set = &sets[instance - 1];
        span_t *place = i == 0 ? &set->results : i == 1 ? &set->message : &set->seal;
        if (place->at != NULL)
            return false;
        *place = field->whole;
        *highest = instance > *highest ? instance : *highest;
    }
    return true;
}

/* RFC 8617 §5.2, steps 1 to 3 as far as they need no key. */
static void find_sets(const struct dkim_header *header, struct arc_chain *chain)
{
    for (size_t i = 0; i < header->count; i++)
        if (!collect(chain->sets, &header->fields[i], &chain->count))
            fail(chain, "a field of the chain has no number of its own");
    for (unsigned i = 0; i < chain->count && chain->result != ARC_FAIL; i++) {
        const struct arc_set *set = &chain->sets[i];
        if (set->results.at == NULL || set->message.at == NULL || set->seal.at == NULL)
            fail(chain, "a field of the chain is missing");
    }
    if (chain->count > 0 && chain->result != ARC_FAIL && header->is_too_large)
        fail(chain, "the header is too large");
}

int arc_chain_new(const struct dkim_header *header, struct dkim_body *body, struct arena *arena,
                  struct arc_chain **ret_chain)
{
    struct arc_chain *chain = arena_alloc(arena, sizeof(*chain));
    struct arc_set *sets = arena_alloc_array(arena, ARC_INSTANCES_MAX, sizeof(*sets));
    struct dkim_task *task = arena_alloc(arena, sizeof(*task));
    if (chain == NULL || sets == NULL || task == NULL)
        return -ENOMEM;
    *chain = (struct arc_chain){.result = ARC_NONE, .reason = "", .sets = sets, .message = task};
    find_sets(header, chain);
    *ret_chain = chain;
    if (chain->count == 0 || chain->result == ARC_FAIL)
        return 0;
    return dkim_task_begin(task, DKIM_OF_ARC_MESSAGE, sets[chain->count - 1].message, body, arena);
}

/* The seal's own words: the first says none, those after it pass (RFC 8617 §5.2, step 3). */
static bool says_right(unsigned instance, const struct dkim_signature *seal)
{
    return seal->instance == instance && span_equal_nocase(seal->chain, instance == 1 ? SPAN("none") : SPAN("pass"));
}

/* text: the sets below this one, canonical (RFC 8617 §5.1.1); this one is added. */
static int check_seal(struct arc_chain *chain, unsigned instance, const struct dns_lookup *lookup, struct buf *text,
                      struct arena *arena)
{
    int result = 0;
    uint8_t hash[DKIM_HASH_SIZE];
    struct arc_set *set = &chain->sets[instance - 1];
    struct dkim_verdict verdict = {.reason = ""};
    const char *wrong = dkim_signature_parse(DKIM_OF_ARC_SEAL, set->seal, arena, &verdict.signature, &result);
    if (result != 0)
        return result;
    if (wrong == NULL && verdict.signature.algorithm >= DKIM_RSA_SHA1)
        wrong = "unknown algorithm in a seal";
    if (wrong == NULL && !says_right(instance, &verdict.signature))
        wrong = "a seal says what it must not";
    if (wrong != NULL) {
        fail(chain, wrong);
        return 0;
    }
    (void)dkim_canon_field(DKIM_RELAXED, set->results, text);
    (void)dkim_canon_field(DKIM_RELAXED, set->message, text);
    size_t before = buf_len(text);
    (void)dkim_header_append_own(&verdict.signature, text);
    result = buf_fault(text) != 0 ? buf_fault(text) : dkim_hash(buf_span(text), hash);
    if (result == 0)
        result = dkim_verify_hash(&verdict, hash, lookup, arena);
    buf_truncate(text, before);
    (void)dkim_canon_field(DKIM_RELAXED, set->seal, text);
    set->sealer = verdict.signature.domain;
    if (result == 0 && verdict.result != DKIM_PASS)
        fail(chain, verdict.result == DKIM_FAIL ? "a seal does not match" : verdict.reason);
    return result;
}

/* What the newest seal says counts even where the chain is broken below it. */
static void look_at_newest(struct arc_chain *chain, struct arena *arena)
{
    int result = 0;
    struct dkim_signature seal;
    if (chain->count == 0 || chain->sets[chain->count - 1].seal.at == NULL)
        return;
    (void)dkim_signature_parse(DKIM_OF_ARC_SEAL, chain->sets[chain->count - 1].seal, arena, &seal, &result);
    chain->has_failed_before = span_equal_nocase(seal.chain, SPAN("fail"));
}

int arc_chain_finish(struct arc_chain *chain, const struct dkim_header *header, const struct dkim_body *body,
                     const struct dns_lookup *lookup, uint64_t now, struct arena *arena)
{
    AUTO_BUF struct buf text;
    buf_init(&text, TEXT_MAX);
    look_at_newest(chain, arena);
    if (chain->count == 0 || chain->result == ARC_FAIL)
        return 0;
    if (chain->has_failed_before) {
        fail(chain, "a sealer says that it failed");
        return 0;
    }
    int result = dkim_task_end(chain->message, header, body, lookup, now, arena);
    if (result != 0)
        return result;
    if (chain->message->verdict.result != DKIM_PASS) {
        fail(chain, chain->message->verdict.reason);
        return 0;
    }
    for (unsigned i = 1; i <= chain->count && chain->result != ARC_FAIL && result == 0; i++)
        result = check_seal(chain, i, lookup, &text, arena);
    if (result == 0 && chain->result != ARC_FAIL)
        chain->result = ARC_PASS;
    return result;
}

static bool is_listed(span_t domain, span_t list)
{
    for (span_t part; span_cut(&list, ',', &part);)
        for (span_t word; span_cut(&part, ' ', &word);)
            if (domain.len > 0 && domain_equal(span_trim(word), domain))
                return true;
    return false;
}

static bool says_pass(span_t results)
{
    struct authres_item item;
    span_t rest = authres_results(results);
    while (authres_next(&rest, &item))
        if (span_equal_nocase(item.method, SPAN("dmarc")))
            return span_equal_nocase(item.result, SPAN("pass"));
    return false;
}

bool arc_chain_vouches(const struct arc_chain *chain, span_t trusted)
{
    if (chain->result != ARC_PASS)
        return false;
    for (unsigned i = chain->count; i > 0 && is_listed(chain->sets[i - 1].sealer, trusted); i--)
        if (says_pass(arc_results_of(chain->sets[i - 1].results)))
            return true;
    return false;
}
