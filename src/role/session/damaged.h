#pragma once

#include "ipc/row.h"
#include "role/session/append.h"

/* What stands for a message whose record is damaged, so that its owner sees that there was one. */
#define DAMAGED_NOTE_MAX 65536U

/*
 * A note with the message's date, sender and subject, as far as its envelope in the vault (may be empty) tells them.
 * received in microseconds.
 */
MUST_USE int damaged_write_note(span_t envelope, int64_t received, uint64_t size, struct buf *message);

/* As append_message; -ENOSPC, -ENOTCONN: nothing was appended. */
MUST_USE int damaged_append(struct task *task, struct session *session, const struct append *append);

/* Files a note in INBOX for what has arrived and cannot be opened; where there is one already, nothing. */
MUST_USE int damaged_note_pending(struct task *task, struct session *session, const struct pending_row *row);
