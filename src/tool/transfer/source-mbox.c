#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "tool/transfer/letter.h"
#include "tool/transfer/level.h"
#include "tool/transfer/mbox.h"
#include "tool/transfer/sink.h"
#include "tool/transfer/source.h"
#include "tool/transfer/tree.h"

/*
 * mbox files: one, which is INBOX, or a tree of them, where a file is the mailbox its path says, without ".mbox" (and
 * without the ".sbd" of Thunderbird's folders). What does not begin as an mbox does is passed over. A file is mapped,
 * and every message copied out of it whole; one that is made shorter meanwhile ends the import (SIGBUS: the bytes are
 * gone).
 */
#define PATH_SIZE 1024U

struct mbox {
    struct source source;
    int root;                         /* AT_FDCWD where it is one file */
    const struct source_folder *file; /* at hand, or NULL */
    span_t bytes;                     /* of it */
    size_t at;
    bool is_paused;
};

static void unmap(struct mbox *mbox)
{
    if (mbox->bytes.len > 0)
        (void)munmap((void *)(uintptr_t)mbox->bytes.at, mbox->bytes.len);
    mbox->bytes = SPAN_NONE;
}

static void mbox_free(struct source *source)
{
    struct mbox *mbox = (struct mbox *)source;
    unmap(mbox);
    source_end(source);
    if (mbox->root >= 0)
        scope_close(&mbox->root);
    free(mbox);
}

/* --- which files there are --- */

/* An empty file is an empty folder, where its name says that it is an mbox. */
static bool begins_as_mbox(int dir, const char *name, uint64_t *ret_size)
{
    uint8_t start[5];
    struct stat status;
    AUTO_FD int fd = -1;
    if (tree_open_file(dir, name, &fd, &status) < 0)
        return false;
    *ret_size = (uint64_t)status.st_size;
    if (status.st_size == 0)
        return span_ends(span_of_text(name), SPAN(".mbox"));
    return pread(fd, start, sizeof(start), 0) == (ssize_t)sizeof(start) &&
           span_equal(span_of(start, sizeof(start)), SPAN("From "));
}

static int look_below(struct mbox *mbox, int dir, const char *path, span_t folder, unsigned depth);

static int look_at(struct mbox *mbox, int dir, const char *path, const char *name, span_t above, unsigned depth)
{
    char below[PATH_SIZE];
    AUTO_BUF struct buf folder;
    AUTO_FD int fd = -1;
    uint64_t size = 0;
    buf_init(&folder, PATH_SIZE);
    (void)buf_append(&folder, above);
    if (level_read(span_of_text(name), &folder) < 0)
        return 0;
    if (tree_join(path, name, below, sizeof(below)) < 0 || strcmp(name, SINK_MARK) == 0)
        return 0;
    if (tree_open(dir, name, &fd) == 0)
        return depth >= TREE_DEPTH_MAX ? 0 : look_below(mbox, fd, below, buf_span(&folder), depth + 1);
    if (!begins_as_mbox(dir, name, &size))
        return 0;
    mbox->source.total += size;
    return source_add_folder(&mbox->source, span_of_text(below), buf_span(&folder));
}

static int look_below(struct mbox *mbox, int dir, const char *path, span_t folder, unsigned depth)
{
    struct tree_names names;
    int result = tree_list(dir, &names);
    if (result < 0)
        return terminal_fail("cannot read the folder %s: %s", path, strerror(-result));
    int status = 0;
    for (size_t i = 0; status == 0 && i < names.count; i++)
        status = look_at(mbox, dir, path, names.names[i], folder, depth);
    tree_names_deinit(&names);
    return status;
}

/* Nothing but what a signal handler may call. What was sent so far, the session files. */
static void on_bytes_gone(int number)
{
    static const char why[] =
        "\nwaxwing: the mbox was made shorter while it was being read, or its disk cannot be read; "
        "it is not all; run the same command again to go on\n";
    (void)number;
    _exit(write(STDERR_FILENO, why, sizeof(why) - 1) < 0 ? 2 : 1);
}

static int open_one(struct mbox *mbox)
{
    struct stat status;
    const char *path = mbox->source.options->place;
    if (stat(path, &status) == 0)
        mbox->source.total = (uint64_t)status.st_size;
    return source_add_folder(&mbox->source, span_of_text(path), SPAN("INBOX"));
}

static int mbox_open(const struct transfer_options *options, struct source **ret_source)
{
    struct mbox *mbox = mem_new(sizeof(*mbox));
    if (mbox == NULL)
        return terminal_fail("out of memory");
    *mbox = (struct mbox){.source = {.in_bytes = true}, .root = AT_FDCWD};
    *ret_source = &mbox->source;
    const struct sigaction action = {.sa_handler = on_bytes_gone};
    (void)sigaction(SIGBUS, &action, NULL);
    if (source_begin(&mbox->source, options) != 0)
        return 1;
    int root = -1;
    int result = tree_open(AT_FDCWD, options->place, &root);
    if (result == -ENOTDIR)
        return open_one(mbox);
    if (result < 0)
        return terminal_fail("cannot open %s: %s", options->place, strerror(-result));
    mbox->root = root;
    int status = look_below(mbox, root, "", SPAN_NONE, 0);
    if (status == 0 && mbox->source.folder_count == 0)
        return terminal_fail("%s has no mbox in it: no file that begins with \"From \"", options->place);
    return status;
}

