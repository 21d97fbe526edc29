#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "trust/mtasts/policy.h"
#include "trust/mtasts/record.h"

/*
 * A policy as courier keeps it in the log (RECORD_POLICY): the newest of a domain counts. Pure.
 *
 *   version 1 | fetched 8 | ends 8 | length of id 1 | of domain 2 | id | domain | policy
 */
struct sts_kept {
    int64_t fetched; /* seconds since 1970 */
    int64_t ends;
    span_t id;
    span_t domain;
    span_t text;
};

#define STS_KEPT_MAX (MTASTS_POLICY_MAX + 1024U)

MUST_USE int sts_kept_write(const struct sts_kept *kept, struct buf *bytes);
/* Spans point into bytes. False: that is none. */
MUST_USE bool sts_kept_read(span_t bytes, struct sts_kept *ret_kept);
