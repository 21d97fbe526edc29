#include "trust/mtasts/record.h"

#include "trust/taglist.h"
#include "trust/versioned.h"

bool mtasts_record_parse(span_t text, span_t *ret_id)
{
    struct taglist list;
    if (taglist_parse(text, &list) != TAGLIST_OK || !taglist_is_version(&list, "STSv1"))
        return false;
    span_t id = taglist_value(&list, "id");
    if (id.len == 0 || id.len > MTASTS_ID_MAX)
        return false;
    for (size_t at = 0; at < id.len; at++) {
        if (!ascii_is_alpha(id.at[at]) && !ascii_is_digit(id.at[at]))
            return false;
    }
    *ret_id = id;
    return true;
}

int mtasts_record_find(const struct dns_lookup *lookup, const char *domain, struct arena *arena, span_t *ret_id)
{
    span_t text;
    int result = versioned_find(lookup, "_mta-sts", domain, "STSv1", arena, &text);
    if (result < 0)
        return result;
    if (result == VERSIONED_LATER)
        return MTASTS_RECORD_LATER;
    return result == VERSIONED_FOUND && mtasts_record_parse(text, ret_id) ? MTASTS_RECORD_FOUND : MTASTS_RECORD_NONE;
}
