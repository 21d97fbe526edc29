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
    bool together; /* for append_together, which sets it */
};

enum append_result {
    APPEND_DISK_FULL = 1,
    APPEND_STORE_AWAY, /* or it could not write: nothing was appended */
    APPEND_UNDONE,     /* the other change could not be made: nor was anything filed */
};

/* All spans must live until the return. *ret_filed: where it is now. */
MUST_USE int append_message(struct task *task, struct session *session, const struct append *append,
                            struct vault_filed *ret_filed);

/*
 * Several messages, and another change of the vault with them, that are seen all at once or not at all: their records
 * are stored first, and then filed in one transaction. Records that are found pending without it, as after a crash,
 * are given up. `also` (or NULL) is called inside the transaction, when all are filed: 0, a fault, or APPEND_UNDONE,
 * which undoes it all. ret_filed: one for each.
 */
typedef int (*append_also)(void *arg);
MUST_USE int append_together(struct task *task, struct session *session, struct append *appends, size_t count,
                             append_also also, void *arg, struct vault_filed *ret_filed);

/*
 * Records that take-in leaves alone, as who had them stored is about to file them: to be held as soon as they are
 * stored, and let go once filed or given up to take-in (takein_note_arrived).
 */
MUST_USE int append_hold(struct session *session, uint64_t record);
void append_let_go(struct session *session, uint64_t record);
bool append_holds(const struct session *session, uint64_t record);

/* --- the two halves, for what files many at once (service/import.c) --- */

#define APPEND_KEEP_MAX (2U << 20) /* what an arena to keep one in must be able to hold */

struct append_stored {
    struct record_meta meta;      /* its spans are those of the struct append */
    struct vault_new_email email; /* its spans point into keep */
};

/* Reads what the vault keeps of the message, and has store make it durable; an enum append_result. */
MUST_USE int append_store(struct task *task, struct session *session, const struct append *append, struct arena *keep,
                          struct append_stored *ret_stored);
