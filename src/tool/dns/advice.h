#pragma once

#include "proto/dns/lookup.h"
#include "tool/dns/facts.h"

/*
 * The records a domain should have, one piece of advice for each purpose, and how far what is live agrees. Pure over
 * the lookup.
 */
#define ADVICE_WANTED_MAX 4U
#define ADVICE_MAX 32U

enum advice_level {
    ADVICE_NEEDED, /* mail suffers without */
    ADVICE_RIGHT,  /* may be missing, must not be wrong */
    ADVICE_NICE,
};

enum finding_state {
    FINDING_OK,
    FINDING_MISSING,
    FINDING_DIFFERS,
    FINDING_BOGUS,   /* there, but those who check DNSSEC refuse it */
    FINDING_UNKNOWN, /* could not be asked */
};

struct finding {
    enum finding_state state;
    bool is_secure;
    enum dns_type type; /* of what is there, as far as it is for this purpose */
    size_t count;
    const span_t *have;
    const char *note; /* the difference in words, or what else should be known; "" */
};

struct advice;
typedef int advice_check(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
                         struct arena *arena, struct finding *finding);

struct advice {
    const char *title; /* "SPF" */
    const char *owner;
    enum dns_type type;
    enum advice_level level;
    size_t count; /* 0: what it should be only the operator knows; why says it */
    span_t wanted[ADVICE_WANTED_MAX];
    const char *version; /* the tag such a text begins with; "" for other records */
    const char *why;     /* one sentence */
    advice_check *check;
};

struct advice_list {
    size_t count;
    struct advice rows[ADVICE_MAX];
    const char *policy;      /* the text that MTA-STS fetches (RFC 8461 §3.2); "" where it is not advised */
    const char *policy_host; /* from which host */
};

/* What to advise. Everything is the arena's. 0, -ENOMEM, -EINVAL where a name is too long with what goes before it. */
MUST_USE int advice_make(const struct facts *facts, struct arena *arena, struct advice_list *ret_list);

/* How far it is followed. Every outcome of a question is a finding: 0, or -ECANCELED, -ENOMEM. */
MUST_USE int advice_find(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
                         struct arena *arena, struct finding *ret_finding);

/* Whether the operator should do something about it. */
bool advice_fails(const struct advice *advice, const struct finding *finding);

const char *finding_text(enum finding_state state);

/* What `check` of an advice may be (check.c). */
advice_check check_all;    /* all of wanted and nothing else */
advice_check check_mx;     /* wanted, at any preference */
advice_check check_spf;    /* one, and our host's addresses pass it */
advice_check check_dmarc;  /* one that can be read, whatever its policy */
advice_check check_tlsrpt; /* one that names an address */
advice_check check_text;   /* one of the version, the same as wanted */
advice_check check_tlsa;   /* one for the key that is in use now */
advice_check check_caa;    /* the authority may issue */
advice_check check_alias;  /* an alias as wanted, or addresses of its own */
advice_check check_host;   /* addresses, whose names lead back */
