#pragma once

#include "base/buf.h"
#include "proto/imap/command.h"
#include "vault/keyword.h"
#include "vault/member.h"

/*
 * Flags between their three forms: text (RFC 3501 §2.3.2), parsed commands, and the vault's bits.
 */
enum flags_outcome { FLAGS_LIMIT = 1 }; /* too many keywords in this account */

/* The bits; keywords get one where they have none. Inside a transaction. FLAGS_LIMIT. */
MUST_USE int flags_use(struct vault *vault, const struct imap_flags *flags, uint64_t *ret_bits);
/* The same, without making any: what is unknown is left out. */
uint64_t flags_find(const struct vault *vault, const struct imap_flags *flags);

/* From the metadata of a record: words separated by spaces; what is not understood is passed over. */
MUST_USE int flags_use_text(struct vault *vault, span_t text, uint64_t *ret_bits);

void flags_write(const struct vault *vault, uint64_t bits, bool recent, struct buf *out); /* without parentheses */
void flags_write_command(const struct imap_flags *flags, struct buf *out);
unsigned flags_keyword_count(const struct vault *vault);
