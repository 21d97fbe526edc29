#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "vault/vfsfile.h"

/*
 * The WAL as SQLite sees it: a header of 32 bytes, then frames of 24 bytes and a page. On disk each of the three is
 * followed by its mark:
 *
 *   start   32 sealed + 28 mark + 4 zero                      = 64
 *   frame   24 sealed + 28 mark + 12 zero, then a sealed page = 64 + 4096
 */
#define START 32
#define HEADER 24
#define FRAME (HEADER + VFS_PAGE_SIZE)
#define SLOT 64
#define DISK_FRAME (SLOT + VFS_PAGE_SIZE)
#define GROW (256 * 1024) /* space is reserved in such steps, so that few commits change the file's size */

/* A piece of the WAL: the start, a frame's header, or a frame's page, and the bytes of it that are asked for. */
struct piece {
    struct pageseal_place place;
    sqlite3_int64 disk;
    size_t size;
    size_t from;
    size_t len;
};

static struct piece piece_at(sqlite3_int64 offset, size_t wanted)
{
    struct piece piece = {{PAGESEAL_WAL_START, 0}, 0, START, (size_t)offset, 0};
    if (offset >= START) {
        uint64_t frame = (uint64_t)(offset - START) / FRAME;
        size_t within = (size_t)((uint64_t)(offset - START) % FRAME);
        piece.disk = SLOT + (sqlite3_int64)frame * DISK_FRAME;
        if (within < HEADER) {
            piece.place = (struct pageseal_place){PAGESEAL_WAL_FRAME, frame};
            piece.size = HEADER;
            piece.from = within;
        } else {
            piece.place = (struct pageseal_place){PAGESEAL_WAL_PAGE, frame};
            piece.disk += SLOT;
            piece.size = VFS_PAGE_SIZE;
            piece.from = within - HEADER;
        }
    }
    piece.len = piece.size - piece.from < wanted ? piece.size - piece.from : wanted;
    return piece;
}

static size_t disk_len(const struct piece *piece)
{
    return piece->size == VFS_PAGE_SIZE ? VFS_PAGE_SIZE : SLOT;
}

static int open_piece(struct vfs_file *file, const struct piece *piece, uint8_t *bytes)
{
    if (piece->size == VFS_PAGE_SIZE)
        return vfsfile_page_open(file, piece->place, bytes);
    return pageseal_open(file->seal, piece->place, bytes, piece->size, bytes + piece->size) == 0 ? SQLITE_OK
                                                                                                 : SQLITE_IOERR_DATA;
}

/* A start that is written anew begins the log again. */
static void count_frames(struct vfs_file *file, const struct piece *piece)
{
    uint64_t *frames = &file->database->frames;
    if (piece->place.kind == PAGESEAL_WAL_START)
        *frames = 0;
    else if (piece->place.number >= *frames)
        *frames = piece->place.number + 1;
}

static int read_piece(struct vfs_file *file, const struct piece *piece, uint8_t *ret_bytes)
{
    uint8_t *bytes = piece->len == VFS_PAGE_SIZE ? ret_bytes : file->scratch;
    int result = file->inner->pMethods->xRead(file->inner, bytes, (int)disk_len(piece), piece->disk);
    if (result == SQLITE_OK)
        result = open_piece(file, piece, bytes);
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
    int outcome = SQLITE_OK;
    for (size_t rest = (size_t)len; rest > 0;) {
        struct piece piece = piece_at(offset, rest);
        int result = read_piece(ours, &piece, at);
        if (result == SQLITE_OK && piece.place.kind == PAGESEAL_WAL_PAGE)
            count_frames(ours, &piece);
        if (result != SQLITE_OK && outcome == SQLITE_OK && !(recovering && result == SQLITE_IOERR_DATA))
            outcome = result;
        at += piece.len;
        rest -= piece.len;
        offset += (sqlite3_int64)piece.len;
    }
    return outcome;
}

/*
 * Where space is short, the write itself says so. SQLite's own way to reserve would, as Debian builds it, write into
 * every block, so that the disk is written twice.
 */
static void reserve(struct vfs_file *file, sqlite3_int64 end)
{
    if (end <= file->reserved || file->space < 0)
        return;
    sqlite3_int64 size = (end + GROW - 1) / GROW * GROW;
    if (fallocate(file->space, 0, file->reserved, size - file->reserved) == 0)
        file->reserved = size;
}

static int write_piece(struct vfs_file *file, const struct piece *piece, const uint8_t *bytes)
{
    if (piece->from != 0 || piece->len != piece->size)
        return SQLITE_IOERR_WRITE;
    uint8_t *sealed = file->scratch;
    if (piece->size == VFS_PAGE_SIZE) {
        int result = vfsfile_page_close(file, piece->place, bytes, sealed);
        if (result != SQLITE_OK)
            return result;
    } else {
        memset(sealed, 0, SLOT);
        if (pageseal_close(file->seal, piece->place, bytes, piece->size, sealed, sealed + piece->size) != 0)
            return SQLITE_IOERR_WRITE;
    }
    reserve(file, piece->disk + (sqlite3_int64)disk_len(piece));
    count_frames(file, piece);
    return file->inner->pMethods->xWrite(file->inner, sealed, (int)disk_len(piece), piece->disk);
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

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    sqlite3_int64 disk = size < START ? 0 : SLOT + (size - START) / FRAME * DISK_FRAME;
    int result = ours->inner->pMethods->xTruncate(ours->inner, disk);
    ours->reserved = 0;
    return result;
}

/* Whole frames only: what a crash left half written is none. */
static int wal_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    sqlite3_int64 disk = 0;
    int result = ours->inner->pMethods->xFileSize(ours->inner, &disk);
    if (result == SQLITE_OK)
        *ret_size = disk < SLOT ? 0 : START + (disk - SLOT) / DISK_FRAME * FRAME;
    return result;
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
    .xClose = vfsfile_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = vfsfile_sync,
    .xFileSize = wal_size,
    .xLock = vfsfile_lock,
    .xUnlock = vfsfile_unlock,
    .xCheckReservedLock = vfsfile_check_reserved_lock,
    .xFileControl = control,
    .xSectorSize = vfsfile_sector_size,
    .xDeviceCharacteristics = vfsfile_device,
};
