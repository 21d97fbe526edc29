#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tool/transfer/eml.h"
#include "tool/transfer/letter.h"
#include "tool/transfer/level.h"
#include "tool/transfer/source.h"
#include "tool/transfer/tree.h"

/* A tree of .eml files: those in the folder itself are INBOX's, those in folders below are their mailboxes'. Flags and
 * dates are those of the folder's index; of a file that is not in it, the date is the file's. */
#define PATH_SIZE 1024U

struct eml {
    struct source source;
    int root;
    const struct source_folder *folder; /* at hand, or NULL */
    int fd;                             /* of it */
    struct tree_names names;
    size_t next_name;
    bool is_paused;
    struct buf index;
    size_t index_at; /* rows are looked for from where the last one was: they have the order of the names */
};

static void eml_free(struct source *source)
{
    struct eml *eml = (struct eml *)source;
    source_end(source);
    tree_names_deinit(&eml->names);
    buf_deinit(&eml->index);
    scope_close(&eml->fd);
    scope_close(&eml->root);
    free(eml);
}

static bool is_eml(const char *name)
{
    span_t text = span_of_text(name);
    return text.len > 4 && span_equal_nocase(span_from(text, text.len - 4), SPAN(".eml"));
}

/* --- which folders there are --- */

static int look_below(struct eml *eml, int dir, const char *path, span_t mailbox, unsigned depth);

static int look_at(struct eml *eml, int dir, const char *path, const char *name, span_t above, unsigned depth)
{
    char below[PATH_SIZE];
    AUTO_BUF struct buf mailbox;
    AUTO_FD int fd = -1;
    buf_init(&mailbox, PATH_SIZE);
    (void)buf_append(&mailbox, above);
    if (tree_join(path, name, below, sizeof(below)) < 0 || level_read(span_of_text(name), &mailbox) < 0 ||
        depth >= TREE_DEPTH_MAX || tree_open(dir, name, &fd) < 0)
        return 0;
    return look_below(eml, fd, below, buf_span(&mailbox), depth + 1);
}

/* A folder counts where it holds mail or an index, which an empty mailbox has, too. */
static int look_below(struct eml *eml, int dir, const char *path, span_t mailbox, unsigned depth)
{
    struct tree_names names;
    uint64_t count = 0;
    int result = tree_list(dir, &names);
    if (result < 0)
        return terminal_fail("cannot read the folder %s: %s", path, strerror(-result));
    for (size_t i = 0; i < names.count; i++)
        count += is_eml(names.names[i]);
    bool has_mail = count > 0 || tree_names_find(&names, EML_INDEX_NAME);
    eml->source.total += count;
    int status =
        has_mail ? source_add_folder(&eml->source, span_of_text(path), mailbox.len == 0 ? SPAN("INBOX") : mailbox) : 0;
    for (size_t i = 0; status == 0 && i < names.count; i++)
        status = look_at(eml, dir, path, names.names[i], mailbox, depth);
    tree_names_deinit(&names);
    return status;
}

static int eml_open(const struct transfer_options *options, struct source **ret_source)
{
    struct eml *eml = mem_new(sizeof(*eml));
    if (eml == NULL)
        return terminal_fail("out of memory");
    *eml = (struct eml){.root = -1, .fd = -1};
    *ret_source = &eml->source;
    buf_init(&eml->index, EML_INDEX_MAX + 1);
    if (source_begin(&eml->source, options) != 0)
        return 1;
    int result = tree_open(AT_FDCWD, options->place, &eml->root);
    if (result < 0)
        return terminal_fail("cannot open %s: %s", options->place, strerror(-result));
    int status = look_below(eml, eml->root, "", SPAN_NONE, 0);
    if (status == 0 && eml->source.folder_count == 0)
        return terminal_fail("%s has no .eml files in it", options->place);
    return status;
}

/* --- messages --- */

