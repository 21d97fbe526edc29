#pragma once

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
};

enum append_result {
    APPEND_DISK_FULL = 1,
    APPEND_STORE_AWAY, /* or it could not write: nothing was appended */
};

/* All spans must live until the return. *ret_filed: where it is now. */
MUST_USE int append_message(struct task *task, struct session *session, const struct append *append,
                            struct vault_filed *ret_filed);
