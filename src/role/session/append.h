#pragma once

#include "base/arena.h"
#include "crypto/record.h"
#include "role/session/session.h"
#include "vault/email.h"

/*
 * A message from the account's own client: sealed to the account, made durable by store, filed at once. A crash in
 * between leaves it pending, with metadata that names its mailbox and flags; taking it in then files it there.
 */
struct append {
    uint64_t mailbox;
    int64_t received; /* microseconds */
    span_t flags;     /* as text */
    span_t message;
    span_t origin; /* of an imported message (vault/origin.h); empty for others */
};

enum append_result {
    APPEND_DISK_FULL = 1,
    APPEND_STORE_AWAY, /* or it could not write: nothing was appended */
};

/* All spans must live until the return. *ret_filed: where it is now. */
MUST_USE int append_message(struct task *task, struct session *session, const struct append *append,
                            struct vault_filed *ret_filed);

/* --- the two halves, for what files many at once (service/import.c) --- */

#define APPEND_KEEP_MAX (2U << 20) /* what an arena to keep one in must be able to hold */

struct append_stored {
    struct record_meta meta;      /* its spans are those of the struct append */
    struct vault_new_email email; /* its spans point into keep */
};

/* Reads what the vault keeps of the message, and has store make it durable; an enum append_result. */
MUST_USE int append_store(struct task *task, struct session *session, const struct append *append, struct arena *keep,
                          struct append_stored *ret_stored);
