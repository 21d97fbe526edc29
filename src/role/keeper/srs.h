#pragma once

#include "base/buf.h"

/*
 * The Sender Rewriting Scheme: the envelope sender of mail that is sent on is an address of ours, so that SPF passes
 * for it, in which the original one stands, so that reports find their way back. A stranger cannot make one up, and it
 * is good for SRS_DAYS. Pure: key and time are given.
 *
 *   SRS0=HASH=DAY=example.org=user@ours                  for user@example.org
 *   SRS1=HASH=first.example==H=D=example.org=user@ours   for one that first.example has rewritten already: reports go
 *                                                        back there, so that the address grows no further
 *
 * Hash and day are in letters of which case makes no difference, since case is what gets lost on the way.
 */
#define SRS_KEY_SIZE 32U
#define SRS_DAYS 21U       /* what is queued here and there for five days each, and read slowly */
#define SRS_LOCAL_MAX 200U /* longer than RFC 5321 §4.5.3.1.1 has it, as all such addresses may be */

struct srs {
    const uint8_t *key; /* SRS_KEY_SIZE bytes */
    int64_t now;        /* seconds since 1970 */
};

enum srs_result {
    SRS_OK,
    SRS_NONE, /* no address of this kind, or none that can be rewritten: it stays as it is */
    SRS_BAD,  /* one of this kind, but not of our making, or too old */
};

/* Appends what stands for the sender, an address of domain. SRS_OK, SRS_NONE (nothing is appended), or a fault. */
MUST_USE int srs_write(const struct srs *srs, span_t sender, span_t domain, struct buf *address);

/* Appends whom mail to this local part is for. Any enum srs_result, or a fault. */
MUST_USE int srs_read(const struct srs *srs, span_t local, struct buf *address);
