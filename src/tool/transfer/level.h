#pragma once

#include "base/buf.h"

/*
 * The levels of a mailbox's name as the names of folders and files, in UTF-8. Pure. %XX stands for a byte that would
 * mean something else there: '%', a dot in front, and the dot of what looks like the ending of a file.
 */
#define LEVEL_NAME_MAX 250U

/* Appends a level as a name. -ENAMETOOLONG. */
MUST_USE int level_write(span_t level, struct buf *name);

/* Appends '/' where something stands there already, then the level that a name means, without .mbox or .sbd. */
MUST_USE int level_read(span_t name, struct buf *mailbox);

/* Makes the folders of all levels but the last of a mailbox's name; the name of the last is appended. In *ret_fd the
 * folder that is to hold it. */
MUST_USE int level_make(int root, span_t mailbox, int *ret_fd, struct buf *name);
