#pragma once

#include "base/result.h"

struct role_start;

/*
 * keeper: the directory of domains, accounts, addresses and credentials. It checks logins, unwraps root secrets for the
 * instant of a login, and does what the administrator commands. Returns the process's exit status.
 */
MUST_USE int keeper_run(const struct role_start *start);
