#pragma once

#include "base/result.h"
#include "ipc/frame.h"

/*
 * Follows what an account's session does with a command (ipc/frame.h): its output goes to standard output, its progress
 * to standard error. Returns the exit status. The descriptor stays the caller's.
 */
MUST_USE int follow_session(int fd);
/* Shows a frame of progress. -EBADMSG: it is none. */
MUST_USE int follow_progress(const struct frame *frame);
