#pragma once

#include <stdint.h>

#include "base/result.h"

struct sqlite3;

/*
 * SQLite databases that are unreadable on disk. A shim above SQLite's unix VFS seals every page of the database and
 * of its WAL with AES-256-GCM (tag and nonce stand in the 32 bytes SQLite reserves at the end of each page), and the
 * headers of the WAL as well. The page number and the file's own key, derived from `key` and a random id that stands
 * in the file, are bound in: a page altered, moved, taken from another file, or cut off is noticed. An older version
 * of the same page of the same file is not.
 *
 * A torn or damaged tail of the WAL reads as the end of the log, as after a crash, and is dropped; a damaged page of
 * the database itself makes statements fail with SQLITE_IOERR_DATA, for which vfs_fault() says -EBADMSG.
 *
 * Opened with exclusive locking, WAL, synchronous=FULL, temporary tables in memory, foreign keys on: one process
 * at a time, and no file beside `path` and `path`-wal. The connection is closed with sqlite3_close().
 *
 * Creates the database where there is none (mode 0600); the folder must exist. Faults: -EBADMSG wrong key or damaged;
 * -EBUSY open in another process; -ENOENT, -EACCES, -ENOSPC, -ENOMEM, -EIO as usual.
 */
#define VFS_KEY_SIZE 32
#define VFS_PAGE_SIZE 4096

MUST_USE int vfs_prepare(void); /* what the first vfs_open would do once */
MUST_USE int vfs_open(const char *path, const uint8_t key[VFS_KEY_SIZE], struct sqlite3 **ret_database);

/* The negative errno that an SQLite result code (the extended one) of such a database stands for; 0 for SQLITE_OK. */
int vfs_fault(int sqlite_result);

/*
 * Writes the WAL back into the database, for a quiet moment. The WAL is started anew afterwards, its space is kept.
 */
MUST_USE int vfs_checkpoint(struct sqlite3 *database);

/* Called from now on whenever a page of one of this process's databases could not be read or opened, from within
 * whatever read it: it must touch none of them. One at a time, kept by reference; NULL: none. */
typedef void vfs_damage_function(void *arg, const char *path);
void vfs_watch_damage(vfs_damage_function *function, void *arg);

/* How long the WAL is, in pages, as far as it was read or written since the database was opened. */
uint64_t vfs_wal_frames(struct sqlite3 *database);
