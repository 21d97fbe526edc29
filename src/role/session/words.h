#pragma once

#include "base/arena.h"
#include "mime/message.h"
#include "vault/words.h"

/*
 * What can be searched for in a message: its header fields, names too, the text of its parts as a reader sees it, the
 * headers of messages inside it, and the names of its attachments; in short, whatever imap_match_message() would look
 * through for IMAP_MATCH_TEXT, so that an answer does not depend on what is indexed.
 * *words is cleared first. More text than a bound makes it partial. Pure. 0, -ENOMEM.
 */
MUST_USE int words_read(const struct mime_part *root, struct arena *scratch, struct vault_words *words);
