#pragma once

#include "base/result.h"

struct role_start;

/*
 * courier: sends what is in the queue to other servers, tries again what did not get through, and reports to senders.
 * It has no disk: the queue is store's, and so are the notes on how far each message has come (queue.c). Returns the
 * process's exit status.
 */
MUST_USE int courier_run(const struct role_start *start);
