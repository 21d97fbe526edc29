#pragma once

#include <stdbool.h>

#include "base/buf.h"

/*
 * What is counted for the reports that we send to other domains, as it goes from those who count (courier, intake) to
 * keeper, and from keeper to courier, which writes the reports. Keeper adds up rows that are alike and does not look
 * into them: what context and what mean, ipc/tally-tls.h and ipc/tally-dmarc.h say.
 *
 *   kind 1 | day 4 | count 8 | length of domain 2 | of context 2 | of what 2 | domain | context | what
 */
#define TALLY_FIXED 19U
#define TALLY_DOMAIN_MAX 253U
#define TALLY_CONTEXT_MAX 8192U
#define TALLY_WHAT_MAX 2048U
#define TALLY_ROWS_MAX 65536U /* bytes of rows in one message */

enum tally_kind {
    TALLY_TLS,   /* TLS towards others (RFC 8460) */
    TALLY_DMARC, /* mail from others that names their domain (RFC 7489 §7.2) */
    TALLY_KIND_COUNT,
};

struct tally_row {
    enum tally_kind kind;
    uint32_t day;   /* UTC days since 1970 */
    uint64_t count; /* not 0 */
    span_t domain;  /* that the report is about: A-labels in lower case, without NUL */
    span_t context; /* the policy that counted */
    span_t what;
};

#define TALLY_DAY_SECONDS 86400

/* Appends it. -EINVAL where a field is too long or empty that must not be, -ENOBUFS, -ENOMEM. */
MUST_USE int tally_row_write(const struct tally_row *row, struct buf *rows);

/* Takes the next one off rows; false at the end, or where it is none. */
MUST_USE bool tally_row_next(span_t *rows, struct tally_row *ret_row);
