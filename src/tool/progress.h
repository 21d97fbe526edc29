#pragma once

#include "base/buf.h"

/*
 * How far something is, as a line for people: with a bar, or in words alone. Pure: whoever shows it has the clock. How
 * fast it goes and how long it will take is told from its last four to eight seconds.
 */
struct progress_point {
    span_t what;    /* is counted */
    uint64_t count; /* so many so far */
    uint64_t whole; /* of so many; 0: nobody knows */
    uint64_t done;  /* by the measure that is the best there is, which may be bytes */
    uint64_t total; /* 0: nobody knows */
};

#define PROGRESS_WHAT_MAX 32U

struct progress_mark {
    int64_t ms;
    uint64_t count;
    uint64_t done;
};

/* Begins zeroed. */
struct progress {
    char what[PROGRESS_WHAT_MAX];
    struct progress_mark older; /* what is told is measured from here */
    struct progress_mark newer;
    int64_t shown_ms;
};

/* Notes the point, and says whether it is time to show it: every_ms after it began, and after it was shown last. */
bool progress_is_due(struct progress *progress, const struct progress_point *point, int64_t now_ms, int64_t every_ms);

enum progress_form { PROGRESS_BAR, PROGRESS_WORDS };
/* Appends the line, without an end. 0 or the buffer's fault. */
int progress_write(const struct progress *progress, const struct progress_point *point, int64_t now_ms,
                   enum progress_form form, struct buf *line);
