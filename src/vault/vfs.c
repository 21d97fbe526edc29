#include "vault/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/span.h"
#include "vault/memory.h"
#include "vault/vfsfile.h"

#define VFS_NAME "waxwing"
/* The WAL is written back once it is this long; 16 MiB. A page that changed often meanwhile is written back once. */
#define CHECKPOINT_PAGES "4000"

static sqlite3_vfs sealing_vfs; /* SQLite's list of file systems is the process's own, and so is our entry in it */

static struct {
    vfs_damage_function *function;
    void *arg;
} watcher;

void vfs_watch_damage(vfs_damage_function *function, void *arg)
{
    watcher.function = function;
    watcher.arg = arg;
}

void vfs_note_damage(const struct vfs_file *file)
{
    if (watcher.function != NULL)
        watcher.function(watcher.arg, file->name);
}

static sqlite3_vfs *below(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

/* A second descriptor is harmless here: SQLite's locks, which closing it would drop, are on the database alone. */
static int open_wal(struct vfs_file *file, const char *name)
{
    struct vfs_file *database = (struct vfs_file *)sqlite3_database_file_object(name);
    if (database == NULL || database->seal == NULL)
        return SQLITE_CANTOPEN;
    file->space = open(name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    file->database = database;
    file->seal = database->seal;
    file->base.pMethods = &walfile_methods;
    return SQLITE_OK;
}

/* A database and its WAL. Anything else (journals, temporary files) would be in clear, and is refused. */
static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    struct vfs_file *ours = (struct vfs_file *)file;
    memset(ours, 0, sizeof(*ours));
    ours->space = -1;
    if (name == NULL || (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0)
        return SQLITE_CANTOPEN;
    ours->name = name;
    ours->inner = (sqlite3_file *)(ours + 1);
    int result = below(vfs)->xOpen(below(vfs), name, ours->inner, flags, ret_flags);
    if (result != SQLITE_OK)
        return result;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
        ours->base.pMethods = &databasefile_methods;
        return SQLITE_OK;
    }
    result = open_wal(ours, name);
    if (result != SQLITE_OK)
        (void)ours->inner->pMethods->xClose(ours->inner);
    return result;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    return below(vfs)->xDelete(below(vfs), name, sync_folder);
}

/* There are no rollback journals: one that somebody put there is not looked at. */
static int access_file(sqlite3_vfs *vfs, const char *name, int flags, int *ret_yes)
{
    if (span_ends(span_of_text(name), SPAN("-journal"))) {
        *ret_yes = 0;
        return SQLITE_OK;
    }
    return below(vfs)->xAccess(below(vfs), name, flags, ret_yes);
}

static int full_name(sqlite3_vfs *vfs, const char *name, int room, char *ret_name)
{
    return below(vfs)->xFullPathname(below(vfs), name, room, ret_name);
}

static int randomness(sqlite3_vfs *vfs, int len, char *ret_bytes)
{
    return below(vfs)->xRandomness(below(vfs), len, ret_bytes);
}

static int sleep_for(sqlite3_vfs *vfs, int microseconds)
{
    return below(vfs)->xSleep(below(vfs), microseconds);
}

static int current_time(sqlite3_vfs *vfs, double *ret_days)
{
    return below(vfs)->xCurrentTime(below(vfs), ret_days);
}

static int last_error(sqlite3_vfs *vfs, int room, char *ret_text)
{
    return below(vfs)->xGetLastError(below(vfs), room, ret_text);
}

static int register_once(void)
{
    if (sealing_vfs.zName != NULL)
        return SQLITE_OK;
    memory_use();
    if (sqlite3_initialize() != SQLITE_OK)
        return SQLITE_NOMEM;
    sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");
    if (unix_vfs == NULL)
        return SQLITE_NOMEM;
    sqlite3_vfs vfs = {
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct vfs_file) + unix_vfs->szOsFile,
        .mxPathname = unix_vfs->mxPathname,
        .zName = VFS_NAME,
        .pAppData = unix_vfs,
        .xOpen = open_file,
        .xDelete = delete_file,
        .xAccess = access_file,
        .xFullPathname = full_name,
        .xRandomness = randomness,
        .xSleep = sleep_for,
        .xCurrentTime = current_time,
        .xGetLastError = last_error,
    };
    sealing_vfs = vfs;
    int result = sqlite3_vfs_register(&sealing_vfs, 0);
    if (result != SQLITE_OK)
        sealing_vfs.zName = NULL;
    return result;
}

