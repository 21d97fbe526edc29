#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

/*
 * A run of bytes somebody else owns: everything that comes from outside is one. It may hold any byte, NUL included,
 * and is not terminated. {NULL, 0} is the empty span; one with at == NULL can also stand for "absent".
 */
typedef struct {
    const uint8_t *at;
    size_t len;
} span_t;

/* A span over a string literal. */
#define SPAN(literal) ((span_t){(const uint8_t *)("" literal), sizeof(literal) - 1})
#define SPAN_NONE ((span_t){NULL, 0})
/* For printf's "%.*s". */
#define SPAN_PRINT(span) (int)(span).len, (const char *)(span).at

span_t span_of(const void *at, size_t len);
span_t span_of_text(const char *text); /* up to its NUL; NULL gives SPAN_NONE */

bool span_equal(span_t one, span_t other);
bool span_equal_nocase(span_t one, span_t other); /* ASCII letters only */
int span_compare(span_t one, span_t other);       /* bytewise, as memcmp; a prefix sorts first */
bool span_starts(span_t span, span_t prefix);
bool span_starts_nocase(span_t span, span_t prefix);
bool span_ends(span_t span, span_t suffix);

/* Offset of the first match, or span.len where there is none. */
size_t span_find_byte(span_t span, uint8_t byte);
size_t span_find_last_byte(span_t span, uint8_t byte);
size_t span_find(span_t span, span_t needle);
size_t span_find_nocase(span_t span, span_t needle);

/* Parts; bounds beyond the end are clipped. */
span_t span_from(span_t span, size_t offset);
span_t span_upto(span_t span, size_t len);
span_t span_slice(span_t span, size_t offset, size_t len);
span_t span_trim(span_t span); /* without SP, HTAB, CR and LF at both ends */

/* Cuts *rest at the first separator: returns what stands before it, leaves what comes after. Ends: false. */
bool span_cut(span_t *rest, uint8_t separator, span_t *ret_piece);

/* Decimal digits only, all of the span. -EINVAL where not a number, -ERANGE above max. */
MUST_USE int span_to_u64(span_t span, uint64_t max, uint64_t *ret_value);

/* ASCII classes, independent of any locale. */
bool ascii_is_digit(uint8_t byte);
bool ascii_is_alpha(uint8_t byte);
bool ascii_is_space(uint8_t byte); /* SP and HTAB */
bool ascii_is_print(uint8_t byte); /* 0x21 to 0x7e */
uint8_t ascii_lower(uint8_t byte);
uint8_t ascii_upper(uint8_t byte);
int ascii_hex_value(uint8_t byte); /* of a hexadecimal digit, else -1 */
