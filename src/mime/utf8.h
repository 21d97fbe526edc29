#pragma once

#include "base/buf.h"

/* UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing beyond U+10FFFF. */
#define UTF8_REPLACEMENT 0xfffdU

bool utf8_is_valid(span_t bytes);
size_t utf8_valid_len(span_t bytes); /* of the leading part that is valid */
size_t ascii_len(span_t bytes);      /* of the leading part below 0x80 */
bool ascii_is_clean(span_t bytes);   /* all below 0x80 */

/* Length of the sequence at the front of a span that is not empty; 0 where it is none, -1 where the span ends in it. */
int utf8_sequence_len(span_t bytes);

/* Takes a character off a span that is not empty; a byte that is part of none counts as UTF8_REPLACEMENT. */
uint32_t utf8_next(span_t *rest);

/* Appends a character below 0x110000. 0 or the buffer's fault. */
int utf8_append(uint32_t character, struct buf *utf8);
