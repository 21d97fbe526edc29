#pragma once

#include "base/result.h"

struct role_start;

/*
 * store: the one process that writes the log of sealed records. It sees neither plaintext nor a key to it. Returns the
 * process's exit status.
 */
MUST_USE int store_run(const struct role_start *start);
