#pragma once

#include "proto/smtp/engine.h"
#include "role/gate/gate.h"

/*
 * What a client from outside, one that wants to bring mail and is not of a network of [trust] local, is put through
 * (doc/filter.md): it is counted, may have to wait for its greeting, and its name has to be one that it can have.
 */
struct outsider {
    struct connection *connection;
    bool is_outside;                /* else it is put through nothing */
    bool is_known;                  /* its network has delivered well before */
    char address[GATE_ADDRESS_MAX]; /* ours, that it has connected to */
};

void outsider_init(struct outsider *outsider, struct connection *connection);
/* What the engine is to hold it to; *outsider outlives the engine. */
void outsider_settle(const struct outsider *outsider, struct smtp_settings *settings);

/* Before the greeting. OUTSIDER_GREET, OUTSIDER_EARLY (it has spoken: see the input), OUTSIDER_WAIT (too many
 * connections of its network), or a fault as of stream_fill(). */
enum outsider_entry { OUTSIDER_GREET, OUTSIDER_EARLY, OUTSIDER_WAIT };
MUST_USE int outsider_enter(struct task *task, struct outsider *outsider);

/* One of its recipients was counted. */
void outsider_asked(const struct outsider *outsider, bool is_too_much);

/* Its message has been taken, and is not junk. */
void outsider_vouch(struct outsider *outsider);

/* What was found of it, for `waxwing status`: at the end of its connection. */
void outsider_count(const struct outsider *outsider, const struct smtp_engine *engine);

/* As the gate starts; and the rows of `filters_done`. */
void outsider_begin(struct gate *gate);
MUST_USE int outsider_tell(const struct gate *gate, struct channel *channel, uint64_t call);
