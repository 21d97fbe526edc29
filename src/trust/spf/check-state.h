#pragma once

#include "trust/ask.h"
#include "trust/spf/check.h"
#include "trust/spf/macro.h"

/* What check.c (the record's terms) and match.c (one mechanism) share. */
struct spf_check {
    const struct dns_lookup *lookup;
    const struct spf_request *request;
    struct arena *arena;
    struct spf_macros macros;
    unsigned lookups;
    unsigned voids;
    const char *reason;
};

/* match.c: what a function here answers beside 0 (no match) and faults. */
enum spf_match { SPF_MATCH_NO, SPF_MATCH_YES, SPF_MATCH_TEMPERROR, SPF_MATCH_PERMERROR };

/* All mechanisms but include. */
MUST_USE int spf_match(struct spf_check *check, const struct spf_term *term);

/* A domain-spec, expanded and cut to what a name may have (RFC 7208 §7.3); the domain being checked where there is
 * none. 0, -ENOMEM, -ECANCELED. */
MUST_USE int spf_target(struct spf_check *check, span_t spec, span_t *ret_name);

/* Counts an answer without records. SPF_MATCH_NO or SPF_MATCH_PERMERROR. */
MUST_USE int spf_count_void(struct spf_check *check, const struct dns_answer *answer);

/* Sets the domain that %{p} stands for where text has it. 0 or a fault. */
MUST_USE int spf_need_validated(struct spf_check *check, span_t text);

/* Expands an explanation; *ret_text is empty where something is wrong with it. */
MUST_USE int spf_explain(struct spf_check *check, span_t spec, span_t *ret_text);
