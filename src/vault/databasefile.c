#include <string.h>

#include "base/bytes.h"
#include "crypto/secret.h"
#include "vault/vfsfile.h"

/* The first block: 8 magic, 4 version, 4 page size, 16 id, 28 mark over the page that it is. */
#define FIRST_SIZE VFS_PAGE_SIZE
#define AT_VERSION 8
#define AT_PAGE_SIZE 12
#define AT_ID 16
#define AT_MARK 32
#define VERSION 1

static const char magic[8] = "waxvault";

static int first_make(struct vfs_file *file, const uint8_t *key)
{
    uint8_t *block = file->scratch;
    memset(block, 0, FIRST_SIZE);
    memcpy(block, magic, sizeof(magic));
    bytes_put_u32(block + AT_VERSION, VERSION);
    bytes_put_u32(block + AT_PAGE_SIZE, VFS_PAGE_SIZE);
    random_bytes(block + AT_ID, PAGESEAL_ID_SIZE);
    if (pageseal_new(key, block + AT_ID, &file->seal) != 0)
        return SQLITE_NOMEM;
    const struct pageseal_place place = {PAGESEAL_FILE, 0};
    if (pageseal_close(file->seal, place, block, 0, block, block + AT_MARK) != 0)
        return SQLITE_IOERR;
    int result = file->inner->pMethods->xTruncate(file->inner, 0);
    if (result == SQLITE_OK)
        result = file->inner->pMethods->xWrite(file->inner, block, FIRST_SIZE, 0);
    /* No page may be on disk before the block that its key comes from. */
    return result != SQLITE_OK ? result : file->inner->pMethods->xSync(file->inner, SQLITE_SYNC_NORMAL);
}

static int first_check(struct vfs_file *file, const uint8_t *key)
{
    uint8_t *block = file->scratch;
    int result = file->inner->pMethods->xRead(file->inner, block, FIRST_SIZE, 0);
    if (result != SQLITE_OK)
        return result;
    if (memcmp(block, magic, sizeof(magic)) != 0 || bytes_get_u32(block + AT_VERSION) != VERSION ||
        bytes_get_u32(block + AT_PAGE_SIZE) != VFS_PAGE_SIZE)
        return SQLITE_NOTADB;
    if (pageseal_new(key, block + AT_ID, &file->seal) != 0)
        return SQLITE_NOMEM;
    const struct pageseal_place place = {PAGESEAL_FILE, 0};
    return pageseal_open(file->seal, place, block, 0, block + AT_MARK) == 0 ? SQLITE_OK : SQLITE_NOTADB;
}

/* A file shorter than its first block is one whose making was cut short: it never held a page. */
static int take_key(struct vfs_file *file, const uint8_t *key)
{
    sqlite3_int64 size = 0;
    int result = file->inner->pMethods->xFileSize(file->inner, &size);
    if (result != SQLITE_OK)
        return result;
    result = size < FIRST_SIZE ? first_make(file, key) : first_check(file, key);
    if (result != SQLITE_OK) {
        pageseal_free(file->seal);
        file->seal = NULL;
    }
    return result;
}

static int control(sqlite3_file *file, int operation, void *argument)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    switch (operation) {
    case VFS_CONTROL_KEY:
        return ours->seal != NULL ? SQLITE_MISUSE : take_key(ours, argument);
    case SQLITE_FCNTL_SIZE_HINT: {
        sqlite3_int64 size = *(sqlite3_int64 *)argument + FIRST_SIZE;
        return ours->inner->pMethods->xFileControl(ours->inner, operation, &size);
    }
    case SQLITE_FCNTL_MMAP_SIZE: /* what is mapped cannot be opened on the way */
        return SQLITE_NOTFOUND;
    default:
        return ours->inner->pMethods->xFileControl(ours->inner, operation, argument);
    }
}

static int read_page(struct vfs_file *file, uint64_t number, uint8_t *page)
{
    int result = file->inner->pMethods->xRead(file->inner, page, VFS_PAGE_SIZE,
                                              FIRST_SIZE + (sqlite3_int64)number * VFS_PAGE_SIZE);
    if (result != SQLITE_OK)
        memset(page, 0, VFS_PAGE_SIZE);
    else
        result = vfsfile_page_open(file, (struct pageseal_place){PAGESEAL_PAGE, number}, page);
    if (result != SQLITE_OK && result != SQLITE_IOERR_SHORT_READ) /* which an empty database has */
        vfs_note_damage(file);
    return result;
}

/* Whole pages, or a part of one (SQLite looks at the first hundred bytes, and at the change counter, by themselves). */
static int database_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 offset)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    if (ours->seal == NULL) { /* SQLite's glance at the header while it opens: it asks again later */
        memset(bytes, 0, (size_t)len);
        return SQLITE_IOERR_SHORT_READ;
    }
    uint64_t number = (uint64_t)offset / VFS_PAGE_SIZE;
    size_t within = (size_t)offset % VFS_PAGE_SIZE;
    if (within == 0 && len == VFS_PAGE_SIZE)
        return read_page(ours, number, bytes);
    if (within + (size_t)len > VFS_PAGE_SIZE)
        return SQLITE_IOERR_READ;
    int result = read_page(ours, number, ours->scratch);
    memcpy(bytes, ours->scratch + within, (size_t)len);
    return result;
}

static int database_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    if (ours->seal == NULL || len != VFS_PAGE_SIZE || offset % VFS_PAGE_SIZE != 0)
        return SQLITE_IOERR_WRITE;
    const struct pageseal_place place = {PAGESEAL_PAGE, (uint64_t)offset / VFS_PAGE_SIZE};
    int result = vfsfile_page_close(ours, place, bytes, ours->scratch);
    if (result != SQLITE_OK)
        return result;
    return ours->inner->pMethods->xWrite(ours->inner, ours->scratch, VFS_PAGE_SIZE, FIRST_SIZE + offset);
}

static int database_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    return ours->inner->pMethods->xTruncate(ours->inner, FIRST_SIZE + size);
}

static int database_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    int result = ours->inner->pMethods->xFileSize(ours->inner, ret_size);
    if (result == SQLITE_OK)
        *ret_size = *ret_size < FIRST_SIZE ? 0 : *ret_size - FIRST_SIZE;
    return result;
}

/* Version 1: no shared memory, no mapping. */
const sqlite3_io_methods databasefile_methods = {
    .iVersion = 1,
    .xClose = vfsfile_close,
    .xRead = database_read,
    .xWrite = database_write,
    .xTruncate = database_truncate,
    .xSync = vfsfile_sync,
    .xFileSize = database_size,
    .xLock = vfsfile_lock,
    .xUnlock = vfsfile_unlock,
    .xCheckReservedLock = vfsfile_check_reserved_lock,
    .xFileControl = control,
    .xSectorSize = vfsfile_sector_size,
    .xDeviceCharacteristics = vfsfile_device,
};
