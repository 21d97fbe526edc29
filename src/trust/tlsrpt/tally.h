#pragma once

#include "trust/tally.h"
#include "trust/tlsrpt/report.h"

/*
 * TLS sessions with other servers as they are counted (RFC 8460 §4.2, §4.3): the context is the policy that they were
 * under, what is counted is a session that succeeded, or a failure of one kind at one host.
 */
#define TLSRPT_STRING_MAX 1024U /* bytes of a policy's line, or a TLSA record as text; the rest is cut off */

/* Type, strings and patterns of the policy; of these only as many as fit. The buffer remembers faults. */
void tlsrpt_tally_context(const struct tlsrpt_policy *policy, struct buf *context);

/* All of the failure but its count; NULL: a session that succeeded. */
void tlsrpt_tally_what(const struct tlsrpt_failure *failure, struct buf *what);

/* The policies of a report on the domain, from what was counted: rows of one context stand together. What cannot be
 * read, or is beyond the limits of a report, is left out. -ENOMEM. */
MUST_USE int tlsrpt_tally_read(const char *domain, const struct tally_item *items, size_t count, struct arena *arena,
                               struct tlsrpt_report *report);
