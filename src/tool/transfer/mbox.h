#pragma once

#include "base/buf.h"

/*
 * mbox files (RFC 4155). Pure.
 *
 * A message begins with a line `From SENDER DATE`, at the start of the file or behind an empty line, and ends before
 * the empty line in front of the next. Lines of the message that look like one have a '>' in front, one more than they
 * had (mboxrd). Flags are in its header, as mail programs have long had them: Status (R read, O old), X-Status (A
 * answered, F flagged, T draft, D deleted) and X-Keywords. What is written here begins with these three, in this order,
 * and reading takes just them away; in what others have written they are taken away wherever they stand.
 */

/* Is this line (without its end) the first of a message? *ret_seconds: its date, or 0. */
bool mbox_is_from(span_t line, int64_t *ret_seconds);

/*
 * The message after a From line at `at` of a whole file: *ret_start is where it begins, *ret_end where it ends, and
 * *ret_next where the next From line begins, or the length of the file.
 */
struct mbox_place {
    size_t start;
    size_t end;
    size_t next;
    int64_t seconds;
};
/* 0, or -EINVAL where no From line stands there. */
MUST_USE int mbox_find(span_t file, size_t at, struct mbox_place *ret_place);

/* The message of such a place: quoting undone, flags taken out. */
MUST_USE int mbox_read(span_t text, struct buf *message, struct buf *flags);

/* Appends the message, with LF for line ends already, as one of an mbox. */
MUST_USE int mbox_write(span_t text, span_t flags, int64_t seconds, struct buf *file);