static int next_folder(struct eml *eml, struct source_item *item)
{
    while ((eml->folder = source_next_folder(&eml->source)) != NULL) {
        scope_close(&eml->fd);
        eml->fd = -1;
        tree_names_deinit(&eml->names);
        buf_clear(&eml->index);
        eml->next_name = eml->index_at = 0;
        int result = tree_open_path(eml->root, eml->folder->place, &eml->fd);
        if (result == 0)
            result = tree_list(eml->fd, &eml->names);
        if (result == 0 && tree_names_find(&eml->names, EML_INDEX_NAME))
            result = tree_read(eml->fd, EML_INDEX_NAME, EML_INDEX_MAX, &eml->index, NULL);
        item->mailbox = eml->folder->mailbox;
        if (result == 0)
            return SOURCE_FOLDER;
        source_leave_out(&eml->source, "the folder %s cannot be read: %s", eml->folder->place, strerror(-result));
    }
    return SOURCE_END;
}

/* The row of a file; from the last one to the end, and then from the start. */
static bool find_row(struct eml *eml, const char *name, struct eml_row *ret_row)
{
    span_t index = buf_span(&eml->index);
    size_t start = eml->index_at;
    for (unsigned turn = 0; turn < 2; turn++) {
        span_t rest = span_from(index, turn == 0 ? start : 0);
        span_t line;
        while (rest.len > 0 && span_cut(&rest, '\n', &line)) {
            if (span_starts(line, span_of_text(name)) && eml_row_read(line, ret_row) == 0 &&
                span_equal(ret_row->name, span_of_text(name))) {
                eml->index_at = index.len - rest.len;
                return true;
            }
        }
    }
    return false;
}

static bool read_letter(struct eml *eml, const char *name, bool is_indexed, struct buf *message, struct stat *status)
{
    AUTO_BUF struct buf file;
    buf_init(&file, TRANSFER_MESSAGE_MAX + 1);
    int result = tree_read(eml->fd, name, TRANSFER_MESSAGE_MAX, &file, status);
    if (result == 0 && buf_len(&file) == 0)
        result = -ENODATA;
    if (result == 0) /* ours hold the very bytes */
        result = is_indexed ? buf_append(message, buf_span(&file)) : letter_from_file(buf_span(&file), message);
    if (result == 0)
        return true;
    source_leave_out(&eml->source, "%s/%s: %s", eml->folder->place, name, source_why(result));
    return false;
}

static bool fill_item(struct eml *eml, char *name, struct source_item *item)
{
    AUTO_BUF struct buf message;
    struct stat status;
    struct eml_row row;
    buf_init(&message, 2 * TRANSFER_MESSAGE_MAX);
    if (!is_eml(name))
        return false;
    item->done = ++eml->source.done;
    bool is_indexed = find_row(eml, name, &row);
    if (!read_letter(eml, name, is_indexed, &message, &status) ||
        letter_origin(eml->source.counts, span_of_text(eml->folder->mailbox), buf_span(&message), item->origin) < 0)
        return false;
    item->mailbox = eml->folder->mailbox;
    item->received = (is_indexed ? row.seconds : (int64_t)status.st_mtim.tv_sec) * 1000000;
    item->length = buf_len(&message);
    item->offset = is_indexed;
    item->name = name;
    source_put_flags(item, is_indexed ? row.flags : SPAN_NONE);
    return true;
}

static int eml_next(struct source *source, struct source_item *item)
{
    struct eml *eml = (struct eml *)source;
    while (eml->folder != NULL && eml->next_name < eml->names.count)
        if (fill_item(eml, eml->names.names[eml->next_name++], item))
            return SOURCE_ITEM;
    eml->is_paused = eml->folder != NULL && !eml->is_paused;
    return eml->is_paused ? SOURCE_PAUSE : next_folder(eml, item); /* the names live until the next folder */
}

static int eml_load(struct source *source, const struct source_item *items, size_t count, source_sink *sink, void *arg)
{
    struct eml *eml = (struct eml *)source;
    int result = 0;
    for (size_t i = 0; result == 0 && i < count && !transfer_stopped; i++) {
        AUTO_BUF struct buf message;
        struct stat status;
        buf_init(&message, 2 * TRANSFER_MESSAGE_MAX);
        if (items[i].is_wanted && read_letter(eml, items[i].name, items[i].offset != 0, &message, &status))
            result = sink(arg, &items[i], buf_span(&message));
    }
    return result;
}

const struct source_type source_eml = {"eml", false, eml_open, eml_next, eml_load, eml_free};
