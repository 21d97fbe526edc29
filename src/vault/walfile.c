#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vault/walentry.h"

/*
 * The WAL as SQLite writes and reads it: a header of 32 bytes, then frames of 24 bytes and a page, at places that
 * follow from their numbers. How they stand on disk is walentry.c's matter.
 */
#define FRAME (WAL_HEADER + VFS_PAGE_SIZE)

/* A header that no page follows is new for a frame that is there already. */
static int settle(struct vfs_file *file)
{
    struct walfile *wal = &file->wal;
    int result = walentry_scan(file);
    if (result != SQLITE_OK || !wal->is_held)
        return result;
    wal->is_held = false;
    if (wal->held >= wal->count)
        return SQLITE_OK;
    uint8_t page[VFS_PAGE_SIZE];
    result = walentry_read_page(file, wal->held, page);
    return result == SQLITE_OK ? walentry_write(file, wal->held, wal->header, page) : result;
}

static int write_page(struct vfs_file *file, uint32_t frame, const uint8_t *page)
{
    struct walfile *wal = &file->wal;
    if (wal->is_held && wal->held == frame) {
        wal->is_held = false;
        if (frame < wal->count) /* from here on anew: it was rolled back, or not committed before a crash */
            walentry_cut(wal, frame);
        return walentry_write(file, frame, wal->header, page);
    }
    /* Overwritten within its transaction, as it did not fit into memory: SQLite's new headers follow. */
    uint8_t slot[WAL_SLOT];
    int result = settle(file);
    if (result == SQLITE_OK)
        result = walentry_read_header(file, frame, slot);
    return result == SQLITE_OK ? walentry_write(file, frame, slot, page) : result;
}

/* --- what SQLite calls --- */

/* A piece of what SQLite sees: the start, a frame's header or a frame's page, and the bytes of it that are asked for.
 */
struct piece {
    bool is_start;
    bool is_page;
    uint32_t frame;
    size_t size;
    size_t from;
    size_t len;
};

static struct piece piece_at(sqlite3_int64 offset, size_t wanted)
{
    struct piece piece = {.is_start = true, .size = WAL_START, .from = (size_t)offset};
    if (offset >= WAL_START) {
        size_t within = (size_t)((uint64_t)(offset - WAL_START) % FRAME);
        piece.is_start = false;
        piece.is_page = within >= WAL_HEADER;
        piece.frame = (uint32_t)((uint64_t)(offset - WAL_START) / FRAME);
        piece.size = piece.is_page ? VFS_PAGE_SIZE : WAL_HEADER;
        piece.from = piece.is_page ? within - WAL_HEADER : within;
    }
    piece.len = piece.size - piece.from < wanted ? piece.size - piece.from : wanted;
    return piece;
}

static int read_piece(struct vfs_file *file, const struct piece *piece, uint8_t *ret_bytes)
{
    uint8_t part[VFS_PAGE_SIZE];
    uint8_t *bytes = piece->len == VFS_PAGE_SIZE ? ret_bytes : part;
    int result;
    if (piece->is_start)
        result = walentry_read_start(file, bytes);
    else
        result = piece->is_page ? walentry_read_page(file, piece->frame, bytes)
                                : walentry_read_header(file, piece->frame, bytes);
    if (result != SQLITE_OK)
        memset(ret_bytes, 0, piece->len);
    else if (bytes != ret_bytes)
        memcpy(ret_bytes, bytes + piece->from, piece->len);
    return result;
}

/*
 * SQLite reads the start alone and frames with their headers only while it recovers, and looks at all of it with
 * suspicion: there, what cannot be opened reads as zeros, which is no frame, so that the log ends before it. It reads
 * pages alone when it knows that they are good: there, damage is damage.
 */
static int wal_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 offset)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    uint8_t *at = bytes;
    bool recovering = offset == 0 || len == FRAME;
    int outcome = settle(ours);
    if (outcome != SQLITE_OK)
        return outcome;
    for (size_t rest = (size_t)len; rest > 0;) {
        struct piece piece = piece_at(offset, rest);
        int result = read_piece(ours, &piece, at);
        if (result != SQLITE_OK && outcome == SQLITE_OK && !(recovering && result == SQLITE_IOERR_DATA))
            outcome = result;
        at += piece.len;
        rest -= piece.len;
        offset += (sqlite3_int64)piece.len;
    }
    return outcome;
}

static int write_piece(struct vfs_file *file, const struct piece *piece, const uint8_t *bytes)
{
    if (piece->from != 0 || piece->len != piece->size)
        return SQLITE_IOERR_WRITE;
    if (piece->is_page)
        return write_page(file, piece->frame, bytes);
    int result = settle(file);
    if (result != SQLITE_OK || piece->is_start)
        return result == SQLITE_OK ? walentry_write_start(file, bytes) : result;
    file->wal.is_held = true;
    file->wal.held = piece->frame;
    memcpy(file->wal.header, bytes, WAL_HEADER);
    return SQLITE_OK;
}

static int wal_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    const uint8_t *at = bytes;
    for (size_t rest = (size_t)len; rest > 0;) {
        struct piece piece = piece_at(offset, rest);
        int result = write_piece(ours, &piece, at);
        if (result != SQLITE_OK)
            return result;
        at += piece.len;
        rest -= piece.len;
        offset += (sqlite3_int64)piece.len;
    }
    return SQLITE_OK;
}

/* What is durable is not written to again: a block torn by a crash holds nothing that was. */
static int wal_sync(sqlite3_file *file, int flags)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    int result = settle(ours);
    if (result == SQLITE_OK)
        result = vfsfile_sync(file, flags);
    ours->wal.end = walentry_round_up(ours->wal.end);
    free(ours->wal.packer);
    ours->wal.packer = NULL;
    return result;
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    int result = settle(ours);
    if (result != SQLITE_OK)
        return result;
    if (size >= WAL_START) { /* only fewer frames: what is behind them is overwritten */
        uint64_t frames = (uint64_t)(size - WAL_START) / FRAME;
        if (frames < ours->wal.count)
            walentry_cut(&ours->wal, (uint32_t)frames);
        return SQLITE_OK;
    }
    walentry_clear(&ours->wal);
    ours->wal.has_start = false;
    ours->wal.end = WAL_SLOT;
    ours->reserved = 0;
    return ours->inner->pMethods->xTruncate(ours->inner, 0);
}

static int wal_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    int result = settle(ours);
    if (result == SQLITE_OK)
        *ret_size = ours->wal.has_start ? WAL_START + (sqlite3_int64)ours->wal.count * FRAME : 0;
    return result;
}

static int wal_close(sqlite3_file *file)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    walentry_clear(&ours->wal);
    free(ours->wal.packer);
    ours->wal.packer = NULL;
    return vfsfile_close(file);
}

static int control(sqlite3_file *file, int operation, void *argument)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    if (operation == SQLITE_FCNTL_SIZE_HINT || operation == SQLITE_FCNTL_MMAP_SIZE)
        return SQLITE_NOTFOUND;
    return ours->inner->pMethods->xFileControl(ours->inner, operation, argument);
}

const sqlite3_io_methods walfile_methods = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_size,
    .xLock = vfsfile_lock,
    .xUnlock = vfsfile_unlock,
    .xCheckReservedLock = vfsfile_check_reserved_lock,
    .xFileControl = control,
    .xSectorSize = vfsfile_sector_size,
    .xDeviceCharacteristics = vfsfile_device,
};
