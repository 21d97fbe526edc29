#include "conf/row.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Where the parser is, for its complaints. */
struct place {
    const char *file;
    unsigned line;
    struct conf_error *error;
};

static int PRINTF_LIKE(2, 3) complain(const struct place *place, const char *format, ...)
{
    va_list arguments;
    char *text = place->error->text;
    int length = snprintf(text, CONF_ERROR_MAX, "%s:%u: ", place->file, place->line);
    if (length < 0 || length >= CONF_ERROR_MAX)
        return -EINVAL;
    va_start(arguments, format);
    (void)vsnprintf(text + length, (size_t)(CONF_ERROR_MAX - length), format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static const struct conf_row *find_row(span_t section, span_t name)
{
    for (size_t i = 0; i < conf_row_count; i++) {
        if (span_equal(section, span_of_text(conf_rows[i].section)) &&
            span_equal(name, span_of_text(conf_rows[i].name)))
            return &conf_rows[i];
    }
    return NULL;
}

static bool is_section(span_t name)
{
    for (size_t i = 0; i < conf_row_count; i++) {
        if (span_equal(name, span_of_text(conf_rows[i].section)))
            return true;
    }
    return false;
}

/* 64 KiB, 64K, 65536: a number with an optional unit. */
static int parse_number(const struct conf_row *row, span_t value, uint64_t *ret_number)
{
    static const struct {
        span_t suffix;
        uint64_t factor;
    } units[] = {{SPAN("KiB"), KIB}, {SPAN("MiB"), MIB}, {SPAN("GiB"), GIB},
                 {SPAN("K"), KIB},   {SPAN("M"), MIB},   {SPAN("G"), GIB}};
    uint64_t factor = 1;
    for (size_t i = 0; row->kind == CONF_SIZE && factor == 1 && i < COUNT_OF(units); i++) {
        if (span_ends(value, units[i].suffix)) {
            factor = units[i].factor;
            value = span_trim(span_upto(value, value.len - units[i].suffix.len));
        }
    }
    uint64_t number = 0;
    int result = span_to_u64(value, UINT64_MAX / factor, &number);
    if (result == 0)
        *ret_number = number * factor;
    return result;
}

static int set_number(struct conf *conf, const struct conf_row *row, span_t value, const struct place *place)
{
    uint64_t number = 0;
    int result = parse_number(row, value, &number);
    if (result == -ERANGE || (result == 0 && (number < row->min || number > row->max)))
        return complain(place, "[%s] %s must be from %llu to %llu", row->section, row->name,
                        (unsigned long long)row->min, (unsigned long long)row->max);
    if (result < 0)
        return complain(place, "[%s] %s must be a number%s", row->section, row->name,
                        row->kind == CONF_SIZE ? ", K, M or G may follow" : "");
    *conf_number_at(conf, row) = number;
    return 0;
}

static bool is_allowed(const char *allowed, span_t value)
{
    span_t rest = span_of_text(allowed);
    span_t word;
    while (span_cut(&rest, '|', &word)) {
        if (span_equal(word, value))
            return true;
    }
    return false;
}

static int set_text(struct conf *conf, const struct conf_row *row, span_t value, const struct place *place)
{
    if (row->kind == CONF_CHOICE && !is_allowed(row->allowed, value))
        return complain(place, "[%s] %s must be one of %s", row->section, row->name, row->allowed);
    span_t word;
    const char *wanted = conf_row_misread(row, value, &word);
    if (wanted != NULL)
        return complain(place, "[%s] %s cannot be %.*s: it wants %s", row->section, row->name,
                        (int)(word.len < 64 ? word.len : 64), (const char *)word.at, wanted);
    char *copy = mem_new(value.len + 1);
    if (copy == NULL)
        return -ENOMEM;
    if (value.len > 0)
        memcpy(copy, value.at, value.len);
    free(*conf_text_at(conf, row));
    *conf_text_at(conf, row) = copy;
    return 0;
}

static int parse_setting(struct conf *conf, span_t section, span_t line, const struct place *place)
{
    size_t equals = span_find_byte(line, '=');
    if (equals == line.len)
        return complain(place, "neither a [section] nor a setting: write name = value");
    span_t name = span_trim(span_upto(line, equals));
    span_t value = span_trim(span_from(line, equals + 1));
    if (section.len == 0)
        return complain(place, "a setting before the first [section]");
    const struct conf_row *row = find_row(section, name);
    if (row == NULL)
        return complain(place, "there is no setting %.*s in [%.*s]; see: waxwing config",
                        (int)(name.len < 64 ? name.len : 64), (const char *)name.at, SPAN_PRINT(section));
    if (row->kind == CONF_TEXT || row->kind == CONF_CHOICE)
        return set_text(conf, row, value, place);
    return set_number(conf, row, value, place);
}

static int parse_line(struct conf *conf, span_t *section, span_t line, const struct place *place)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] < ' ' && line.at[i] != '\t')
            return complain(place, "there is a control character in this line");
    }
    if (line.len == 0 || line.at[0] == '#' || line.at[0] == ';')
        return 0;
    if (line.at[0] != '[')
        return parse_setting(conf, *section, line, place);
    if (line.at[line.len - 1] != ']')
        return complain(place, "a section is written [name]");
    *section = span_trim(span_slice(line, 1, line.len - 2));
    if (!is_section(*section))
        return complain(place, "there is no section of this name; see: waxwing config");
    return 0;
}

static int set_defaults(struct conf *conf)
{
    for (size_t i = 0; i < conf_row_count; i++) {
        const struct conf_row *row = &conf_rows[i];
        if (row->kind != CONF_TEXT && row->kind != CONF_CHOICE) {
            *conf_number_at(conf, row) = row->number;
            continue;
        }
        *conf_text_at(conf, row) = mem_copy_text(row->text);
        if (*conf_text_at(conf, row) == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int check_together(const struct conf *conf, const struct place *place)
{
    if ((conf->tls_certificate[0] == '\0') != (conf->tls_key[0] == '\0'))
        return complain(place, "[tls] certificate and key go together: set both or none");
    if (strpbrk(conf->reports_address, "@ \"") != NULL)
        return complain(place, "[reports] address is what stands before the @ alone: every domain has it");
    return 0;
}

int conf_parse(span_t text, const char *file_name, struct conf **ret_conf, struct conf_error *ret_error)
{
    struct place place = {.file = file_name, .line = 0, .error = ret_error};
    AUTO(conf) struct conf *conf = mem_new(sizeof(*conf));
    int result = conf == NULL ? -ENOMEM : set_defaults(conf);
    span_t section = SPAN_NONE;
    span_t line;
    (void)snprintf(ret_error->text, sizeof(ret_error->text), "%s: out of memory", file_name);
    while (result == 0 && span_cut(&text, '\n', &line)) {
        place.line++;
        result = parse_line(conf, &section, span_trim(line), &place);
    }
    if (result == 0)
        result = check_together(conf, &place);
    if (result < 0)
        return result;
    ret_error->text[0] = '\0';
    *ret_conf = TAKE(conf);
    return 0;
}

void conf_free(struct conf *conf)
{
    if (conf == NULL)
        return;
    for (size_t i = 0; i < conf_row_count; i++) {
        if (conf_rows[i].kind == CONF_TEXT || conf_rows[i].kind == CONF_CHOICE)
            free(*conf_text_at(conf, &conf_rows[i]));
    }
    free(conf);
}
