#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tool/command.h"
#include "tool/transfer/link.h"
#include "tool/transfer/source.h"
#include "tool/transfer/usage.h"

/*
 * Messages go through in batches: what they are called is asked about first, and only what is not here yet is read and
 * sent. What the session has made durable stays, whatever happens; so going on is doing the same again.
 */
#define BATCH 256U
#define EXIT_USAGE 2
#define WORDS_MAX 2048U

static const struct source_type *const types[] = {&source_mbox, &source_maildir, &source_eml, &source_imap};

struct import {
    const struct transfer_options *options;
    const struct source_type *type;
    struct source *source;
    struct link link;
    struct source_item *items;
    size_t count;
    uint64_t known;
    uint64_t sent;
    uint64_t folders;
    uint64_t filed; /* as the session says */
    uint64_t followed;
};

/* --- a batch --- */

/* The source itself is ahead of what has been brought in by a batch. */
static void show_progress(const struct import *import, uint64_t done)
{
    const struct source *source = import->source;
    const struct progress_point point = {.what = SPAN("messages"),
                                         .count = source->in_bytes ? import->known + import->sent : done,
                                         .whole = source->in_bytes ? 0 : source->total,
                                         .done = done,
                                         .total = source->total};
    terminal_progress(&point);
}

static int ask(struct import *import)
{
    AUTO_BUF struct buf origins;
    struct transfer answer;
    buf_init(&origins, (size_t)BATCH * TRANSFER_ORIGIN_SIZE);
    for (size_t i = 0; i < import->count; i++)
        (void)buf_append(&origins, span_of(import->items[i].origin, TRANSFER_ORIGIN_SIZE));
    struct transfer question = {.kind = TRANSFER_ASK, .bytes = buf_span(&origins)};
    int result = link_say(&import->link, &question);
    if (result == 0)
        result = link_flush(&import->link);
    if (result == 0)
        result = link_hear(&import->link, &answer);
    if (result != LINK_HEARD)
        return 1;
    if (answer.kind != TRANSFER_KNOWN || answer.bytes.len != import->count)
        return terminal_fail("the account's session does not answer what it was asked");
    for (size_t i = 0; i < import->count; i++) {
        import->items[i].is_wanted = answer.bytes.at[i] == 0;
        import->known += answer.bytes.at[i] != 0;
        import->sent += import->options->dry_run && import->items[i].is_wanted;
    }
    return 0;
}

/* Of what is here already: what flags it has there now. */
static int send_flags(struct import *import)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < import->count; i++) {
        struct transfer flags = {.kind = TRANSFER_FLAGS,
                                 .flags = span_of_text(import->items[i].flags),
                                 .origin = span_of(import->items[i].origin, TRANSFER_ORIGIN_SIZE)};
        if (!import->items[i].is_wanted)
            result = link_say(&import->link, &flags);
    }
    return result;
}

static int send_message(void *arg, const struct source_item *item, span_t message)
{
    struct import *import = arg;
    struct transfer head = {.kind = TRANSFER_HEAD,
                            .size = message.len,
                            .received = item->received,
                            .mailbox = span_of_text(item->mailbox),
                            .flags = span_of_text(item->flags),
                            .origin = span_of(item->origin, TRANSFER_ORIGIN_SIZE)};
    if (message.len == 0 || message.len > TRANSFER_MESSAGE_MAX) {
        source_leave_out(import->source, "a message of %zu bytes in %s: empty, or longer than %llu", message.len,
                         item->mailbox, (unsigned long long)TRANSFER_MESSAGE_MAX);
        return 0;
    }
    int result = link_say(&import->link, &head);
    while (result == 0 && message.len > 0) {
        struct transfer data = {.kind = TRANSFER_DATA, .bytes = span_upto(message, TRANSFER_DATA_MAX)};
        result = link_say(&import->link, &data);
        message = span_from(message, data.bytes.len);
    }
    import->sent += result == 0;
    show_progress(import, item->done);
    return result;
}

static int do_batch(struct import *import)
{
    if (import->count == 0)
        return 0;
    int status = ask(import);
    if (status == 0 && !import->options->dry_run)
        status = send_flags(import) != 0;
    if (status == 0 && !import->options->dry_run)
        status = import->type->load(import->source, import->items, import->count, send_message, import) != 0;
    import->count = 0;
    show_progress(import, import->source->done);
    return status;
}

