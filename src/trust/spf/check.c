#include "trust/spf/check.h"

#include <errno.h>

#include "proto/dns/rdata.h"
#include "trust/domain.h"
#include "trust/spf/check-state.h"

#define EXPLANATION_MAX 512U

const char *spf_result_text(enum spf_result result)
{
    static const char *const texts[] = {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"};
    return texts[result];
}

static int wrong(struct spf_check *check, const char *reason, enum spf_result *ret_result)
{
    check->reason = reason;
    *ret_result = SPF_PERMERROR;
    return 0;
}

/* The one TXT record of the domain that is an SPF record (RFC 7208 §4.4, §4.5): *ret_text, with *ret_result SPF_NONE
 * and no text where there is none. */
static int find_record(struct spf_check *check, span_t domain, span_t *ret_text, enum spf_result *ret_result)
{
    struct dns_answer answer;
    *ret_text = SPAN_NONE;
    *ret_result = SPF_NONE;
    int result = trust_ask(check->lookup, domain, DNS_TXT, check->arena, &answer);
    if (result != 0)
        return result;
    if (trust_is_temporary(&answer)) {
        check->reason = "the DNS gave no answer";
        *ret_result = SPF_TEMPERROR;
    }
    for (size_t i = 0; i < answer.count; i++) {
        span_t text = SPAN_NONE;
        result = dns_read_txt(answer.records[i], check->arena, &text);
        if (result != 0 && result != -EBADMSG)
            return result;
        if (result != 0 || !spf_is_record(text))
            continue;
        if (ret_text->at != NULL)
            return wrong(check, "there is more than one record", ret_result);
        *ret_text = text;
    }
    return 0;
}

/* No fault of the explanation's changes the result (RFC 7208 §6.2). */
int spf_explain(struct spf_check *check, span_t spec, span_t *ret_text)
{
    span_t name = SPAN_NONE;
    struct dns_answer answer = {.count = 0};
    *ret_text = SPAN_NONE;
    int result = spf_target(check, spec, &name);
    if (result == 0)
        result = trust_ask(check->lookup, name, DNS_TXT, check->arena, &answer);
    if (result != 0 || answer.count != 1)
        return result;
    span_t text = SPAN_NONE;
    result = dns_read_txt(answer.records[0], check->arena, &text);
    if (result == -EBADMSG || (result == 0 && !spf_macro_is_valid(text, SPF_IN_TEXT)))
        return 0;
    AUTO_BUF struct buf expanded;
    buf_init(&expanded, EXPLANATION_MAX);
    if (result == 0)
        result = spf_need_validated(check, text);
    if (result == 0)
        result = spf_macro_expand(text, &check->macros, &expanded);
    for (size_t i = 0; result == 0 && i < buf_len(&expanded); i++)
        if (buf_span(&expanded).at[i] < ' ' || buf_span(&expanded).at[i] > '~')
            return 0;
    if (result != 0)
        return result == -ENOBUFS ? 0 : result;
    return arena_copy(check->arena, buf_span(&expanded), ret_text);
}

static int evaluate(struct spf_check *check, span_t domain, struct spf_record *ret_record, enum spf_result *ret_result);

/* RFC 7208 §5.2 */
static int match_include(struct spf_check *check, const struct spf_term *term)
{
    static const int matches[] = {
        [SPF_NONE] = SPF_MATCH_PERMERROR,
        [SPF_NEUTRAL] = SPF_MATCH_NO,
        [SPF_PASS] = SPF_MATCH_YES,
        [SPF_FAIL] = SPF_MATCH_NO,
        [SPF_SOFTFAIL] = SPF_MATCH_NO,
        [SPF_TEMPERROR] = SPF_MATCH_TEMPERROR,
        [SPF_PERMERROR] = SPF_MATCH_PERMERROR,
    };
    span_t name;
    span_t domain = check->macros.domain;
    struct spf_record record;
    enum spf_result included = SPF_NONE;
    int result = spf_target(check, term->domain, &name);
    if (result == 0)
        result = evaluate(check, name, &record, &included);
    check->macros.domain = domain;
    if (result == 0 && included == SPF_NONE)
        check->reason = "an included domain has no record";
    return result == 0 ? matches[included] : result;
}

static bool count_lookup(struct spf_check *check)
{
    if (check->lookups++ < SPF_LOOKUPS_MAX)
        return true;
    check->reason = "the record needs too many lookups"; /* RFC 7208 §4.6.4 */
    return false;
}

static int try_term(struct spf_check *check, const struct spf_term *term)
{
    bool asks = term->mechanism != SPF_ALL && term->mechanism != SPF_IP4 && term->mechanism != SPF_IP6;
    if (asks && !count_lookup(check))
        return SPF_MATCH_PERMERROR;
    return term->mechanism == SPF_INCLUDE ? match_include(check, term) : spf_match(check, term);
}

/* RFC 7208 §6.1; a redirect to a domain without a record is an error. */
static int redirect(struct spf_check *check, struct spf_record *record, enum spf_result *ret_result)
{
    if (!count_lookup(check)) {
        *ret_result = SPF_PERMERROR;
        return 0;
    }
    span_t name;
    int result = spf_target(check, record->redirect, &name);
    if (result == 0)
        result = evaluate(check, name, record, ret_result);
    if (result == 0 && *ret_result == SPF_NONE)
        return wrong(check, "the domain redirected to has no record", ret_result);
    return result;
}

/* Recursion ends with the number of lookups. *ret_record is the record that decided, for its explanation. */
static int evaluate(struct spf_check *check, span_t domain, struct spf_record *ret_record, enum spf_result *ret_result)
{
    span_t text;
    *ret_record = (struct spf_record){.count = 0};
    check->macros.domain = domain;
    int result = find_record(check, domain, &text, ret_result);
    if (result != 0 || text.at == NULL || *ret_result != SPF_NONE)
        return result;
    result = spf_record_parse(text, check->arena, ret_record);
    if (result != SPF_PARSE_OK)
        return result < 0 ? result : wrong(check, "the record cannot be understood", ret_result);
    for (size_t i = 0; i < ret_record->count; i++) {
        const struct spf_term *term = &ret_record->terms[i];
        result = try_term(check, term);
        if (result < 0)
            return result;
        if (result == SPF_MATCH_NO)
            continue;
        *ret_result = result == SPF_MATCH_YES         ? term->qualifier
                      : result == SPF_MATCH_TEMPERROR ? SPF_TEMPERROR
                                                      : SPF_PERMERROR;
        return 0;
    }
    if (ret_record->redirect.at != NULL)
        return redirect(check, ret_record, ret_result);
    *ret_result = SPF_NEUTRAL; /* RFC 7208 §4.7 */
    return 0;
}

/* What can be asked about: several labels, a name (RFC 7208 §4.3). */
static bool is_checkable(span_t domain, struct arena *arena, span_t *ret_domain)
{
    return domain_normal(domain, arena, ret_domain) == 0 && span_find_byte(*ret_domain, '.') < ret_domain->len;
}

int spf_check(const struct dns_lookup *lookup, const struct spf_request *request, struct arena *arena,
              struct spf_verdict *ret_verdict)
{
    bool is_helo = request->sender.len == 0;
    size_t at = span_find_last_byte(request->sender, '@');
    span_t local = is_helo || at >= request->sender.len ? SPAN_NONE : span_upto(request->sender, at);
    struct spf_verdict verdict = {.result = SPF_NONE, .is_helo = is_helo, .reason = ""};
    struct spf_check check = {.lookup = lookup, .request = request, .arena = arena, .reason = ""};
    struct spf_record record;
    verdict.domain = is_helo ? request->helo : domain_of_mailbox(request->sender);
    int result = 0;
    if (is_checkable(verdict.domain, arena, &verdict.domain)) {
        check.macros = (struct spf_macros){
            .local = local.len > 0 ? local : SPAN("postmaster"),
            .origin = verdict.domain,
            .ip = &request->client,
            .helo = request->helo,
            .receiver = request->receiver,
            .now = request->now,
        };
        result = evaluate(&check, verdict.domain, &record, &verdict.result);
    }
    if (result == 0 && verdict.result == SPF_FAIL && record.exp.at != NULL)
        result = spf_explain(&check, record.exp, &verdict.explanation);
    if (result != 0)
        return result;
    if (verdict.result == SPF_TEMPERROR || verdict.result == SPF_PERMERROR)
        verdict.reason = check.reason;
    *ret_verdict = verdict;
    return 0;
}
