#pragma once

/*
 * Results. 0 is done; a negative errno is a fault, passed up unchanged; a positive value is a named outcome.
 */
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
