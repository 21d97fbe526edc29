#include "trust/taglist.h"

static bool is_name(span_t name)
{
    if (name.len == 0 || !ascii_is_alpha(name.at[0]))
        return false;
    for (size_t at = 1; at < name.len; at++) {
        if (!ascii_is_alpha(name.at[at]) && !ascii_is_digit(name.at[at]) && name.at[at] != '_')
            return false;
    }
    return true;
}

static bool has_name(const struct taglist *list, span_t name)
{
    for (size_t at = 0; at < list->count; at++) {
        if (span_equal(list->tags[at].name, name))
            return true;
    }
    return false;
}

static bool add(struct taglist *list, span_t piece)
{
    size_t equals = span_find_byte(piece, '=');
    span_t name = span_trim(span_upto(piece, equals));
    if (equals == piece.len || list->count == TAGLIST_MAX || !is_name(name) || has_name(list, name))
        return false;
    list->tags[list->count++] = (struct tag){name, span_trim(span_from(piece, equals + 1))};
    return true;
}

enum taglist_result taglist_parse(span_t text, struct taglist *ret_list)
{
    span_t rest = text;
    span_t piece;
    ret_list->count = 0;
    while (span_cut(&rest, ';', &piece)) {
        bool is_last = rest.at == NULL;
        if (is_last && span_trim(piece).len == 0 && ret_list->count > 0)
            break;
        if (!add(ret_list, piece))
            return TAGLIST_MALFORMED;
    }
    return ret_list->count > 0 ? TAGLIST_OK : TAGLIST_MALFORMED;
}

span_t taglist_value(const struct taglist *list, const char *name)
{
    for (size_t at = 0; at < list->count; at++) {
        if (span_equal(list->tags[at].name, span_of_text(name)))
            return list->tags[at].value;
    }
    return SPAN_NONE;
}

bool taglist_is_version(const struct taglist *list, const char *version)
{
    return list->count > 0 && span_equal(list->tags[0].name, SPAN("v")) &&
           span_equal(list->tags[0].value, span_of_text(version));
}