int vfs_prepare(void)
{
    return vfs_fault(register_once());
}

int vfs_fault(int sqlite_result)
{
    switch (sqlite_result) {
    case SQLITE_IOERR_DATA:
    case SQLITE_IOERR_CORRUPTFS:
        return -EBADMSG;
    case SQLITE_IOERR_NOMEM:
        return -ENOMEM;
    default:
        break;
    }
    switch (sqlite_result & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_PROTOCOL:
        return -EBADMSG;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_TOOBIG:
        return -EFBIG;
    default:
        return -EIO;
    }
}

/* SQLite would make the file with the permissions of the umask; it must be its owner's from the first moment. */
static int make_file(const char *path)
{
    AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : 0;
}

/* The order matters: exclusive before the first look at the file, so that the WAL's index is in our memory. */
static const char set_up[] = "PRAGMA locking_mode=EXCLUSIVE;"
                             "PRAGMA page_size=4096;"
                             "PRAGMA temp_store=MEMORY;"
                             "PRAGMA mmap_size=0;"
                             "PRAGMA trusted_schema=OFF;"
                             "PRAGMA cell_size_check=ON;"
                             "PRAGMA foreign_keys=ON;";
/* The memory journal is for the one page that turning to WAL writes: it never touches the disk. */
static const char turn_to_wal[] = "PRAGMA journal_mode=MEMORY;"
                                  "PRAGMA journal_mode=WAL;"
                                  "PRAGMA synchronous=FULL;"
                                  "PRAGMA wal_autocheckpoint=" CHECKPOINT_PAGES ";";

static int prepare(sqlite3 *database, const uint8_t *key)
{
    uint8_t copy[VFS_KEY_SIZE];
    memcpy(copy, key, sizeof(copy));
    int result = sqlite3_file_control(database, "main", VFS_CONTROL_KEY, copy);
    explicit_bzero(copy, sizeof(copy));
    if (result != SQLITE_OK)
        return vfs_fault(result);
    result = sqlite3_exec(database, set_up, NULL, NULL, NULL);
    if (result != SQLITE_OK)
        return vfs_fault(sqlite3_extended_errcode(database));
    int reserved = VFS_RESERVED;
    (void)sqlite3_file_control(database, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    result = sqlite3_exec(database, turn_to_wal, NULL, NULL, NULL);
    return result == SQLITE_OK ? 0 : vfs_fault(sqlite3_extended_errcode(database));
}

int vfs_open(const char *path, const uint8_t key[VFS_KEY_SIZE], struct sqlite3 **ret_database)
{
    int result = vfs_fault(register_once());
    if (result == 0)
        result = make_file(path);
    if (result != 0)
        return result;
    sqlite3 *database = NULL;
    int opened =
        sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, VFS_NAME);
    if (database == NULL)
        return -ENOMEM;
    (void)sqlite3_extended_result_codes(database, 1);
    result = opened == SQLITE_OK ? prepare(database, key) : vfs_fault(sqlite3_extended_errcode(database));
    if (result != 0) {
        (void)sqlite3_close(database);
        return result;
    }
    *ret_database = database;
    return 0;
}

int vfs_checkpoint(struct sqlite3 *database)
{
    int result = sqlite3_wal_checkpoint_v2(database, "main", SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    return vfs_fault(result);
}

uint64_t vfs_wal_frames(struct sqlite3 *database)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file == NULL)
        return UINT64_MAX;
    return ((struct vfs_file *)file)->frames;
}
