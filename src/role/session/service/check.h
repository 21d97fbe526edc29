#pragma once

#include "base/arena.h"
#include "ipc/row.h"
#include "role/session/service/service.h"
#include "vault/email.h"

/*
 * `waxwing check`: whether everything an account has is sound. First the rules of its vault (vault/check.h), then each
 * message: its record is in the log, opens, and is what the vault remembers of it; then what has arrived and cannot
 * be taken in. It works in slices while the account's connections go on, and believes no fault that is gone when
 * looked at again.
 */
struct check {
    struct task *task;
    struct service *service;
    struct session *session;
    bool quick; /* without reading records: they are looked for in the log */
    bool repair;
    bool json;
    uint64_t total;
    uint64_t messages;
    uint64_t found;
    uint64_t repaired;
};

struct finding {
    const char *kind; /* stays the same from version to version */
    const char *mailbox;
    uint32_t uid;
    const char *text;
    bool is_repaired;
};

/* --- check-report.c: the words, for people or as one JSON object --- */
MUST_USE int check_report_begin(struct check *check);
MUST_USE int check_report(struct check *check, const struct finding *finding);
MUST_USE int check_report_end(struct check *check);

/* --- check-replace.c: what stands in for a message whose record is damaged --- */

/*
 * What can still be read of a record: the message with its unreadable pieces blanked, so that its parts stay where they
 * were. -EBADMSG, -ENOENT, -EIO: nothing of it can.
 */
MUST_USE int check_salvage(struct task *task, struct session *session, const struct vault_place *place,
                           struct buf *message);

/* Files the stand-in wherever the email is, with its flags and dates and a new UID, and expunges the email: a client's
 * copy of a UID must never change (RFC 9051 §2.3.1.1). */
MUST_USE int check_replace(struct check *check, const struct vault_email *email);
/* Gives up a record that could not be taken in; the note for it is in INBOX. */
MUST_USE int check_replace_pending(struct check *check, const struct pending_row *row);

/* --- check-pending.c --- */
MUST_USE int check_pending(struct check *check);
