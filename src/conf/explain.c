#include "conf/row.h"

#include <errno.h>
#include <inttypes.h>

static void write_number(struct buf *text, enum conf_kind kind, uint64_t number)
{
    static const struct {
        uint64_t factor;
        char name;
    } units[] = {{GIB, 'G'}, {MIB, 'M'}, {KIB, 'K'}};
    if (number == CONF_BY_USER) {
        (void)buf_append_text(text, "by user");
        return;
    }
    for (size_t i = 0; kind == CONF_SIZE && i < COUNT_OF(units); i++) {
        if (number >= units[i].factor && number % units[i].factor == 0) {
            (void)buf_append_format(text, "%" PRIu64 "%c", number / units[i].factor, units[i].name);
            return;
        }
    }
    (void)buf_append_u64(text, number);
}

static void write_text(struct buf *text, const char *value)
{
    (void)buf_append_text(text, value[0] == '\0' ? "(empty)" : value);
}

void conf_row_range(const struct conf_row *row, struct buf *text)
{
    if (row->kind == CONF_TEXT || row->kind == CONF_CHOICE) {
        write_text(text, row->text);
        if (row->kind == CONF_CHOICE)
            (void)buf_append_format(text, ", one of: %s", row->allowed);
        return;
    }
    write_number(text, row->kind, row->number);
    (void)buf_append_text(text, ", from ");
    write_number(text, row->kind, row->min);
    (void)buf_append_text(text, " to ");
    write_number(text, row->kind, row->max);
    (void)buf_append_text(text, row->kind == CONF_SECONDS ? " seconds" : "");
}

/* What is shown gets copied to where it must not be. */
static bool is_secret(const struct conf_row *row, const char *value)
{
    span_t text = span_of_text(value);
    return value[0] != '\0' && (span_ends(span_of_text(row->name), SPAN("password")) ||
                                (span_find(text, SPAN("://")) < text.len && span_find_byte(text, '@') < text.len));
}

/* The value as a line of a settings file, above it what it means. */
static void write_row(struct buf *text, const struct conf *conf, const struct conf_row *row)
{
    const void *at = (const char *)conf + row->offset;
    (void)buf_append_format(text, "# %s\n# default: ", row->sentence);
    conf_row_range(row, text);
    (void)buf_append_format(text, "; changed by %s\n", conf_row_is_fixed(row) ? "a restart" : "waxwing reload");
    if (row->kind == CONF_TEXT && is_secret(row, *(char *const *)at)) {
        (void)buf_append_format(text, "# %s is set, and not shown, as there is a password in it\n", row->name);
        return;
    }
    (void)buf_append_format(text, "%s = ", row->name);
    if (row->kind == CONF_TEXT || row->kind == CONF_CHOICE)
        (void)buf_append_text(text, *(char *const *)at);
    else
        write_number(text, row->kind, *(const uint64_t *)at);
    (void)buf_append_byte(text, '\n');
}

/* Whether the key names the row: smtp.port, [smtp] port as smtp.port, or a whole section: smtp. */
static bool is_meant(const struct conf_row *row, const char *key)
{
    span_t rest = span_of_text(key);
    span_t section = SPAN_NONE;
    if (key == NULL)
        return true;
    if (!span_cut(&rest, '.', &section) || !span_equal(section, span_of_text(row->section)))
        return false;
    return rest.len == 0 || span_equal(rest, span_of_text(row->name));
}

int conf_explain(const struct conf *conf, const char *key, struct buf *text)
{
    const struct conf_row *before = NULL;
    for (size_t i = 0; i < conf_row_count; i++) {
        const struct conf_row *row = &conf_rows[i];
        if (!is_meant(row, key))
            continue;
        if (before == NULL || !span_equal(span_of_text(before->section), span_of_text(row->section)))
            (void)buf_append_format(text, "%s[%s]\n", before == NULL ? "" : "\n", row->section);
        write_row(text, conf, row);
        before = row;
    }
    if (before == NULL)
        return -ENOENT;
    return buf_fault(text);
}
