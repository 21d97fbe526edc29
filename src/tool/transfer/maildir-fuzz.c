#include <stdlib.h>

#include "proto/imap/mailbox.h"
#include "tool/transfer/eml.h"
#include "tool/transfer/level.h"
#include "tool/transfer/maildir.h"

#define MAX 65536U

/* Names from other people's trees: whatever they are, a mailbox name that comes of one may be used, and writes back to
 * a single name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_folder(span_t name)
{
    AUTO_BUF struct buf mailbox;
    AUTO_BUF struct buf back;
    AUTO_BUF struct buf again;
    buf_init(&mailbox, MAX);
    buf_init(&back, MAX);
    buf_init(&again, MAX);
    if (maildir_folder_read(name, &mailbox) < 0)
        return;
    if (!imap_mailbox_is_valid(buf_span(&mailbox)) || maildir_folder_write(buf_span(&mailbox), &back) < 0 ||
        span_find_byte(buf_span(&back), '/') < buf_len(&back))
        abort();
    if (maildir_folder_read(buf_span(&back), &again) < 0 || !span_equal(buf_span(&again), buf_span(&mailbox)))
        abort();
}

static void check_level(span_t level)
{
    AUTO_BUF struct buf name;
    AUTO_BUF struct buf back;
    buf_init(&name, MAX);
    buf_init(&back, MAX);
    if (level.len == 0 || span_find_byte(level, '/') < level.len || level_write(level, &name) < 0)
        return;
    if (buf_span(&name).at[0] == '.' || level_read(buf_span(&name), &back) < 0 || !span_equal(buf_span(&back), level))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span_t input = span_of(data, size);
    struct maildir_keywords keywords;
    AUTO_BUF struct buf flags;
    AUTO_BUF struct buf name;
    struct eml_row row;
    size_t dropped = 0;
    buf_init(&flags, MAX);
    buf_init(&name, MAX);
    if (size > MAX / 16)
        return 0;
    maildir_keywords_init(&keywords);
    if (maildir_keywords_read(&keywords, input) == 0 && maildir_flags_read(input, &keywords, &flags) == 0)
        (void)(maildir_flags_write(buf_span(&flags), &keywords, &name, &dropped) == 0);
    maildir_keywords_deinit(&keywords);
    check_folder(input);
    check_level(input);
    (void)(eml_row_read(input, &row) == 0);
    return 0;
}
