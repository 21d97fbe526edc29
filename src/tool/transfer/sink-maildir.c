#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tool/transfer/letter.h"
#include "tool/transfer/maildir.h"
#include "tool/transfer/sink.h"
#include "tool/transfer/tree.h"

/* A Maildir++: INBOX is the folder itself, the others are below it. A message's file is named for its time and UID, so
 * that it has the same name in every export. */
#define NAME_SIZE 256U /* NAME_MAX and a NUL */

struct maildir {
    struct sink sink;
    int folder;
    int cur;
    struct maildir_keywords keywords;
    struct tree_names names; /* in cur, before */
    bool has_folder;
};

static int fail(const struct maildir *maildir, const char *what, int fault)
{
    return terminal_fail("cannot write %s in %s: %s", what, maildir->sink.options->place, strerror(-fault));
}

static int maildir_open(struct sink *sink, struct sink **ret_sink)
{
    struct maildir *maildir = mem_new(sizeof(*maildir));
    if (maildir == NULL)
        return terminal_fail("out of memory");
    maildir->sink = *sink;
    maildir->folder = -1;
    maildir->cur = -1;
    maildir_keywords_init(&maildir->keywords);
    *ret_sink = &maildir->sink;
    return 0;
}

static int put_keywords(struct maildir *maildir)
{
    AUTO_BUF struct buf file;
    buf_init(&file, MAILDIR_KEYWORDS_FILE_MAX);
    int result = maildir_keywords_write(&maildir->keywords, &file);
    if (result == 0 && buf_len(&file) > 0)
        result = tree_write(maildir->folder, MAILDIR_KEYWORDS_FILE, buf_span(&file), 0);
    return result < 0 ? fail(maildir, MAILDIR_KEYWORDS_FILE, result) : 0;
}

static int end_folder(struct maildir *maildir)
{
    int status = maildir->has_folder ? put_keywords(maildir) : 0;
    maildir->has_folder = false;
    tree_names_deinit(&maildir->names);
    maildir_keywords_deinit(&maildir->keywords);
    maildir_keywords_init(&maildir->keywords);
    scope_close(&maildir->cur);
    scope_close(&maildir->folder);
    maildir->cur = maildir->folder = -1;
    return status;
}

static int make_part(const struct maildir *maildir, const char *name, int *ret_fd)
{
    int fd = -1;
    int result = tree_make(maildir->folder, name, &fd);
    if (result == 0 && ret_fd != NULL)
        *ret_fd = TAKE_FD(fd);
    scope_close(&fd);
    return result;
}

static int make_folder(struct maildir *maildir, const char *name)
{
    AUTO_BUF struct buf keywords;
    buf_init(&keywords, MAILDIR_KEYWORDS_FILE_MAX + 1);
    int result = tree_make(maildir->sink.root, name, &maildir->folder);
    if (result == 0)
        result = make_part(maildir, "cur", &maildir->cur);
    if (result == 0)
        result = make_part(maildir, "new", NULL);
    if (result == 0)
        result = make_part(maildir, "tmp", NULL);
    /* Courier's and Dovecot's sign of a folder. */
    if (result == 0 && strcmp(name, ".") != 0)
        result = tree_write(maildir->folder, "maildirfolder", SPAN_NONE, 0);
    if (result == 0)
        result = tree_list(maildir->cur, &maildir->names);
    if (result == 0 &&
        tree_read(maildir->folder, MAILDIR_KEYWORDS_FILE, MAILDIR_KEYWORDS_FILE_MAX, &keywords, NULL) == 0)
        result = maildir_keywords_read(&maildir->keywords, buf_span(&keywords));
    maildir->has_folder = result == 0;
    return result;
}

static int maildir_folder(struct sink *sink, span_t mailbox)
{
    struct maildir *maildir = (struct maildir *)sink;
    AUTO_BUF struct buf name;
    buf_init(&name, NAME_SIZE);
    int status = end_folder(maildir);
    if (status != 0)
        return status;
    int result =
        span_equal(mailbox, SPAN("INBOX")) ? buf_append(&name, SPAN(".")) : maildir_folder_write(mailbox, &name);
    if (result == 0)
        result = buf_append_byte(&name, '\0');
    if (result == 0)
        result = make_folder(maildir, (const char *)buf_span(&name).at);
    if (result == -ENOBUFS)
        return terminal_fail("the name of the folder %.*s is too long for a Maildir; use eml", SPAN_PRINT(mailbox));
    return result < 0 ? fail(maildir, (const char *)buf_span(&name).at, result) : 0;
}

/* The file this message has already, whatever its flags; or NULL. */
static const char *find_base(const struct tree_names *names, span_t base)
{
    size_t low = 0;
    size_t high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_compare(span_of_text(names->names[middle]), base) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const char *found = low < names->count ? names->names[low] : NULL;
    return found != NULL && span_equal(maildir_base(span_of_text(found)), base) ? found : NULL;
}

static int write_name(struct maildir *maildir, const struct transfer *head, char name[NAME_SIZE], size_t *ret_base)
{
    AUTO_BUF struct buf text;
    size_t dropped = 0;
    int64_t seconds = head->received < 0 ? 0 : head->received / 1000000;
    buf_init(&text, NAME_SIZE - 1);
    (void)buf_append_format(&text, "%010" PRId64 ".V%" PRIu64 "U%010" PRIu64 ".waxwing", seconds, head->id >> 32,
                            head->id & UINT32_MAX);
    *ret_base = buf_len(&text);
    int result = maildir_flags_write(head->flags, &maildir->keywords, &text, &dropped);
    if (result < 0)
        return result;
    maildir->sink.dropped += dropped;
    memcpy(name, buf_span(&text).at, buf_len(&text));
    name[buf_len(&text)] = '\0';
    return 0;
}

static int maildir_message(struct sink *sink, const struct transfer *head, span_t message)
{
    struct maildir *maildir = (struct maildir *)sink;
    char name[NAME_SIZE];
    size_t base = 0;
    AUTO_BUF struct buf file;
    buf_init(&file, message.len + 1);
    int result = write_name(maildir, head, name, &base);
    const char *before = result < 0 ? NULL : find_base(&maildir->names, span_of(name, base));
    if (before != NULL) {
        sink->kept++;
        if (strcmp(before, name) != 0 && renameat(maildir->cur, before, maildir->cur, name) < 0)
            return fail(maildir, name, -errno);
        return 0;
    }
    if (result == 0)
        result = letter_to_file(message, &file);
    if (result == 0)
        result = tree_write(maildir->cur, name, buf_span(&file), head->received / 1000000);
    sink->added += result == 0;
    return result < 0 ? fail(maildir, name, result) : 0;
}

static int maildir_end(struct sink *sink)
{
    return end_folder((struct maildir *)sink);
}

static void maildir_free(struct sink *sink)
{
    struct maildir *maildir = (struct maildir *)sink;
    (void)end_folder(maildir);
    maildir_keywords_deinit(&maildir->keywords);
    free(maildir);
}

const struct sink_type sink_maildir = {"maildir",       maildir_open, maildir_folder,
                                       maildir_message, maildir_end,  maildir_free};
