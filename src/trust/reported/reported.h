#pragma once

#include "trust/dmarc/report.h"
#include "trust/tlsrpt/report.h"

/*
 * Finds the report in a mail that brings one: a DMARC aggregate report (RFC 7489 §7.2.1.1) or a TLS report (RFC 8460
 * §5.3), attached in gzip, in zip or as it is. What the attachment is called does not count, what is in it does:
 * senders name them in every way there is. Pure, and all of it is bounded.
 */
#define REPORTED_PACKED_MAX (4U << 20)        /* bytes of an attachment */
#define REPORTED_PLAIN_MAX (8U << 20)         /* of what is in it */
#define REPORTED_TRIES_MAX 4U                 /* attachments that are looked into */
#define REPORTED_ARENA_MAX ((size_t)96 << 20) /* of no report that is read does the arena need more */

enum reported_kind { REPORTED_DMARC = 1, REPORTED_TLS = 2 };

struct reported {
    enum reported_kind kind;
    union {
        struct dmarc_report dmarc;
        struct tlsrpt_report tls;
    };
};

enum reported_outcome {
    REPORTED_FOUND,
    REPORTED_NONE, /* and *ret_problem says in words, for whoever sent it, what is wrong; it is a constant */
};

/* All is the arena's, and what it has of the message points into that. -ENOMEM. */
MUST_USE int reported_find(span_t message, struct arena *arena, struct reported *ret_reported,
                           const char **ret_problem);
