#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tool/transfer/letter.h"
#include "tool/transfer/maildir.h"
#include "tool/transfer/source.h"
#include "tool/transfer/tree.h"

/*
 * A Maildir: the folder itself is INBOX, folders whose names begin with a dot are Maildir++'s, and other folders that
 * are Maildirs go by their paths. Read in the order of the file names, which begin with a time.
 */
#define NAME_SIZE 1024U

struct maildir {
    struct source source;
    int root;
    const struct source_folder *folder; /* at hand, or NULL */
    int fd;                             /* of it */
    struct maildir_keywords keywords;
    struct tree_names names; /* of cur or new */
    size_t next_name;
    bool is_new; /* new is read after cur */
    bool is_paused;
};

static void maildir_free(struct source *source)
{
    struct maildir *maildir = (struct maildir *)source;
    source_end(source);
    tree_names_deinit(&maildir->names);
    maildir_keywords_deinit(&maildir->keywords);
    scope_close(&maildir->fd);
    scope_close(&maildir->root);
    free(maildir);
}

/* --- which folders there are --- */

static bool is_maildir(int dir)
{
    struct stat status;
    return fstatat(dir, "cur", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

static bool is_letter(const char *name)
{
    return name[0] != '.';
}

static void count_letters(struct source *source, int folder, const char *part)
{
    struct tree_names names;
    AUTO_FD int dir = -1;
    if (tree_open(folder, part, &dir) < 0 || tree_list(dir, &names) < 0)
        return; /* told when its turn comes */
    for (size_t i = 0; i < names.count; i++)
        source->total += is_letter(names.names[i]);
    tree_names_deinit(&names);
}

static int note_folder(struct maildir *maildir, int fd, const char *path, span_t folder)
{
    count_letters(&maildir->source, fd, "cur");
    count_letters(&maildir->source, fd, "new");
    return source_add_folder(&maildir->source, span_of_text(path), folder);
}

static int note_dotted(struct maildir *maildir, int fd, const char *path, const char *name)
{
    AUTO_BUF struct buf mailbox;
    buf_init(&mailbox, NAME_SIZE);
    if (maildir_folder_read(span_of_text(name), &mailbox) < 0) {
        source_leave_out(&maildir->source, "the folder %s has a name that cannot be read", path);
        return 0;
    }
    return note_folder(maildir, fd, path, buf_span(&mailbox));
}

static int look_below(struct maildir *maildir, int dir, const char *path, unsigned depth);

static int look_at(struct maildir *maildir, int dir, const char *path, const char *name, unsigned depth)
{
    char below[NAME_SIZE];
    AUTO_FD int fd = -1;
    static const char *const parts[] = {"cur", "new", "tmp"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (strcmp(name, parts[i]) == 0)
            return 0;
    if (tree_join(path, name, below, sizeof(below)) < 0 || tree_open(dir, name, &fd) < 0)
        return 0; /* a file, or a link, or nothing a mail program makes */
    if (name[0] == '.')
        return depth == 0 && is_maildir(fd) ? note_dotted(maildir, fd, below, name) : 0;
    int status = is_maildir(fd) ? note_folder(maildir, fd, below, span_of_text(below)) : 0;
    return status != 0 || depth >= TREE_DEPTH_MAX ? status : look_below(maildir, fd, below, depth + 1);
}

static int look_below(struct maildir *maildir, int dir, const char *path, unsigned depth)
{
    struct tree_names names;
    int result = tree_list(dir, &names);
    if (result < 0)
        return terminal_fail("cannot read the folder %s: %s", path, strerror(-result));
    int status = 0;
    for (size_t i = 0; status == 0 && i < names.count; i++)
        status = look_at(maildir, dir, path, names.names[i], depth);
    tree_names_deinit(&names);
    return status;
}

static int maildir_open(const struct transfer_options *options, struct source **ret_source)
{
    struct maildir *maildir = mem_new(sizeof(*maildir));
    if (maildir == NULL)
        return terminal_fail("out of memory");
    *maildir = (struct maildir){.root = -1, .fd = -1};
    *ret_source = &maildir->source;
    maildir_keywords_init(&maildir->keywords);
    if (source_begin(&maildir->source, options) != 0)
        return 1;
    int result = tree_open(AT_FDCWD, options->place, &maildir->root);
    if (result < 0)
        return terminal_fail("cannot open %s: %s", options->place, strerror(-result));
    int status = is_maildir(maildir->root) ? note_folder(maildir, maildir->root, ".", SPAN("INBOX")) : 0;
    if (status == 0)
        status = look_below(maildir, maildir->root, "", 0);
    if (status == 0 && maildir->source.folder_count == 0)
        return terminal_fail("%s is no Maildir, and holds none: there is no folder cur in it", options->place);
    return status;
}

/* --- its messages --- */

static int list_part(struct maildir *maildir, const char *part)
{
    AUTO_FD int dir = -1;
    tree_names_deinit(&maildir->names);
    maildir->next_name = 0;
    int result = tree_open(maildir->fd, part, &dir);
    return result < 0 ? result : tree_list(dir, &maildir->names);
}

static void read_keywords(struct maildir *maildir)
{
    AUTO_BUF struct buf file;
    buf_init(&file, MAILDIR_KEYWORDS_FILE_MAX + 1);
    maildir_keywords_deinit(&maildir->keywords);
    maildir_keywords_init(&maildir->keywords);
    if (tree_read(maildir->fd, MAILDIR_KEYWORDS_FILE, MAILDIR_KEYWORDS_FILE_MAX, &file, NULL) == 0 &&
        maildir_keywords_read(&maildir->keywords, buf_span(&file)) < 0)
        maildir->source.left_out++;
}

/* SOURCE_FOLDER, SOURCE_END. */
static int next_folder(struct maildir *maildir, struct source_item *item)
{
    scope_close(&maildir->fd);
    maildir->fd = -1;
    const struct source_folder *folder = NULL;
    while ((folder = source_next_folder(&maildir->source)) != NULL) {
        int result = tree_open_path(maildir->root, folder->place, &maildir->fd);
        if (result == 0)
            result = list_part(maildir, "cur");
        if (result < 0) {
            source_leave_out(&maildir->source, "the folder %s cannot be read: %s", folder->place, strerror(-result));
            continue;
        }
        read_keywords(maildir);
        maildir->folder = folder;
        maildir->is_new = false;
        item->mailbox = folder->mailbox;
        return SOURCE_FOLDER;
    }
    return SOURCE_END;
}

/* The message in a file; told where it cannot be had: false. */
static bool read_letter(struct maildir *maildir, const char *part, const char *name, struct buf *message,
                        struct stat *status)
{
    AUTO_BUF struct buf file;
    AUTO_FD int dir = -1;
    buf_init(&file, TRANSFER_MESSAGE_MAX + 1);
    int result = tree_open(maildir->fd, part, &dir);
    if (result == 0)
        result = tree_read(dir, name, TRANSFER_MESSAGE_MAX, &file, status);
    if (result == 0)
        result = buf_len(&file) == 0 ? -ENODATA : letter_from_file(buf_span(&file), message);
    if (result == 0)
        return true;
    if (result != -ENOENT) /* that one was moved meanwhile */
        source_leave_out(&maildir->source, "%s/%s/%s: %s", maildir->folder->place, part, name, source_why(result));
    return false;
}

static const char *part_of(const struct maildir *maildir)
{
    return maildir->is_new ? "new" : "cur";
}

static bool fill_item(struct maildir *maildir, char *name, struct source_item *item)
{
    AUTO_BUF struct buf message;
    AUTO_BUF struct buf flags;
    struct stat status;
    buf_init(&message, 2 * TRANSFER_MESSAGE_MAX);
    buf_init(&flags, SOURCE_FLAGS_MAX);
    if (!is_letter(name))
        return false;
    item->done = ++maildir->source.done;
    if (!read_letter(maildir, part_of(maildir), name, &message, &status))
        return false;
    if (letter_origin(maildir->source.counts, span_of_text(maildir->folder->mailbox), buf_span(&message),
                      item->origin) < 0)
        return false;
    /* Flags beyond what there is room for stay behind. */
    (void)(maildir_flags_read(span_of_text(name), &maildir->keywords, &flags) < 0);
    item->mailbox = maildir->folder->mailbox;
    item->received = (int64_t)status.st_mtim.tv_sec * 1000000;
    item->length = buf_len(&message);
    item->name = name;
    item->offset = maildir->is_new;
    source_put_flags(item, buf_span(&flags));
    return true;
}

static int maildir_next(struct source *source, struct source_item *item)
{
    struct maildir *maildir = (struct maildir *)source;
    for (;;) {
        if (maildir->folder == NULL)
            return next_folder(maildir, item);
        while (maildir->next_name < maildir->names.count)
            if (fill_item(maildir, maildir->names.names[maildir->next_name++], item))
                return SOURCE_ITEM;
        maildir->is_paused = !maildir->is_paused;
        if (maildir->is_paused)
            return SOURCE_PAUSE; /* the names live until the next part is listed */
        if (maildir->is_new || list_part(maildir, "new") < 0)
            maildir->folder = NULL;
        maildir->is_new = true;
    }
}

static int maildir_load(struct source *source, const struct source_item *items, size_t count, source_sink *sink,
                        void *arg)
{
    struct maildir *maildir = (struct maildir *)source;
    int result = 0;
    for (size_t i = 0; result == 0 && i < count && !transfer_stopped; i++) {
        AUTO_BUF struct buf message;
        struct stat status;
        buf_init(&message, 2 * TRANSFER_MESSAGE_MAX);
        if (items[i].is_wanted &&
            read_letter(maildir, items[i].offset != 0 ? "new" : "cur", items[i].name, &message, &status))
            result = sink(arg, &items[i], buf_span(&message));
    }
    return result;
}

const struct source_type source_maildir = {
    "maildir", false, maildir_open, maildir_next, maildir_load, maildir_free,
};
