#include "vault/vfsfile.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int vfsfile_sync(sqlite3_file *file, int flags)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    return ours->inner->pMethods->xSync(ours->inner, flags);
}

int vfsfile_lock(sqlite3_file *file, int level)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    return ours->inner->pMethods->xLock(ours->inner, level);
}

int vfsfile_unlock(sqlite3_file *file, int level)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    return ours->inner->pMethods->xUnlock(ours->inner, level);
}

int vfsfile_check_reserved_lock(sqlite3_file *file, int *ret_held)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    return ours->inner->pMethods->xCheckReservedLock(ours->inner, ret_held);
}

int vfsfile_sector_size(sqlite3_file *file)
{
    (void)file;
    return VFS_PAGE_SIZE;
}

int vfsfile_device(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* else SQLite pads the WAL to whole sectors at every commit */
}

int vfsfile_close(sqlite3_file *file)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    if (ours->database == NULL)
        pageseal_free(ours->seal);
    if (ours->space >= 0)
        (void)close(ours->space);
    ours->seal = NULL;
    return ours->inner->pMethods->xClose(ours->inner);
}

/*
 * The reserved bytes read back as zero. SQLite's checksums in the WAL cover them, and it keeps them zero itself; would
 * it ever not, the frame could not be recovered, so that an error now is better than a lost transaction later.
 */
int vfsfile_page_close(struct vfs_file *file, struct pageseal_place place, const uint8_t *page, uint8_t *ret_sealed)
{
    static const uint8_t zeros[VFS_RESERVED];
    if (memcmp(page + VFS_BODY, zeros, VFS_RESERVED) != 0)
        return SQLITE_IOERR_WRITE;
    if (pageseal_close(file->seal, place, page, VFS_BODY, ret_sealed, ret_sealed + VFS_BODY) != 0)
        return SQLITE_IOERR_WRITE;
    memset(ret_sealed + VFS_BODY + PAGESEAL_OVERHEAD, 0, VFS_RESERVED - PAGESEAL_OVERHEAD);
    return SQLITE_OK;
}

int vfsfile_page_open(struct vfs_file *file, struct pageseal_place place, uint8_t *page)
{
    static const uint8_t zeros[VFS_RESERVED - PAGESEAL_OVERHEAD];
    int result = pageseal_open(file->seal, place, page, VFS_BODY, page + VFS_BODY);
    if (memcmp(page + VFS_BODY + PAGESEAL_OVERHEAD, zeros, sizeof(zeros)) != 0) {
        memset(page, 0, VFS_BODY);
        result = -EBADMSG;
    }
    memset(page + VFS_BODY, 0, VFS_RESERVED);
    return result == 0 ? SQLITE_OK : SQLITE_IOERR_DATA;
}
