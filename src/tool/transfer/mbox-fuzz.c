#include <stdlib.h>

#include "tool/transfer/mbox.h"

#define MAX (1U << 20)

/* A file is gone through to its end without overlap; and what is written of a message reads back as it was. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round(span_t text)
{
    AUTO_BUF struct buf file;
    AUTO_BUF struct buf message;
    AUTO_BUF struct buf flags;
    struct mbox_place place;
    buf_init(&file, MAX);
    buf_init(&message, MAX);
    buf_init(&flags, MAX);
    if (text.len == 0 || text.at[text.len - 1] != '\n' || mbox_write(text, SPAN("\\Seen work"), 86400, &file) < 0)
        return;
    span_t all = buf_span(&file);
    if (mbox_find(all, 0, &place) < 0 || place.next != all.len || place.seconds != 86400)
        abort();
    if (mbox_read(span_slice(all, place.start, place.end - place.start), &message, &flags) < 0)
        return;
    if (!span_equal(buf_span(&message), text) || !span_equal(buf_span(&flags), SPAN("\\Seen work")))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span_t file = span_of(data, size);
    struct mbox_place place;
    size_t at = 0;
    while (at < file.len && mbox_find(file, at, &place) == 0) {
        AUTO_BUF struct buf message;
        AUTO_BUF struct buf flags;
        if (place.start <= at || place.end < place.start || place.next < place.end || place.next > file.len)
            abort();
        buf_init(&message, MAX);
        buf_init(&flags, MAX);
        (void)(mbox_read(span_slice(file, place.start, place.end - place.start), &message, &flags) == 0);
        at = place.next;
    }
    check_round(file);
    return 0;
}
