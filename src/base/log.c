#include "base/log.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"

#define LOG_LINE_MAX 2048U

static const char *role_name = "waxwing";
static enum log_level level_max = LOG_INFO;
static uint8_t key[16];

void log_start(const char *role, enum log_level most, const uint8_t hash_key[16])
{
    role_name = role;
    level_max = most;
    memcpy(key, hash_key, sizeof(key));
}

/* Quoted where it holds anything that could be taken for another field or another line. */
static void append_text(struct buf *line, span_t text)
{
    (void)buf_append_byte(line, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\')
            (void)buf_append_format(line, "\\x%02x", byte);
        else
            (void)buf_append_byte(line, byte);
    }
    (void)buf_append_byte(line, '"');
}

static void append_field(struct buf *line, const struct log_field *field)
{
    (void)buf_append_format(line, " %s=", field->name);
    switch (field->kind) {
    case LOG_FIELD_TEXT:
        append_text(line, field->text);
        break;
    case LOG_FIELD_NUMBER:
        (void)buf_append_format(line, "%" PRId64, field->number);
        break;
    case LOG_FIELD_HASH:
        (void)buf_append_format(line, "%08" PRIx32, (uint32_t)hash_keyed(key, field->text));
        break;
    case LOG_FIELD_FAULT:
        append_text(line, span_of_text(strerrordesc_np((int)-field->number)));
        break;
    }
}

void log_write(enum log_level level, const char *name, const struct log_field *fields, size_t count)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (level > level_max)
        return;
    AUTO_BUF struct buf line;
    buf_init(&line, LOG_LINE_MAX);
    struct timespec now;
    struct tm utc;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)buf_append_format(&line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s %s %s", utc.tm_year + 1900, utc.tm_mon + 1,
                            utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000, names[level],
                            role_name, name);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].name != NULL)
            append_field(&line, &fields[i]);
    }
    if (buf_append_byte(&line, '\n') < 0 && buf_len(&line) > 0)
        line.bytes[line.end - 1] = '\n';
    span_t text = buf_span(&line);
    /* Nothing can be done about a log that cannot be written. */
    if (write(STDERR_FILENO, text.at, text.len) < 0)
        return;
}
