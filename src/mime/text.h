#pragma once

#include "mime/message.h"

/*
 * The text of a leaf part: transfer encoding undone, charset turned to UTF-8, in chunks of bounded size.
 */
struct mime_text;

MUST_USE int mime_text_new(const struct mime_part *part, struct mime_text **ret_text);
void mime_text_free(struct mime_text *text);
SCOPE_OF(mime_text)

/* The next chunk, whole characters, valid until the next call; an empty one is the end. 0, -ENOMEM. */
MUST_USE int mime_text_next(struct mime_text *text, span_t *ret_chunk);

/* All of it, appended, at most what the buffer holds: -ENOBUFS then, with what fitted left in it. */
int mime_text_append(const struct mime_part *part, struct buf *utf8);

/* The same as a reader sees it: of HTML the text in it. */
int mime_text_append_shown(const struct mime_part *part, struct buf *utf8);

/* Whether a part is one whose text can be read and searched: not an attachment of some other kind, nor a container. */
bool mime_text_is_in(const struct mime_part *part);

/*
 * Appends UTF-8 in the form that search compares: compatibility decomposition, marks dropped, case folded (after
 * i;unicode-casemap, RFC 5051, and going further in that `é` finds `e`). Bytes that are not UTF-8 become U+FFFD.
 */
int mime_text_fold(span_t utf8, struct buf *folded);
