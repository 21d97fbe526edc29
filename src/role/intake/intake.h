#pragma once

#include "base/result.h"

struct role_start;

/*
 * intake: takes a message from gate, adds what a receiving server has to add, seals it for its recipients and has store
 * make it durable. It sees one message at a time per delivery, and keeps none. Returns the process's exit status.
 */
MUST_USE int intake_run(const struct role_start *start);
