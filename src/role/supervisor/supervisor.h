#pragma once

#include <stdbool.h>

struct conf;

/*
 * `waxwing serve`: starts all roles, watches and restarts them, forks sessions, answers the control socket. conf_path
 * is what the roles are given as their -c, NULL for none. Returns the exit status of the process.
 */
int supervisor_run(const struct conf *conf, const char *conf_path);

/* `waxwing role NAME INDEX COUNT`: becomes one of them; descriptor 3 is its channel to the supervisor. */
int supervisor_role(const struct conf *conf, int count, char **words);
