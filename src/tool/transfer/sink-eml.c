#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tool/transfer/eml.h"
#include "tool/transfer/level.h"
#include "tool/transfer/sink.h"
#include "tool/transfer/tree.h"

/* A folder for each mailbox, in it each message as it is, byte by byte, named for its UID; and an index. */
#define NAME_SIZE 64U

struct eml {
    struct sink sink;
    int dir;
    struct tree_names names; /* there before */
    struct buf index;
};

static int fail(const struct eml *eml, const char *what, int fault)
{
    return terminal_fail("cannot write %s in %s: %s", what, eml->sink.options->place, strerror(-fault));
}

static int eml_open(struct sink *sink, struct sink **ret_sink)
{
    struct eml *eml = mem_new(sizeof(*eml));
    if (eml == NULL)
        return terminal_fail("out of memory");
    *eml = (struct eml){.sink = *sink, .dir = -1};
    buf_init(&eml->index, EML_INDEX_MAX);
    *ret_sink = &eml->sink;
    return 0;
}

static int end_folder(struct eml *eml)
{
    if (eml->dir < 0)
        return 0;
    int result = buf_fault(&eml->index);
    if (result == 0)
        result = tree_write(eml->dir, EML_INDEX_NAME, buf_span(&eml->index), 0);
    buf_clear(&eml->index);
    tree_names_deinit(&eml->names);
    scope_close(&eml->dir);
    eml->dir = -1;
    return result < 0 ? fail(eml, EML_INDEX_NAME, result) : 0;
}

static int eml_folder(struct sink *sink, span_t mailbox)
{
    struct eml *eml = (struct eml *)sink;
    AUTO_BUF struct buf name;
    AUTO_FD int parent = -1;
    buf_init(&name, LEVEL_NAME_MAX + 1);
    int status = end_folder(eml);
    if (status != 0)
        return status;
    int result = level_make(sink->root, mailbox, &parent, &name);
    if (result == 0)
        result = buf_append_byte(&name, '\0');
    if (result == 0)
        result = tree_make(parent, (const char *)buf_span(&name).at, &eml->dir);
    if (result == 0)
        result = tree_list(eml->dir, &eml->names);
    return result < 0 ? fail(eml, "a folder", result) : 0;
}

static int eml_message(struct sink *sink, const struct transfer *head, span_t message)
{
    struct eml *eml = (struct eml *)sink;
    char name[NAME_SIZE];
    int length =
        snprintf(name, sizeof(name), "%010" PRIu64 "-%010" PRIu64 ".eml", head->id >> 32, head->id & UINT32_MAX);
    struct eml_row row = {
        .name = span_of(name, (size_t)length), .seconds = head->received / 1000000, .flags = head->flags};
    int result = eml_row_write(&row, &eml->index);
    if (result == 0 && tree_names_find(&eml->names, name)) {
        sink->kept++;
        return 0;
    }
    if (result == 0)
        result = tree_write(eml->dir, name, message, row.seconds);
    sink->added += result == 0;
    return result < 0 ? fail(eml, name, result) : 0;
}

static int eml_end(struct sink *sink)
{
    return end_folder((struct eml *)sink);
}

/* What broke off leaves its folder's index as it was, if it had one; else what there is of it. */
static void eml_free(struct sink *sink)
{
    struct eml *eml = (struct eml *)sink;
    if (!tree_names_find(&eml->names, EML_INDEX_NAME))
        (void)end_folder(eml);
    tree_names_deinit(&eml->names);
    buf_deinit(&eml->index);
    scope_close(&eml->dir);
    free(eml);
}

const struct sink_type sink_eml = {"eml", eml_open, eml_folder, eml_message, eml_end, eml_free};
