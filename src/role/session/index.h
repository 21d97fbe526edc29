#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "mime/message.h"
#include "vault/email.h"

/*
 * What the vault keeps of a message beside where it lies. Pure.
 */

/* Fills everything of *ret_email but place, received and filings; its spans point into keep. scratch is reset.
 * hash_key: vault_hash_key. */
MUST_USE int index_message(span_t message, const uint8_t hash_key[16], struct arena *scratch, struct arena *keep,
                           struct vault_new_email *ret_email);

/* The cached structure holds both forms: BODY and BODYSTRUCTURE. */
MUST_USE int index_structure_make(const struct mime_part *root, struct buf *structure);
/* false: nothing cached, or in a form of another version. */
bool index_structure_split(span_t structure, span_t *ret_body, span_t *ret_bodystructure);
