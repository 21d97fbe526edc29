#pragma once

#include "base/buf.h"
#include "trust/arc/chain.h"
#include "trust/dkim/verify.h"
#include "trust/dmarc/check.h"
#include "trust/iprev.h"
#include "trust/spf/check.h"

/* Authentication-Results (RFC 8601): written, and recognised. */
struct authres {
    span_t host; /* authserv-id: our host name */
    const struct ip *client;
    const struct iprev_verdict *iprev; /* NULL: not checked, here and below */
    const struct spf_verdict *spf;
    const struct dkim_verifier *dkim;
    const struct dmarc_verdict *dmarc;
    const struct arc_chain *arc;
};

/* Appends "; method=result …" for each, folded, behind an authserv-id; "; none" where nothing was checked
 * (RFC 8601 §2.2). */
int authres_append_results(const struct authres *results, struct buf *text);

/* Appends the header field with its line end. */
int authres_write(const struct authres *results, struct buf *lines);

/* Whether a field's value bears this authserv-id, as a sender must not claim (RFC 8601 §5). */
bool authres_is_of(span_t value, span_t host);

/* Takes the next "method=result" off the results that follow an authserv-id; false at their end. Start with
 * authres_results(). Comments and properties are passed over. */
struct authres_item {
    span_t method;
    span_t result;
};
span_t authres_results(span_t value);
MUST_USE bool authres_next(span_t *rest, struct authres_item *ret_item);
