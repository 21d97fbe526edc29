#pragma once

#include "role/store/journal.h"

/* What journal.c (using), group.c (appending) and replay.c (opening, checkpoints) share. */
struct journal {
    int dir;
    struct secret *key;
    struct files *files;
    struct pending *pending;
    uint64_t segment_max;
    uint64_t step;
    struct list queue;
    uint32_t before; /* checksum of the last record, or of the last segment's head */
    int fault;
    uint64_t since_checkpoint;         /* bytes appended */
    bool changed;                      /* anything, since the last checkpoint */
    struct buf forgetting;             /* accounts, 8 bytes each */
    struct files_cursor forget_cursor; /* segment 0: at the beginning */
    struct files_cursor count_cursor;  /* recounting after opening; segment 0: done */
    uint64_t counted;
    uint64_t counted_from; /* segment->live when counting began */
    struct journal_stats stats;
};

#define JOURNAL_FORGETTING_MAX (1U << 20)

/* Loads the checkpoint and replays what stands behind it. */
MUST_USE int journal_replay(struct journal *journal);