/* --- all of them --- */

static int make_folder(struct import *import, const struct source_item *item)
{
    struct transfer folder = {.kind = TRANSFER_FOLDER, .mailbox = span_of_text(item->mailbox)};
    import->folders++;
    return import->options->dry_run ? 0 : link_say(&import->link, &folder) != 0;
}

static int step(struct import *import, bool *ret_ended)
{
    struct source_item *item = &import->items[import->count];
    memset(item, 0, sizeof(*item));
    int outcome = import->type->next(import->source, item);
    if (outcome < 0)
        return 1;
    if (outcome == SOURCE_FOLDER)
        return make_folder(import, item);
    if (outcome == SOURCE_ITEM && ++import->count < BATCH)
        return 0;
    *ret_ended = outcome == SOURCE_END;
    return do_batch(import);
}

/* Everything before this is durable and filed once it is answered. */
static int finish(struct import *import)
{
    struct transfer answer;
    struct transfer end = {.kind = TRANSFER_END};
    int result = link_say(&import->link, &end);
    if (result == 0)
        result = link_flush(&import->link);
    while (result == 0) {
        result = link_hear(&import->link, &answer);
        if (result == LINK_HEARD && answer.kind == TRANSFER_DONE) {
            import->filed = answer.size;
            import->followed = answer.id;
        }
    }
    return result == LINK_ENDED ? 0 : 1;
}

static void say_summary(const struct import *import, int status)
{
    unsigned long long known = import->known;
    terminal_progress_end();
    if (import->options->dry_run)
        (void)printf("%llu messages in %llu folders would be imported; %llu were imported before\n",
                     (unsigned long long)import->sent, (unsigned long long)import->folders, known);
    else
        (void)printf("%llu messages in %llu folders imported; %llu were imported before\n",
                     (unsigned long long)import->filed, (unsigned long long)import->folders, known);
    if (import->followed > 0)
        (void)printf("%llu that were imported before have other flags now\n", (unsigned long long)import->followed);
    if (import->source->left_out > 0)
        (void)printf("%llu messages or folders were left out\n", (unsigned long long)import->source->left_out);
    (void)fflush(stdout);
    if (transfer_stopped || status != 0)
        (void)terminal_fail("it is not all; run the same command again to go on");
}

static int run(struct import *import)
{
    bool is_over = false;
    int status = import->type->open(import->options, &import->source);
    if (status != 0)
        return 1;
    show_progress(import, 0);
    while (status == 0 && !is_over && !transfer_stopped)
        status = step(import, &is_over);
    int finished = finish(import);
    say_summary(import, status | finished);
    return status != 0 || finished != 0 || transfer_stopped || import->source->left_out > 0;
}

static const struct source_type *find_type(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

int tool_import(const char *conf_path, int count, char **words)
{
    struct transfer_options options;
    struct import import = {.options = &options, .link = {.fd = -1}};
    AUTO_BUF struct buf command;
    buf_init(&command, WORDS_MAX);
    int status = transfer_usage("import", count, words, &options);
    if (status != 0)
        return status;
    import.type = find_type(options.format);
    if (import.type == NULL) {
        (void)terminal_fail("there is no format %s; there are mbox, maildir, eml and imap", options.format);
        return EXIT_USAGE;
    }
    (void)buf_append(&command, SPAN("import\0"));
    (void)buf_append(&command, span_of(options.address, strlen(options.address) + 1));
    if (options.again)
        (void)buf_append(&command, SPAN("--again\0"));
    import.items = mem_new_array(BATCH, sizeof(*import.items));
    if (import.items == NULL || buf_fault(&command) < 0)
        status = terminal_fail("the command is too long");
    if (status == 0)
        status = link_open(&import.link, conf_path, &options, buf_span(&command), import.type->has_password);
    if (status == 0) {
        transfer_catch_signals();
        status = run(&import);
    }
    if (import.source != NULL)
        import.type->free(import.source);
    link_close(&import.link);
    free(import.items);
    return status;
}
