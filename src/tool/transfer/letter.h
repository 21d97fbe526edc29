#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "ipc/transfer.h"

/*
 * A message between its form in files and the one mail has. Pure.
 *
 * Mail ends its lines in CRLF (RFC 5322 §2.1), files of Unix programs in LF. A file in which no line ends in CRLF is
 * taken to have LF for it; any other is mail as it stands. The other way, a message is written with LF only where
 * reading it back gives the same bytes.
 */
MUST_USE int letter_from_file(span_t file, struct buf *message);
MUST_USE int letter_to_file(span_t message, struct buf *file);

/*
 * The name of a message by its bytes and the mailbox it goes to, for sources that have no names of their own. Where one
 * folder holds the same message several times, each has its own name. The counts begin with an empty map.
 */
MUST_USE int letter_origin(struct map *counts, span_t mailbox, span_t message,
                           uint8_t ret_origin[TRANSFER_ORIGIN_SIZE]);
/* The same by the names the source has. */
void letter_origin_named(span_t source, span_t mailbox, span_t name, uint8_t ret_origin[TRANSFER_ORIGIN_SIZE]);
