#pragma once

#include "base/result.h"

/*
 * Follows what an account's session does with a command (ipc/frame.h): its output goes to standard output, its progress
 * to standard error where that is a terminal. Returns the exit status. The descriptor stays the caller's.
 */
MUST_USE int follow_session(int fd);
