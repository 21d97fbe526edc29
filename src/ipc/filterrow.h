#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"
#include "base/span.h"

/* What a gate or an intake knows of the filters it asks, or is: rows of `filters_done`, which the supervisor adds up
 * for `waxwing status`. */
enum filter_kind {
    FILTER_RSPAMD,
    FILTER_CLAMD,
    FILTER_DNSBL,
    FILTER_GREYLIST,
    FILTER_TURN, /* who speaks before it is his turn */
    FILTER_HELO,
    FILTER_RATES,
    FILTER_KIND_COUNT
};

/* In the order in which one process' word outweighs another's. */
enum filter_standing {
    FILTER_IS_OFF,
    FILTER_IS_ABSENT, /* it would be asked, but was never found; nothing waits for it */
    FILTER_IS_UP,
    FILTER_IS_DOWN,
    FILTER_STANDING_COUNT
};

/* Where a filter is looked for that is set to `auto`. */
#define FILTER_RSPAMD_AUTO_PORT 11333
#define FILTER_RSPAMD_AUTO "http://127.0.0.1:11333"
#define FILTER_CLAMD_AUTO "/run/clamav/clamd.ctl"

#define FILTER_VERSION_MAX 48U /* with its NUL */

struct filter_row {
    enum filter_kind kind;
    enum filter_standing standing;
    uint64_t since; /* it stands so, in seconds since 1970; 0: not known */
    uint64_t asked;
    uint64_t passed;
    uint64_t junked;
    uint64_t refused;
    uint64_t deferred;
    uint64_t failed;                  /* it gave no answer */
    uint64_t microseconds;            /* that all who asked have waited */
    char version[FILTER_VERSION_MAX]; /* printable ASCII without quotes; "" where not known */
};

#define FILTER_ROW_SIZE (2U + 8U * 8U + FILTER_VERSION_MAX)

const char *filter_kind_name(enum filter_kind kind);

void filter_row_put(uint8_t at[FILTER_ROW_SIZE], const struct filter_row *row);
/* -EBADMSG: there is no such kind or standing. What a version may not hold is left out of it. */
MUST_USE int filter_row_get(const uint8_t at[FILTER_ROW_SIZE], struct filter_row *ret_row);

/* Takes as much of a text as a version can be. */
void filter_version_set(char version[FILTER_VERSION_MAX], span_t text);

/* Adds up what two processes say of one filter: the worse standing counts, and since when. */
void filter_row_add(struct filter_row *sum, const struct filter_row *row);
