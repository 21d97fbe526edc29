#pragma once

#include "base/buf.h"

/*
 * What others report on our domains, as it goes from intake, which reads their reports, to keeper, which keeps it:
 * rows of counts and texts, one layout for both kinds.
 *
 *   count 8 | for each of RECEIVED_TEXTS: length 1, bytes
 */
#define RECEIVED_TEXTS 8U
#define RECEIVED_TEXT_MAX 120U    /* bytes of one; longer ones are cut by whoever makes the row */
#define RECEIVED_ROWS_MAX 1000U   /* of one report and domain */
#define RECEIVED_BYTES_MAX 98304U /* of their rows, in one message */

/* What becomes of it. */
enum received_outcome {
    RECEIVED_KEPT,
    RECEIVED_KNOWN,       /* it has come before */
    RECEIVED_FOREIGN,     /* the domain is not ours */
    RECEIVED_MUCH,        /* its reporter has reported enough for a day */
    RECEIVED_UNAVAILABLE, /* not to be kept now */
};

enum received_kind { RECEIVED_DMARC = 1, RECEIVED_TLS = 2 };

/* What the texts are. Of rows that stand for all that had no room, the others are empty. */
enum received_dmarc {
    RECEIVED_DISPOSITION, /* none, quarantine, reject */
    RECEIVED_DKIM,        /* pass, fail: of what is aligned */
    RECEIVED_SPF,
    RECEIVED_SOURCE, /* network address */
    RECEIVED_AUTHOR, /* the domain in From */
    RECEIVED_REASON, /* why the disposition is not the policy's */
    RECEIVED_SIGNER, /* a DKIM signature's domain and result */
    RECEIVED_SENDER, /* SPF's domain and result */
};
enum received_tls {
    RECEIVED_POLICY, /* sts, tlsa, no-policy-found */
    RECEIVED_RESULT, /* of what failed; empty: the sessions that succeeded */
    RECEIVED_MX,
    RECEIVED_FROM, /* network address of who tried */
    RECEIVED_CODE, /* the reason given beside the result */
};

struct received_row {
    uint64_t count; /* messages, sessions */
    span_t texts[RECEIVED_TEXTS];
};

/* Appends it. -EINVAL where a text is too long, -ENOBUFS, -ENOMEM. */
MUST_USE int received_row_write(const struct received_row *row, struct buf *rows);

/* Takes the next one off rows; false at the end, or where it is none. */
MUST_USE bool received_row_next(span_t *rows, struct received_row *ret_row);
