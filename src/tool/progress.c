#include "tool/progress.h"

#include <string.h>

#define BAR_WIDTH 24U
#define MARK_MS 4000
#define RATE_MS 1000 /* what is younger says nothing about how fast it goes */

/* Another thing is counted now, or it is counted from the start. */
static bool is_another(const struct progress *progress, const struct progress_point *point)
{
    return !span_equal(span_of_text(progress->what), span_upto(point->what, PROGRESS_WHAT_MAX - 1)) ||
           point->count < progress->newer.count || point->done < progress->newer.done;
}

bool progress_is_due(struct progress *progress, const struct progress_point *point, int64_t now_ms, int64_t every_ms)
{
    const struct progress_mark now = {.ms = now_ms, .count = point->count, .done = point->done};
    if (is_another(progress, point)) {
        span_t what = span_upto(point->what, PROGRESS_WHAT_MAX - 1);
        *progress = (struct progress){.older = now, .newer = now, .shown_ms = now_ms};
        memcpy(progress->what, what.at, what.len);
    } else if (now_ms - progress->newer.ms >= MARK_MS) {
        progress->older = progress->newer;
        progress->newer = now;
    }
    if (now_ms - progress->shown_ms < every_ms)
        return false;
    progress->shown_ms = now_ms;
    return true;
}

static void append_bar(uint64_t done, uint64_t total, struct buf *line)
{
    uint64_t full = done >= total ? BAR_WIDTH : (uint64_t)((double)done / (double)total * BAR_WIDTH);
    (void)buf_append_byte(line, '[');
    for (uint64_t i = 0; i < BAR_WIDTH; i++)
        (void)buf_append_byte(line, i < full ? '#' : '.');
    (void)buf_append_text(line, "] ");
}

static void append_left(uint64_t seconds, struct buf *line)
{
    unsigned long long hours = seconds / 3600;
    unsigned minutes = (unsigned)(seconds / 60 % 60);
    unsigned rest = (unsigned)(seconds % 60);
    if (hours > 0)
        (void)buf_append_format(line, ", %llu:%02u:%02u left", hours, minutes, rest);
    else
        (void)buf_append_format(line, ", %u:%02u left", minutes, rest);
}

static void append_rate(const struct progress *progress, const struct progress_point *point, int64_t now_ms,
                        struct buf *line)
{
    double seconds = (double)(now_ms - progress->older.ms) / 1000;
    double gone = (double)(point->done - progress->older.done);
    if (now_ms - progress->older.ms < RATE_MS)
        return;
    (void)buf_append_format(line, ", %.0f/s", (double)(point->count - progress->older.count) / seconds);
    if (point->total > point->done && gone > 0)
        append_left((uint64_t)((double)(point->total - point->done) * seconds / gone), line);
}

int progress_write(const struct progress *progress, const struct progress_point *point, int64_t now_ms,
                   enum progress_form form, struct buf *line)
{
    if (form == PROGRESS_BAR && point->total > 0)
        append_bar(point->done, point->total, line);
    (void)buf_append_u64(line, point->count);
    if (point->whole > 0)
        (void)buf_append_format(line, " of %llu", (unsigned long long)point->whole);
    (void)buf_append_byte(line, ' ');
    (void)buf_append(line, point->what);
    if (point->total > 0)
        (void)buf_append_format(line, ", %.0f %%",
                                point->done >= point->total ? 100.0 : (double)point->done / (double)point->total * 100);
    append_rate(progress, point, now_ms, line);
    return buf_fault(line);
}
