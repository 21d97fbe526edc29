#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "vault/pageseal.h"
#include "vault/vfs.h"

/*
 * What SQLite holds as an open file: ours, with the unix VFS's own file behind it in the same block. Methods of the
 * database file stand in databasefile.c, those of the WAL in walfile.c.
 *
 * On disk the database file is one block that names the file (magic, version, page size, id, mark), followed by the
 * pages. The WAL has a slot for its header, then packed frames one after another.
 */
#define VFS_RESERVED 32 /* bytes SQLite leaves us at the end of each page */
#define VFS_BODY (VFS_PAGE_SIZE - VFS_RESERVED)

/* Of a WAL: where its frames stand on disk (walfile.c). */
struct walfile {
    uint64_t *places; /* by frame, from 0 */
    size_t count;
    size_t room;
    uint64_t end;      /* where the next entry goes */
    uint64_t sequence; /* of the last entry */
    uint32_t salt;     /* of SQLite's present use of the file */
    bool is_scanned;
    bool has_start;
    bool is_held; /* a frame's header waits for its page */
    uint32_t held;
    uint8_t header[24];
    void *packer; /* NULL where none is needed */
};

struct vfs_file {
    sqlite3_file base;
    sqlite3_file *inner;
    const char *name;          /* SQLite's, as long as it is open */
    struct pageseal *seal;     /* NULL before the key is known; the WAL borrows its database's */
    struct vfs_file *database; /* of a WAL */
    int space;                 /* of a WAL: a descriptor to reserve space with, or -1 */
    int64_t reserved;          /* of a WAL: how far */
    uint64_t frames;           /* of a database: how many its WAL holds */
    struct walfile wal;
    uint8_t scratch[VFS_PAGE_SIZE + 64];
};

/* sqlite3_file_control: the argument is the key; makes or checks the first block. */
#define VFS_CONTROL_KEY 0x57585731

extern const sqlite3_io_methods databasefile_methods;
extern const sqlite3_io_methods walfile_methods;

/* Both kinds of file do these alike. */
int vfsfile_sync(sqlite3_file *file, int flags);
int vfsfile_lock(sqlite3_file *file, int level);
int vfsfile_unlock(sqlite3_file *file, int level);
int vfsfile_check_reserved_lock(sqlite3_file *file, int *ret_held);
int vfsfile_sector_size(sqlite3_file *file);
int vfsfile_device(sqlite3_file *file);
int vfsfile_close(sqlite3_file *file);

/* Seals or opens a whole page; SQLite result codes. What SQLite must not have put there is refused. */
int vfsfile_page_close(struct vfs_file *file, struct pageseal_place place, const uint8_t *page, uint8_t *ret_sealed);
int vfsfile_page_open(struct vfs_file *file, struct pageseal_place place, uint8_t *page);

/* vfs.c: somebody may want to know. */
void vfs_note_damage(const struct vfs_file *file);
