#pragma once

#include "base/buf.h"

/*
 * Appends the text that a reader sees of an HTML document in UTF-8 (its own word on its charset is disregarded):
 * without tags, script and style, character references resolved, alternative texts of images kept, a line end between
 * blocks. Whatever is malformed is read as browsers would, more or less. 0, -ENOMEM, or the buffer's fault with what
 * fitted left in it.
 */
MUST_USE int mime_html_text(span_t html, struct buf *text);
