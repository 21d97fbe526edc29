#pragma once

#include "base/buf.h"
#include "mime/utf8.h"

/*
 * Any charset to UTF-8. Names as mail writes them, aliases included; an unknown or missing one is read as UTF-8 where
 * the bytes are valid UTF-8, else as windows-1252. Invalid bytes become U+FFFD. Converters of ICU are kept for reuse,
 * at most CHARSET_CACHE_MAX per process.
 */
#define CHARSET_CACHE_MAX 8U
#define CHARSET_NAME_MAX 64U

bool charset_is_known(span_t name);

/* Appends; 0 or the buffer's fault, -ENOMEM. */
int charset_to_utf8(span_t charset, span_t bytes, struct buf *utf8);

/* In pieces: a character may be split between two pushes. */
struct charset_reader;
MUST_USE int charset_reader_new(span_t charset, struct charset_reader **ret_reader);
void charset_reader_free(struct charset_reader *reader); /* its converter goes back to the cache */
int charset_reader_push(struct charset_reader *reader, span_t bytes, struct buf *utf8);
int charset_reader_finish(struct charset_reader *reader, struct buf *utf8);
SCOPE_OF(charset_reader)

void charset_cache_clear(void);
