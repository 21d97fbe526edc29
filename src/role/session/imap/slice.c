#include "role/session/imap/slice.h"

static size_t messages_in(const struct view *view, struct vault_range range)
{
    size_t end = range.last == UINT32_MAX ? view_count(view) : view_find(view, range.last + 1);
    size_t first = view_find(view, range.first);
    return end > first ? end - first : 0;
}

void slicer_init(struct slicer *slicer, const struct view *view, struct vault_range *ranges, size_t count)
{
    *slicer = (struct slicer){.view = view, .ranges = ranges, .count = count};
}

bool slicer_is_done(const struct slicer *slicer)
{
    return slicer->count == 0;
}

/* As many ranges as the slice has room for; one that is too long is cut where the slice ends. */
size_t slicer_next(struct slicer *slicer, size_t most, const struct vault_range **ret_ranges)
{
    struct vault_range *ranges = slicer->ranges;
    size_t left = most;
    size_t whole = 0;
    if (slicer->is_cut)
        ranges[0] = slicer->rest;
    while (whole < slicer->count && messages_in(slicer->view, ranges[whole]) <= left)
        left -= messages_in(slicer->view, ranges[whole++]);
    slicer->is_cut = whole < slicer->count && left > 0;
    if (slicer->is_cut) {
        uint32_t next = view_uid(slicer->view, view_find(slicer->view, ranges[whole].first) + left);
        slicer->rest = (struct vault_range){next, ranges[whole].last};
        ranges[whole].last = next - 1;
    }
    *ret_ranges = ranges;
    slicer->ranges += whole;
    slicer->count -= whole;
    return whole + slicer->is_cut;
}
