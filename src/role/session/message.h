#pragma once

#include "base/buf.h"
#include "crypto/recordkey.h"
#include "role/session/session.h"
#include "vault/email.h"

/*
 * A message in the log, opened for reading. Faults beside those of logfile_get: -EBADMSG where the record was altered
 * or is of a version this program does not know.
 */
struct message;

MUST_USE int message_open(struct task *task, struct session *session, const struct vault_place *place,
                          struct message **ret_message);
/* One that is still pending: its content key is sealed to the account; *ret_key becomes the plain one. */
MUST_USE int message_open_pending(struct task *task, struct session *session, struct vault_place *place,
                                  const uint8_t sealed_key[RECORD_KEY_SIZE], struct message **ret_message);
void message_free(struct message *message);

const struct record_meta *message_metadata(const struct message *message);
uint64_t message_len(const struct message *message);
/* Appends message bytes [from, from + len), clipped. */
MUST_USE int message_read(struct message *message, uint64_t from, uint64_t len, struct buf *bytes);

SCOPE_OF(message)
