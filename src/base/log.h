#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/*
 * One event per line, `time level role name field=value …`, on standard error: a stable name, stable fields.
 * Privacy first: no address, subject or client IP at the default level. Where one line must be matched with another,
 * F_HASH writes a short keyed hash, whose key is drawn at start and never stored. Secrets have no field macro.
 *
 *     log_info("smtp.rcpt.refused", F_TEXT("reason", why), F_HASH("client", address));
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_HASH, LOG_FIELD_FAULT } kind;
    span_t text;
    int64_t number;
};

#define F_TEXT(name, value) ((struct log_field){name, LOG_FIELD_TEXT, span_of_text(value), 0})
#define F_SPAN(name, value) ((struct log_field){name, LOG_FIELD_TEXT, value, 0})
#define F_HASH(name, value) ((struct log_field){name, LOG_FIELD_HASH, value, 0})
#define F_U64(name, value) ((struct log_field){name, LOG_FIELD_NUMBER, SPAN_NONE, (int64_t)(value)})
#define F_INT(name, value) ((struct log_field){name, LOG_FIELD_NUMBER, SPAN_NONE, (value)})
#define F_FAULT(result) ((struct log_field){"error", LOG_FIELD_FAULT, SPAN_NONE, (result)}) /* a negative errno */

/* Once, at the start of each process; role is kept by reference. hash_key: 16 bytes, the same in all roles. */
void log_start(const char *role, enum log_level most, const uint8_t hash_key[16]);

void log_write(enum log_level level, const char *name, const struct log_field *fields, size_t count);

#define LOG_AT(level, name, ...)                                                                                       \
    log_write(level, name, (const struct log_field[]){{0}, ##__VA_ARGS__},                                             \
              sizeof((const struct log_field[]){{0}, ##__VA_ARGS__}) / sizeof(struct log_field))
#define log_error(name, ...) LOG_AT(LOG_ERROR, name, ##__VA_ARGS__)
#define log_warn(name, ...) LOG_AT(LOG_WARN, name, ##__VA_ARGS__)
#define log_info(name, ...) LOG_AT(LOG_INFO, name, ##__VA_ARGS__)
#define log_debug(name, ...) LOG_AT(LOG_DEBUG, name, ##__VA_ARGS__)
