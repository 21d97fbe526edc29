#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tool/transfer/letter.h"
#include "tool/transfer/level.h"
#include "tool/transfer/mbox.h"
#include "tool/transfer/sink.h"
#include "tool/transfer/tree.h"

/* A file NAME.mbox for each mailbox, in folders for the levels above it. It is written under another name, and takes
 * its own once it is whole; every export writes all of it. */
#define PART_NAME "waxwing-part.tmp"
#define GATHERED_MAX (1U << 20)

struct mbox {
    struct sink sink;
    int dir;
    int fd;
    struct buf name;
    struct buf gathered;
};

static int fail(const struct mbox *mbox, int fault)
{
    return terminal_fail("cannot write %.*s in %s: %s", SPAN_PRINT(buf_span(&mbox->name)), mbox->sink.options->place,
                         strerror(-fault));
}

static int mbox_open(struct sink *sink, struct sink **ret_sink)
{
    struct mbox *mbox = mem_new(sizeof(*mbox));
    if (mbox == NULL)
        return terminal_fail("out of memory");
    *mbox = (struct mbox){.sink = *sink, .dir = -1, .fd = -1};
    buf_init(&mbox->name, LEVEL_NAME_MAX + 8);
    buf_init(&mbox->gathered, UINT64_C(4) << 30);
    *ret_sink = &mbox->sink;
    return 0;
}

static int write_gathered(struct mbox *mbox)
{
    while (buf_len(&mbox->gathered) > 0) {
        span_t bytes = buf_span(&mbox->gathered);
        ssize_t put = write(mbox->fd, bytes.at, bytes.len);
        if (put < 0 && errno != EINTR)
            return -errno;
        buf_consume(&mbox->gathered, put < 0 ? 0 : (size_t)put);
    }
    return 0;
}

static int end_folder(struct mbox *mbox)
{
    if (mbox->fd < 0)
        return 0;
    int result = write_gathered(mbox);
    if (result == 0 && renameat(mbox->dir, PART_NAME, mbox->dir, (const char *)buf_span(&mbox->name).at) < 0)
        result = -errno;
    if (result < 0)
        return fail(mbox, result);
    scope_close(&mbox->fd);
    scope_close(&mbox->dir);
    mbox->fd = mbox->dir = -1;
    return 0;
}

static int mbox_folder(struct sink *sink, span_t mailbox)
{
    struct mbox *mbox = (struct mbox *)sink;
    int status = end_folder(mbox);
    if (status != 0)
        return status;
    buf_clear(&mbox->name);
    int result = level_make(sink->root, mailbox, &mbox->dir, &mbox->name);
    if (result == 0)
        result = buf_append(&mbox->name, SPAN(".mbox\0"));
    if (result == 0 && unlinkat(mbox->dir, PART_NAME, 0) < 0 && errno != ENOENT)
        result = -errno;
    if (result < 0)
        return fail(mbox, result);
    mbox->fd = openat(mbox->dir, PART_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return mbox->fd < 0 ? fail(mbox, -errno) : 0;
}

static int mbox_message(struct sink *sink, const struct transfer *head, span_t message)
{
    struct mbox *mbox = (struct mbox *)sink;
    AUTO_BUF struct buf text;
    buf_init(&text, message.len + 1);
    int result = letter_to_file(message, &text);
    if (result == 0)
        result = mbox_write(buf_span(&text), head->flags, head->received / 1000000, &mbox->gathered);
    if (result == 0 && buf_len(&mbox->gathered) >= GATHERED_MAX)
        result = write_gathered(mbox);
    sink->added += result == 0;
    return result < 0 ? fail(mbox, result) : 0;
}

static int mbox_end(struct sink *sink)
{
    return end_folder((struct mbox *)sink);
}

static void mbox_free(struct sink *sink)
{
    struct mbox *mbox = (struct mbox *)sink;
    if (mbox->fd >= 0)
        (void)unlinkat(mbox->dir, PART_NAME, 0);
    scope_close(&mbox->fd);
    scope_close(&mbox->dir);
    buf_deinit(&mbox->name);
    buf_deinit(&mbox->gathered);
    free(mbox);
}

const struct sink_type sink_mbox = {"mbox", mbox_open, mbox_folder, mbox_message, mbox_end, mbox_free};
