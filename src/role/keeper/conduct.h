#pragma once

#include <stdbool.h>

#include "base/buf.h"

/*
 * How an account uses to write to people elsewhere, and whether the last day is like that: an account whose credential
 * was stolen shows in many recipients it never wrote to, and in many that do not exist. Pure: the time is given, in
 * seconds since 1970.
 *
 * Recipients are known by marks alone: 16 bits of a keyed hash, so that a mark stands for very many addresses. Of the
 * last day there are counts by the hour; an hour that ends up older than that goes into the average of a day, in which
 * it weighs ever less (CONDUCT_MEMORY_HOURS).
 */
#define CONDUCT_HOURS 24U
#define CONDUCT_KNOWN_MAX 2048U /* those written to longest ago are forgotten first */
#define CONDUCT_MEMORY_HOURS 1440U
#define CONDUCT_UNIT (1U << 20) /* an average is kept in parts of one recipient */

enum conduct_kind { CONDUCT_SENT, CONDUCT_NEW, CONDUCT_BOUNCED, CONDUCT_KINDS };

struct conduct {
    int64_t hour;                                  /* since 1970, of the newest count */
    uint32_t counts[CONDUCT_KINDS][CONDUCT_HOURS]; /* by hour, modulo */
    uint64_t usual[CONDUCT_KINDS];                 /* recipients a day before that, times CONDUCT_UNIT */
    size_t known_count;
    uint16_t known[CONDUCT_KNOWN_MAX]; /* the newest last */
};

/* What is still as usual: as many within a day, or so many times as often as the account's average. 0: any number. */
struct conduct_limits {
    uint64_t fresh;
    uint64_t bounced;
    uint64_t factor;
};

enum conduct_answer {
    CONDUCT_USUAL,
    CONDUCT_STRANGERS, /* many recipients it never wrote to */
    CONDUCT_BOUNCES,   /* many that were refused, and a tenth of all at least */
};

/* The account writes to one more. */
void conduct_add_recipient(struct conduct *conduct, uint16_t mark, int64_t now);
/* So many of its recipients were refused for good. */
void conduct_add_bounces(struct conduct *conduct, uint32_t count, int64_t now);

enum conduct_answer conduct_judge(struct conduct *conduct, const struct conduct_limits *limits, int64_t now);

/* Of the last day, and what a day of before had. */
uint64_t conduct_today(struct conduct *conduct, enum conduct_kind kind, int64_t now);
uint64_t conduct_usual(const struct conduct *conduct, enum conduct_kind kind);

/* The last day is forgotten. Where it was the owner's doing, twice as much is as usual from now on, and then less;
 * where it was not, those who were written to are as new as before. */
enum conduct_verdict { CONDUCT_WAS_OWNER, CONDUCT_WAS_THIEF };
void conduct_settle(struct conduct *conduct, enum conduct_verdict verdict, const struct conduct_limits *limits,
                    int64_t now);

/* As it is kept: version 1 | hour 8 | averages 8 each | counts 4 each | marks 2 each. */
#define CONDUCT_BYTES_MAX 8192U
MUST_USE int conduct_write(const struct conduct *conduct, struct buf *bytes);
MUST_USE int conduct_read(span_t bytes, struct conduct *ret_conduct); /* -EBADMSG */
