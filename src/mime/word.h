#pragma once

#include "base/arena.h"
#include "base/buf.h"

/*
 * Text in header fields. Decoding unfolds, turns encoded words (RFC 2047) into UTF-8, drops white space between two of
 * them (RFC 2047 §6.2), joins words that split a character, and never fails on bad input: what is no encoded word
 * stays as it is; raw 8-bit bytes that are not UTF-8 are read as windows-1252. The result is valid UTF-8 without
 * control characters. Answers 0 or the buffer's fault.
 */
int mime_word_decode(span_t value, struct buf *utf8);

/* The same into an arena. -ENOMEM. */
MUST_USE int mime_word_decode_into(struct arena *arena, span_t value, span_t *ret_utf8);

/* Appends UTF-8 text as it may stand in an unstructured field: itself when ASCII, else as encoded words of at most 75
 * characters (RFC 2047 §2), folded with CRLF SP between them. */
int mime_word_encode(span_t utf8, struct buf *text);
