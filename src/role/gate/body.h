#pragma once

#include "proto/smtp/engine.h"
#include "role/gate/gate.h"

/*
 * A message on its way from the client to intake. What is small is collected here and handed over in one piece, so
 * that a slow sender holds nothing of intake's; what is larger flows as it comes.
 */
struct body;

struct body_envelope {
    uint32_t flags; /* enum deliver_flag */
    uint64_t account;
    span_t client;
    span_t helo;
    span_t cipher;
    span_t user; /* the submitting account's address */
    span_t sender;
    span_t for_address;
    span_t recipients;
    span_t remote;
    span_t envid;
    int64_t hold_until;
};

/* The envelope's spans must live until body_free. -ENOMEM. */
MUST_USE int body_new(struct gate *gate, const struct body_envelope *envelope, struct body **ret_body);
/* Forgets the message, unless body_end has returned. Waits for its helper to end: may suspend. */
void body_free(struct task *task, struct body *body);

/* Where to append content; call body_push after each time. */
struct buf *body_room(struct body *body);
/* Moves on what is in the room. Faults of intake are kept for body_end: only -ECANCELED and -ENOMEM come back. */
MUST_USE int body_push(struct task *task, struct body *body);

/* After body_end: it was filed as junk. */
bool body_is_junk(const struct body *body);

/* All is there: waits for intake to have it durably. *ret_text (until body_free): what it says, or SPAN_NONE. */
MUST_USE int body_end(struct task *task, struct body *body, enum smtp_body_end *ret_end, span_t *ret_text);
