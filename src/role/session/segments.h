#pragma once

#include "role/session/session.h"

/*
 * Read-only descriptors of the log's segments, got from store and kept: at most SEGMENTS_KEPT that nobody uses.
 */
#define SEGMENTS_KEPT 64U

struct logfile;

/* Counted: give it back with logfile_put. -ENOTCONN where store is away, -ENOENT where it has no such segment. */
MUST_USE int logfile_get(struct task *task, struct session *session, uint64_t id, struct logfile **ret_segment);
void logfile_put(struct logfile *segment);
int logfile_fd(const struct logfile *segment);

void segments_free(struct session *session);
