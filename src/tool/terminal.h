#pragma once

#include "base/buf.h"
#include "tool/progress.h"

/*
 * What the command line shows people. The words of other servers are in it, names out of mail, and names of files; so
 * all of it passes through here, and what a terminal would obey comes out as '?': control characters (C0, DEL, and
 * C1, which UTF-8 has as U+0080 to U+009F), bytes that are no UTF-8, and what turns the direction of writing or ends
 * lines elsewhere (U+202A to U+202E, U+2066 to U+2069, U+2028, U+2029).
 */
enum terminal_shape {
    TERMINAL_LINE,  /* line ends and tabs are '?', too */
    TERMINAL_LINES, /* they stay */
};
/* Appends the text as it may be shown. 0 or the buffer's fault. */
int terminal_clean(span_t text, enum terminal_shape shape, struct buf *clean);

/* To standard output: cleaned where that is a terminal, the very bytes where not. 0, or 1, the exit status. */
MUST_USE int terminal_write(span_t text);

/* Says what went wrong, in one line, on standard error; the progress line is wiped first. Returns 1, the status. */
int terminal_fail(const char *format, ...) PRINTF_LIKE(1, 2);

/*
 * How far it is, on standard error: on a terminal a line that is written over a few times a second, elsewhere a line
 * of its own twice a minute.
 */
void terminal_progress(const struct progress_point *point);
void terminal_progress_end(void);
