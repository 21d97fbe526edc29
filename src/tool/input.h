#pragma once

#include "base/buf.h"
#include "tool/command.h"

/*
 * Reads what a command wants from standard input, as lines. The buffer is the caller's to wipe. -EINVAL: nothing
 * usable came, and *ret_why says what was wanted.
 */
MUST_USE int tool_input_read(enum tool_input input, int recovery, struct buf *lines, const char **ret_why);
