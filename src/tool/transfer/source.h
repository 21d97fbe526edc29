#pragma once

#include "base/buf.h"
#include "ipc/transfer.h"
#include "tool/transfer/options.h"

/*
 * Where imported mail comes from: one of these for each format. Faults are told by the source, and end the import; what
 * concerns one message or folder only is told, counted, and passed over.
 */
#define SOURCE_FLAGS_MAX 2048U

struct source_item {
    const char *mailbox; /* as it is to be called here; lives as long as the source */
    char flags[SOURCE_FLAGS_MAX];
    int64_t received; /* microseconds */
    uint8_t origin[TRANSFER_ORIGIN_SIZE];
    bool is_wanted; /* not here yet */
    /* the source's own: */
    uint64_t offset;
    uint64_t length;
    uint32_t uid;
    char *name;
};

struct source;

enum source_outcome {
    SOURCE_ITEM,
    SOURCE_FOLDER, /* mailbox alone: a folder, which may be empty */
    SOURCE_PAUSE,  /* what was given so far must be loaded before the next */
    SOURCE_END,
};

/* Takes the bytes of an item, which are message bytes (CRLF). A result other than 0 ends the loading. */
typedef int source_sink(void *arg, const struct source_item *item, span_t message);

struct source_type {
    const char *name;
    bool has_password; /* one at the other side */
    int (*open)(const struct transfer_options *options, struct source **ret_source);
    int (*next)(struct source *source, struct source_item *ret_item);
    /* The wanted ones among these, which are the last that next gave, in their order. */
    int (*load)(struct source *source, const struct source_item *items, size_t count, source_sink *sink, void *arg);
    void (*free)(struct source *source);
};

extern const struct source_type source_maildir, source_mbox, source_eml, source_imap;

/* What every source begins with. */
struct source {
    const struct transfer_options *options;
    uint64_t left_out; /* messages and folders that could not be read */
};

/*
 * The mailbox a folder becomes: below --folder where that is given (where INBOX is that one itself), and with what no
 * name here may have made '_'. A copy, or NULL.
 */
char *source_mailbox(const struct transfer_options *options, span_t folder);
/* Copies flags into an item as far as there is room. */
void source_put_flags(struct source_item *item, span_t flags);
