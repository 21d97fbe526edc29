#pragma once

#include "base/buf.h"
#include "ipc/transfer.h"
#include "tool/transfer/options.h"

/*
 * Where exported mail goes: one of these for each format. Faults are told by the sink, and end the export: 1. A message
 * that is there from an export before is left as it is, but for its flags.
 */
struct sink {
    const struct transfer_options *options;
    int root;
    uint64_t added;
    uint64_t kept;    /* were there before */
    uint64_t dropped; /* keywords the format had no room for */
};

struct sink_type {
    const char *name;
    int (*open)(struct sink *sink, struct sink **ret_sink); /* copies what it is given */
    int (*folder)(struct sink *sink, span_t mailbox);       /* the one before is complete */
    int (*message)(struct sink *sink, const struct transfer *head, span_t message);
    int (*end)(struct sink *sink); /* all is complete */
    void (*free)(struct sink *sink);
};

extern const struct sink_type sink_maildir, sink_mbox, sink_eml;

#define SINK_MARK "waxwing-export.txt" /* in a target, so that nothing of anybody's is written over */
