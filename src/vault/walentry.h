#pragma once

#include "vault/vfsfile.h"

/*
 * Frames of a WAL on disk, packed and sealed, one after another (walentry.c). Results are SQLite's; frames count from
 * 0. SQLITE_IOERR_DATA: what is there was not written so, or not to its end; SQLITE_IOERR_SHORT_READ: no such frame.
 */
#define WAL_START 32  /* SQLite's header of the whole file */
#define WAL_HEADER 24 /* and that of a frame */
#define WAL_SLOT 64   /* room to read either into, with what belongs to it on disk */

/* Finds the entries a crash has left, once. SQLITE_NOTADB: a WAL of an older format. Before anything else. */
int walentry_scan(struct vfs_file *file);

int walentry_read_start(struct vfs_file *file, uint8_t ret_start[WAL_SLOT]);
int walentry_read_header(struct vfs_file *file, uint32_t frame, uint8_t ret_header[WAL_SLOT]);
int walentry_read_page(struct vfs_file *file, uint32_t frame, uint8_t ret_page[VFS_PAGE_SIZE]);

/* Begins the file anew. */
int walentry_write_start(struct vfs_file *file, const uint8_t *start);
/* The next frame, or another in the place of one that is there. */
int walentry_write(struct vfs_file *file, uint32_t frame, const uint8_t *header, const uint8_t *page);

/* This frame and those behind it are there no more. */
void walentry_cut(struct walfile *wal, uint32_t frame);
void walentry_clear(struct walfile *wal);

/* Up to the next block on disk, where what comes after a sync begins. */
uint64_t walentry_round_up(uint64_t offset);
