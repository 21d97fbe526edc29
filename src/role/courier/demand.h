#pragma once

#include "rt/tls.h"
#include "trust/mtasts/policy.h"
#include "trust/tlsrpt/report.h"

/*
 * What another server's TLS has to prove before it gets mail (doc/tls.md): what DANE says (RFC 7672), else what the
 * domain's MTA-STS policy says (RFC 8461), else nothing. What is set for a relay, and [courier] require_tls, are added.
 */
struct conf;
struct routing;
struct route_host;
struct smtp_response;

struct demand {
    enum tlsrpt_policy_type policy;
    bool must_encrypt; /* nothing is sent in clear */
    bool is_vouched;   /* who this host is, is said by DNSSEC, an MTA-STS policy or our settings */
    bool is_unnamed;   /* the policy does not name the host */
    struct tls_demand tls;
};

enum demand_outcome {
    DEMAND_SET,
    DEMAND_WAIT, /* nothing may be sent to this host now; the response says why */
};

struct demand_question {
    const struct routing *routing;
    const char *destination; /* as the queue names it */
    const struct route_host *host;
    const struct mtasts_policy *policy; /* of the destination, or NULL */
    bool is_optional;                   /* what is sent goes whatever policies ask for */
};

/* All the demand points to is the arena's, the host's or the policy's. Also -ENOMEM, -ECANCELED. */
MUST_USE int demand_find(const struct demand_question *question, struct demand *ret_demand,
                         struct smtp_response *ret_response);

/* Whether our settings say where mail goes, and not the domain itself. */
MUST_USE bool demand_is_set(const struct route_host *host);

/* Whether [courier] require_tls names the domain, or one above it as .example.org does. */
MUST_USE bool demand_is_required(const struct conf *conf, span_t domain);

/* Whether [courier] require_tls_from names the sender, or the domain of the address in the same manner. */
MUST_USE bool demand_is_required_from(const struct conf *conf, span_t sender);