/* --- messages --- */

static int open_file(struct mbox *mbox, const char *path, int *ret_fd, struct stat *ret_stat)
{
    const char *name = path;
    AUTO_FD int dir = -1;
    if (mbox->root < 0)
        return tree_open_file(AT_FDCWD, path, ret_fd, ret_stat);
    int result = tree_open_parent(mbox->root, path, &dir, &name);
    return result < 0 ? result : tree_open_file(dir, name, ret_fd, ret_stat);
}

static int map_file(struct mbox *mbox)
{
    struct stat status;
    AUTO_FD int fd = -1;
    int result = open_file(mbox, mbox->file->place, &fd, &status);
    if (result < 0 || status.st_size == 0)
        return result;
    void *at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    (void)madvise(at, (size_t)status.st_size, MADV_SEQUENTIAL);
    mbox->bytes = span_of(at, (size_t)status.st_size);
    return 0;
}

static int next_file(struct mbox *mbox, struct source_item *item)
{
    mbox->source.done += mbox->bytes.len;
    unmap(mbox);
    while ((mbox->file = source_next_folder(&mbox->source)) != NULL) {
        int result = map_file(mbox);
        if (result == 0) {
            /* Some have empty lines in front. */
            for (mbox->at = 0; mbox->at < mbox->bytes.len && mbox->bytes.at[mbox->at] <= ' '; mbox->at++)
                ;
            item->mailbox = mbox->file->mailbox;
            return SOURCE_FOLDER;
        }
        source_leave_out(&mbox->source, "%s cannot be read: %s", mbox->file->place, strerror(-result));
    }
    return SOURCE_END;
}

static int read_message(span_t text, struct buf *message, struct buf *flags)
{
    AUTO_BUF struct buf plain;
    buf_init(&plain, text.len + 1);
    int result = mbox_read(text, &plain, flags);
    return result < 0 ? result : letter_from_file(buf_span(&plain), message);
}

static bool fill_item(struct mbox *mbox, const struct mbox_place *place, struct source_item *item)
{
    AUTO_BUF struct buf message;
    AUTO_BUF struct buf flags;
    span_t text = span_slice(mbox->bytes, place->start, place->end - place->start);
    buf_init(&message, 2 * TRANSFER_MESSAGE_MAX);
    buf_init(&flags, TRANSFER_MESSAGE_MAX); /* what is too much is cut off later */
    int result = text.len > TRANSFER_MESSAGE_MAX ? -EFBIG : read_message(text, &message, &flags);
    if (result == 0 && buf_len(&message) == 0)
        result = -ENODATA;
    if (result == 0)
        result =
            letter_origin(mbox->source.counts, span_of_text(mbox->file->mailbox), buf_span(&message), item->origin);
    if (result < 0) {
        source_leave_out(&mbox->source, "a message at byte %zu of %s: %s", place->start, mbox->file->place,
                         source_why(result));
        return false;
    }
    item->mailbox = mbox->file->mailbox;
    item->received = place->seconds * 1000000;
    item->done = mbox->source.done + place->next;
    item->offset = place->start;
    item->length = text.len;
    source_put_flags(item, buf_span(&flags));
    return true;
}

static int mbox_next(struct source *source, struct source_item *item)
{
    struct mbox *mbox = (struct mbox *)source;
    while (mbox->file != NULL && mbox->at < mbox->bytes.len) {
        struct mbox_place place;
        if (mbox_find(mbox->bytes, mbox->at, &place) < 0) {
            (void)terminal_fail("%s is no mbox from byte %zu on: no line there begins with \"From \" and has a date",
                                mbox->file->place, mbox->at);
            source->left_out++;
            break;
        }
        mbox->at = place.next;
        if (fill_item(mbox, &place, item))
            return SOURCE_ITEM;
    }
    if (mbox->file != NULL) {
        mbox->file = NULL;
        return SOURCE_PAUSE; /* it stays mapped until the next */
    }
    return next_file(mbox, item);
}

static int mbox_load(struct source *source, const struct source_item *items, size_t count, source_sink *sink, void *arg)
{
    struct mbox *mbox = (struct mbox *)source;
    int result = 0;
    for (size_t i = 0; result == 0 && i < count && !transfer_stopped; i++) {
        AUTO_BUF struct buf message;
        AUTO_BUF struct buf flags;
        buf_init(&message, 2 * TRANSFER_MESSAGE_MAX);
        buf_init(&flags, TRANSFER_MESSAGE_MAX); /* what is too much is cut off later */
        if (items[i].is_wanted &&
            read_message(span_slice(mbox->bytes, items[i].offset, items[i].length), &message, &flags) == 0)
            result = sink(arg, &items[i], buf_span(&message));
    }
    return result;
}

const struct source_type source_mbox = {"mbox", false, mbox_open, mbox_next, mbox_load, mbox_free};
