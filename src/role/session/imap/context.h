#pragma once

#include "role/session/imap/imap.h"

/*
 * Results of searches that are kept up to date (RFC 5267 §4.3): each with its UIDs, and the command to try what changes
 * by. They leave with the selected mailbox. CONTEXTS_MAX at a time; results longer than CONTEXT_UIDS_MAX, and
 * sorted ones longer than CONTEXT_SORTED_MAX, which are put in order anew at each change, are not kept up to date.
 */
#define CONTEXTS_MAX 8U
#define CONTEXT_UIDS_MAX 100000U
#define CONTEXT_SORTED_MAX 10000U

struct contexts;
void contexts_free(struct contexts *contexts);

/* Whether updates are told under that tag. */
bool context_is_under(const struct client *client, span_t tag);

/* Keeps the result of the command up to date, in the order of the answer; or tells that it will not be (NOUPDATE). */
MUST_USE int context_add(struct run *run, const uint32_t *uids, size_t count);
void context_refuse(struct run *run, const char *why);

/* Tells what has changed in them, except for what was expunged, which was told before that was. Drains. */
MUST_USE int contexts_update(struct task *task, struct client *client);
