#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include "base/map.h"
#include "role/store/segment.h"

/*
 * The segment files in one folder. Descriptors are opened when needed and at most FILES_OPEN_MAX are kept.
 */
#define FILES_OPEN_MAX 128U

/* The calls whose failure the log has to survive; NULL members mean the system's own. */
struct files_calls {
    int (*sync)(int fd);
    ssize_t (*write)(int fd, const struct iovec *parts, int count, off_t offset);
    int (*allocate)(int fd, off_t offset, off_t len);
};

struct segment {
    uint64_t number;
    struct segment_head head;
    struct aead *aead;
    int fd;           /* -1 while not open */
    uint64_t end;     /* where the next record may go, or the closed segment ends */
    uint64_t room;    /* preallocated up to here */
    uint64_t live;    /* recipients that have not released their record */
    uint64_t chained; /* recipients through whose record a chain still passes */
    uint64_t dead;    /* bytes of records that nobody needs */
    bool dirty;       /* written to since the last sync */
    uint64_t used;    /* for choosing the descriptor to close */
};

struct files;

MUST_USE int files_new(int dir, span_t key, const struct files_calls *calls, struct files **ret_files);
void files_free(struct files *files);
SCOPE_OF(files)

/* Finds the segments in the folder. One that holds no more than a head that is not whole was never used, and is left
 * out (files_add overwrites it); of one whose head was damaged later the records cannot be found any more, but still be
 * read by who knows their place. */
MUST_USE int files_scan(struct files *files);
/* Makes a new one above all others, durable with its name. -ENOSPC and other faults: nothing is left behind. */
MUST_USE int files_add(struct files *files, struct segment **ret_segment);
MUST_USE int files_drop(struct files *files, struct segment *segment);

struct segment *files_get(const struct files *files, uint64_t number);   /* or NULL */
struct segment *files_after(const struct files *files, uint64_t number); /* the lowest above number, or NULL */
struct segment *files_last(const struct files *files);
uint64_t files_first(const struct files *files); /* the lowest number, or 0 */
size_t files_count(const struct files *files);

/* An open descriptor, which stays the segment's own; or a fault. */
MUST_USE int files_fd(struct files *files, struct segment *segment);
/* A new read-only descriptor, the caller's; or a fault. */
MUST_USE int files_open_read(struct files *files, uint64_t number);

/* All bytes, or a fault. parts is changed. */
MUST_USE int files_write(struct files *files, struct segment *segment, struct iovec *parts, size_t count,
                         uint64_t offset);
MUST_USE int files_allocate(struct files *files, struct segment *segment, uint64_t upto);
MUST_USE int files_sync(struct files *files, struct segment *segment);
/* Makes sure that what is read from here on is what the disk has, and no write that failed and is remembered in memory
 * alone. */
MUST_USE int files_settle(struct files *files, struct segment *segment);
MUST_USE int files_punch(struct files *files, struct segment *segment, uint64_t offset, uint64_t len);
/* Up to len bytes at offset: how many, less only at the file's end; or a fault. */
MUST_USE ssize_t files_read(struct files *files, struct segment *segment, void *into, size_t len, uint64_t offset);

/*
 * Reads and opens the head of a record. *ret_rows (freed by the caller): its rows, RECORD_ROW each, and behind them its
 * marks. SEGMENT_INVALID where none stands there or its segment is gone.
 */
MUST_USE int files_record(struct files *files, uint64_t record, struct record_head *ret_head, uint8_t **ret_rows);

/* The account's place among the rows, or head->recipients where it has none. */
uint32_t files_row_of(const struct record_head *head, const uint8_t *rows, uint64_t account);
bool files_is_marked(const struct record_head *head, const uint8_t *rows, uint32_t row);

/* A walk through one segment, record by record. */
struct files_cursor {
    uint64_t segment;
    uint64_t offset; /* where the last record ended */
    uint32_t before; /* its checksum */
};
void files_walk_start(const struct segment *segment, struct files_cursor *ret_cursor);
/* The next record, as files_record gives it; SEGMENT_INVALID at the segment's end. */
MUST_USE int files_walk(struct files *files, struct files_cursor *cursor, struct record_head *ret_head,
                        uint8_t **ret_rows);
