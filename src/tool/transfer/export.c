#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool/command.h"
#include "tool/transfer/link.h"
#include "tool/transfer/sink.h"
#include "tool/transfer/tree.h"
#include "tool/transfer/usage.h"

/* The session gives out everything; the sink passes over what it has from an export before. */
#define EXIT_USAGE 2
#define WORDS_MAX 2048U
#define MESSAGE_MAX (UINT64_C(1) << 30)
#define MARK_MAX 256U

static const struct sink_type *const types[] = {&sink_mbox, &sink_maildir, &sink_eml};

struct export
{
    const struct transfer_options *options;
    const struct sink_type *type;
    struct sink base;
    struct sink *sink;
    struct link link;
    struct buf flags;
    struct buf message;
    struct transfer head; /* of the message that is coming; its spans are in the above */
    uint64_t missing;
    uint64_t folders;
    uint64_t lost;
};

/* --- the target --- */

/* Only what is empty, or was made by an export in the same format, is written to. */
static int check_target(const struct export *export, int dir)
{
    char mark[MARK_MAX];
    struct tree_names names;
    AUTO_BUF struct buf found;
    buf_init(&found, MARK_MAX + 1);
    (void)snprintf(mark, sizeof(mark),
                   "Made by waxwing export, as %s. Exporting here again adds what has come since.\n",
                   export->options->format);
    int result = tree_read(dir, SINK_MARK, MARK_MAX, &found, NULL);
    if (result == 0 && span_equal(buf_span(&found), span_of_text(mark)))
        return 0;
    if (result == 0)
        return terminal_fail("%s holds an export in another format; give another folder", export->options->place);
    result = tree_list(dir, &names);
    if (result < 0)
        return terminal_fail("cannot read %s: %s", export->options->place, strerror(-result));
    bool is_empty = names.count == 0;
    tree_names_deinit(&names);
    if (!is_empty)
        return terminal_fail("%s is not empty, and not from an export; give a folder that is empty or new",
                             export->options->place);
    result = tree_write(dir, SINK_MARK, span_of_text(mark), 0);
    return result < 0 ? terminal_fail("cannot write in %s: %s", export->options->place, strerror(-result)) : 0;
}

static int open_target(struct export *export)
{
    int dir = -1;
    int result = tree_make(AT_FDCWD, export->options->place, &dir);
    if (result < 0)
        return terminal_fail("cannot make the folder %s: %s", export->options->place, strerror(-result));
    export->base = (struct sink){.options = export->options, .root = dir};
    int status = check_target(export, dir);
    return status != 0 ? status : export->type->open(&export->base, &export->sink);
}

/* --- what comes --- */

static int keep(struct buf *buf, span_t bytes)
{
    buf_clear(buf);
    return buf_append(buf, bytes);
}

static int on_head(struct export *export, const struct transfer *head)
{
    if (export->missing > 0 || head->size > MESSAGE_MAX)
        return terminal_fail("the account's session sends what it must not");
    export->head = *head;
    export->missing = head->size;
    buf_clear(&export->message);
    if (keep(&export->flags, head->flags) < 0)
        return terminal_fail("a message has too many flags");
    export->head.flags = buf_span(&export->flags);
    return head->size == 0 ? export->type->message(export->sink, &export->head, SPAN_NONE) : 0;
}

static int on_data(struct export *export, span_t bytes)
{
    if (bytes.len > export->missing || buf_append(&export->message, bytes) < 0)
        return terminal_fail("out of memory, or the account's session sends what it must not");
    export->missing -= bytes.len;
    if (export->missing > 0)
        return 0;
    return export->type->message(export->sink, &export->head, buf_span(&export->message));
}

static int on_lost(struct export *export, const struct transfer *lost)
{
    export->lost++;
    (void)terminal_fail("a message in %.*s cannot be read, its record is damaged; see: waxwing check %s",
                        SPAN_PRINT(lost->mailbox), export->options->address);
    return 0;
}

static int take(struct export *export, const struct transfer *heard)
{
    if (heard->kind == TRANSFER_FOLDER) {
        export->folders++;
        return export->type->folder(export->sink, heard->mailbox);
    }
    if (heard->kind == TRANSFER_HEAD)
        return on_head(export, heard);
    if (heard->kind == TRANSFER_DATA)
        return on_data(export, heard->bytes);
    return heard->kind == TRANSFER_LOST ? on_lost(export, heard) : 0;
}

static int take_all(struct export *export)
{
    struct transfer heard;
    struct transfer wish = {.kind = TRANSFER_FOLDER,
                            .mailbox =
                                export->options->folder == NULL ? SPAN_NONE : span_of_text(export->options->folder)};
    int result = link_say(&export->link, &wish);
    if (result == 0)
        result = link_flush(&export->link);
    while (result == 0 && !transfer_stopped) {
        result = link_hear(&export->link, &heard);
        if (result == LINK_HEARD && take(export, &heard) != 0)
            return 1;
    }
    if (result == LINK_ENDED)
        return export->type->end(export->sink);
    return 1;
}

static void say_summary(const struct export *export, int status)
{
    const struct sink *sink = export->sink;
    terminal_progress_end();
    (void)printf("%llu messages in %llu folders exported; %llu were there before\n", (unsigned long long)sink->added,
                 (unsigned long long)export->folders, (unsigned long long)sink->kept);
    if (sink->dropped > 0)
        (void)printf("%llu times a keyword was left out: a Maildir has room for 26 in each folder\n",
                     (unsigned long long)sink->dropped);
    if (export->lost > 0)
        (void)printf("%llu messages could not be read\n", (unsigned long long)export->lost);
    (void)fflush(stdout);
    if (status != 0)
        (void)terminal_fail("it is not all; run the same command again to go on");
}

static int run(struct export *export)
{
    transfer_catch_signals();
    int status = take_all(export);
    if (status == 0 && syncfs(export->base.root) < 0)
        status = terminal_fail("cannot write to the disk of %s: %s", export->options->place, strerror(errno));
    say_summary(export, status);
    return status != 0 || export->lost > 0;
}

static const struct sink_type *find_type(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

static int start(struct export *export, const char *conf_path, struct transfer_options *options)
{
    AUTO_BUF struct buf command;
    buf_init(&command, WORDS_MAX);
    (void)buf_append(&command, SPAN("export\0"));
    (void)buf_append(&command, span_of(options->address, strlen(options->address) + 1));
    if (buf_fault(&command) < 0)
        return terminal_fail("the command is too long");
    int status = link_open(&export->link, conf_path, options, buf_span(&command), false);
    if (status == 0)
        status = open_target(export);
    return status != 0 ? status : run(export);
}

int tool_export(const char *conf_path, int count, char **words)
{
    struct transfer_options options;
    struct export export = {.options = &options, .base = {.root = -1}, .link = {.fd = -1}};
    int status = transfer_usage("export", count, words, &options);
    if (status != 0)
        return status;
    export.type = find_type(options.format);
    if (export.type == NULL) {
        (void)terminal_fail("there is no format %s to write; there are mbox, maildir and eml", options.format);
        return EXIT_USAGE;
    }
    buf_init(&export.flags, TRANSFER_TEXT_MAX);
    buf_init(&export.message, MESSAGE_MAX);
    status = start(&export, conf_path, &options);
    if (export.sink != NULL)
        export.type->free(export.sink);
    scope_close(&export.base.root);
    link_close(&export.link);
    buf_deinit(&export.flags);
    buf_deinit(&export.message);
    return status;
}
