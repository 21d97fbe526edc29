#pragma once

#include "base/scope.h"
#include "ipc/tally.h"
#include "ipc/wiring.h"

/*
 * Adds up what a process counts for reports, and sends it to keeper every so often: nothing waits for that. What a
 * crash, or a keeper that is away, loses is the last of these times.
 */
struct tallier;

/* The key is random: strangers choose what is counted. */
MUST_USE int tallier_new(struct loop *loop, struct wiring *wiring, int64_t every_ms, const uint8_t hash_key[16],
                         struct tallier **ret_tallier);
void tallier_free(struct tallier *tallier); /* without sending */
SCOPE_OF(tallier)

/* Counts the row; one that keeper would not take, or for which there is no memory, is left out. */
void tallier_add(struct tallier *tallier, const struct tally_row *row);
void tallier_send(struct tallier *tallier); /* now */
