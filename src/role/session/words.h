#pragma once

#include "base/arena.h"
#include "mime/message.h"
#include "vault/words.h"

/* Whether fields of that name are left out: they hold random bytes in letters, in which nobody looks for a word. */
bool words_is_left_out(span_t name);

/*
 * What can be searched for in a message: its header fields, the text of its parts as a reader sees it, the headers of
 * messages inside it, and the names of its attachments. Left out are fields that hold signatures and keys.
 * *words is cleared first. More text than a bound makes it partial. Pure. 0, -ENOMEM.
 */
MUST_USE int words_read(const struct mime_part *root, struct arena *scratch, struct vault_words *words);
