#pragma once

#include "base/buf.h"
#include "base/map.h"
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
    uint64_t done;  /* what the source's is once this one is brought in */
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

/* A folder of the source, or a file that is one. */
struct source_folder {
    char *mailbox; /* as it is to be called here */
    char *place;   /* its path below what was named, or its name at the other server */
};
#define SOURCE_FOLDERS_MAX 10000U

/* What every source begins with. */
struct source {
    const struct transfer_options *options;
    struct source_folder *folders;
    size_t folder_count;
    size_t next_folder;
    struct map *counts; /* for letter_origin */
    uint64_t left_out;  /* messages and folders that could not be read */
    bool in_bytes;      /* total and done are bytes, else messages */
    uint64_t total;     /* 0: nobody knows */
    uint64_t done;      /* of them, given by next or left out */
};

/* 0, or 1, and it is told. */
MUST_USE int source_begin(struct source *source, const struct transfer_options *options);
void source_end(struct source *source);

/*
 * The mailbox a folder becomes: below --folder where that is given (where INBOX is that one itself), and with what no
 * name here may have made '_'. One that cannot have its name here is told and left out. 0, or 1, and it is told.
 */
MUST_USE int source_add_folder(struct source *source, span_t place, span_t folder);
/* The next of them, or NULL. */
const struct source_folder *source_next_folder(struct source *source);
/* Says why something is left out, and counts it. */
void source_leave_out(struct source *source, const char *format, ...) PRINTF_LIKE(2, 3);

/* What is wrong with a file that could not be read as a message. */
const char *source_why(int fault);

/* Copies flags into an item as far as there is room. */
void source_put_flags(struct source_item *item, span_t flags);
