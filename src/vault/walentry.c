#include "vault/walentry.h"

#include <fcntl.h>
#include <lz4.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/span.h"

/*
 * SQLite writes a whole page into the WAL wherever a row was added to it, and most of that page is empty or was there
 * before. So pages are packed (LZ4), and entries follow one another without gaps, but for one: what comes after a sync
 * begins on a block of its own, so that no write touches what is durable:
 *
 *   start   32 sealed + 28 mark + 4 zero                                                = 64
 *   entry   header (24), sequence (6), frame (4), packed length (2) sealed + 28 mark    = 64, then
 *           the page, packed where that makes it shorter, sealed + 28 mark
 *
 * So an entry's place does not follow from its frame's number: a table in memory has it, made anew by reading the
 * entries one after another. An entry is written once and never again. Where SQLite overwrites a frame, the new entry
 * comes last, and counts; sequences rise, so that nothing left over from an earlier use of the space is taken for one.
 */
#define AT_SEQUENCE 24
#define AT_FRAME 30
#define AT_LENGTH 34
#define ENTRY 36 /* of it sealed */
#define BLOCK 4096
#define FORMAT 1          /* bound into the start; 0 had unpacked frames at fixed places */
#define GROW (256 * 1024) /* space is reserved in such steps, so that few commits change the file's size */
#define LENGTH_BITS 13    /* of a place in the table */
#define SEQUENCE_GAP 24   /* bits: more entries than those that a crash may have left unread */
#define AT_SALT 16        /* in SQLite's header: one more each time the WAL is begun anew */
#define OFFSET_BITS 44    /* of an entry's bound place; the salt's low bits are above them */

_Static_assert(ENTRY + PAGESEAL_OVERHEAD == WAL_SLOT, "an entry's head fills its slot");

uint64_t walentry_round_up(uint64_t value)
{
    return (value + BLOCK - 1) / BLOCK * BLOCK;
}

static uint64_t place_of(uint64_t offset, size_t length)
{
    return offset << LENGTH_BITS | length;
}

static uint64_t place_offset(uint64_t place)
{
    return place >> LENGTH_BITS;
}

static size_t place_length(uint64_t place)
{
    return place & ((1U << LENGTH_BITS) - 1);
}

static uint64_t place_end(uint64_t place)
{
    return place_offset(place) + WAL_SLOT + place_length(place) + PAGESEAL_OVERHEAD;
}

static void put_sequence(uint8_t *at, uint64_t sequence)
{
    bytes_put_u16(at, (uint16_t)(sequence >> 32));
    bytes_put_u32(at + 2, (uint32_t)sequence);
}

static uint64_t get_sequence(const uint8_t *at)
{
    return (uint64_t)bytes_get_u16(at) << 32 | bytes_get_u32(at + 2);
}

/* Bound to where it stands and to this use of the file. SQLite's own salts are missing while it rewrites frames. */
static struct pageseal_place bound_to(const struct walfile *wal, enum pageseal_kind kind, uint64_t offset)
{
    return (struct pageseal_place){kind, (uint64_t)wal->salt << OFFSET_BITS | offset};
}

/* What ends before all of it was read is damaged like any other. */
static int read_disk(struct vfs_file *file, uint8_t *bytes, size_t len, uint64_t offset)
{
    int result = file->inner->pMethods->xRead(file->inner, bytes, (int)len, (sqlite3_int64)offset);
    return result == SQLITE_IOERR_SHORT_READ ? SQLITE_IOERR_DATA : result;
}

static int open_slot(struct vfs_file *file, struct pageseal_place place, uint8_t *slot, size_t len)
{
    return pageseal_open(file->seal, place, slot, len, slot + len) == 0 ? SQLITE_OK : SQLITE_IOERR_DATA;
}

/* --- the table of frames --- */

static int table_put(struct walfile *wal, uint32_t frame, uint64_t place)
{
    uint64_t *more = mem_grow(wal->places, frame, &wal->room, sizeof(*more));
    if (more == NULL)
        return SQLITE_IOERR_NOMEM;
    wal->places = more;
    wal->places[frame] = place;
    if (frame == wal->count)
        wal->count++;
    return SQLITE_OK;
}

void walentry_clear(struct walfile *wal)
{
    free(wal->places);
    wal->places = NULL;
    wal->count = 0;
    wal->room = 0;
}

/* What comes next may write over them, but over nothing that the frames before it stand in. */
void walentry_cut(struct walfile *wal, uint32_t frame)
{
    uint64_t end = WAL_SLOT;
    for (uint32_t i = 0; i < frame; i++)
        if (place_end(wal->places[i]) > end)
            end = place_end(wal->places[i]);
    wal->count = frame;
    wal->end = walentry_round_up(end);
}

static int scan_start(struct vfs_file *file)
{
    struct walfile *wal = &file->wal;
    uint8_t slot[WAL_SLOT];
    int result = read_disk(file, slot, WAL_SLOT, 0);
    if (result != SQLITE_OK)
        return result == SQLITE_IOERR_DATA ? SQLITE_OK : result;
    uint8_t copy[WAL_SLOT];
    memcpy(copy, slot, WAL_SLOT);
    if (open_slot(file, (struct pageseal_place){PAGESEAL_WAL_START, FORMAT}, slot, WAL_START) == SQLITE_OK) {
        wal->salt = bytes_get_u32(slot + AT_SALT);
        wal->has_start = true;
        return SQLITE_OK;
    }
    /* To take it for an empty one would lose what it holds. */
    int older = open_slot(file, (struct pageseal_place){PAGESEAL_WAL_START, 0}, copy, WAL_START);
    return older == SQLITE_OK ? SQLITE_NOTADB : SQLITE_OK;
}

/* Takes the entry at *at into the table and moves behind it. SQLITE_IOERR_DATA: there is none that counts. */
static int scan_entry(struct vfs_file *file, uint64_t *at)
{
    struct walfile *wal = &file->wal;
    uint8_t slot[WAL_SLOT];
    int result = read_disk(file, slot, WAL_SLOT, *at);
    if (result == SQLITE_OK)
        result = open_slot(file, bound_to(wal, PAGESEAL_WAL_FRAME, *at), slot, ENTRY);
    if (result != SQLITE_OK)
        return result;
    uint64_t sequence = get_sequence(slot + AT_SEQUENCE);
    uint32_t frame = bytes_get_u32(slot + AT_FRAME);
    size_t length = bytes_get_u16(slot + AT_LENGTH);
    if (sequence <= wal->sequence || frame > wal->count || length == 0 || length > VFS_BODY)
        return SQLITE_IOERR_DATA;
    uint64_t place = place_of(*at, length);
    result = table_put(wal, frame, place);
    if (result == SQLITE_OK) {
        wal->sequence = sequence;
        *at = place_end(place);
    }
    return result;
}

/* What a crash left: entries up to the first place where there is none, neither there nor at the next block. */
int walentry_scan(struct vfs_file *file)
{
    struct walfile *wal = &file->wal;
    if (wal->is_scanned)
        return SQLITE_OK;
    uint64_t at = WAL_SLOT;
    int result = scan_start(file);
    if (result == SQLITE_OK && wal->has_start) {
        while (result == SQLITE_OK) {
            result = scan_entry(file, &at);
            if (result == SQLITE_IOERR_DATA && at % BLOCK != 0) {
                uint64_t next = walentry_round_up(at);
                result = scan_entry(file, &next);
                at = result == SQLITE_OK ? next : at;
            }
        }
        result = result == SQLITE_IOERR_DATA ? SQLITE_OK : result;
    }
    wal->end = walentry_round_up(at);
    wal->sequence += UINT64_C(1) << SEQUENCE_GAP;
    wal->is_scanned = result == SQLITE_OK;
    file->database->frames = wal->count;
    return result;
}

/* --- reading --- */

int walentry_read_start(struct vfs_file *file, uint8_t ret_start[WAL_SLOT])
{
    int result = read_disk(file, ret_start, WAL_SLOT, 0);
    return result == SQLITE_OK
               ? open_slot(file, (struct pageseal_place){PAGESEAL_WAL_START, FORMAT}, ret_start, WAL_START)
               : result;
}

int walentry_read_header(struct vfs_file *file, uint32_t frame, uint8_t ret_slot[WAL_SLOT])
{
    if (frame >= file->wal.count)
        return SQLITE_IOERR_SHORT_READ;
    uint64_t at = place_offset(file->wal.places[frame]);
    int result = read_disk(file, ret_slot, WAL_SLOT, at);
    return result == SQLITE_OK ? open_slot(file, bound_to(&file->wal, PAGESEAL_WAL_FRAME, at), ret_slot, ENTRY)
                               : result;
}

static int unpack(const uint8_t *packed, size_t length, uint8_t *ret_page)
{
    memset(ret_page + VFS_BODY, 0, VFS_RESERVED);
    if (length == VFS_BODY) {
        memcpy(ret_page, packed, VFS_BODY);
        return SQLITE_OK;
    }
    int got = LZ4_decompress_safe((const char *)packed, (char *)ret_page, (int)length, VFS_BODY);
    return got == VFS_BODY ? SQLITE_OK : SQLITE_IOERR_DATA;
}

int walentry_read_page(struct vfs_file *file, uint32_t frame, uint8_t ret_page[VFS_PAGE_SIZE])
{
    if (frame >= file->wal.count)
        return SQLITE_IOERR_SHORT_READ;
    uint64_t at = place_offset(file->wal.places[frame]);
    size_t length = place_length(file->wal.places[frame]);
    int result = read_disk(file, file->scratch, length + PAGESEAL_OVERHEAD, at + WAL_SLOT);
    if (result == SQLITE_OK)
        result = open_slot(file, bound_to(&file->wal, PAGESEAL_WAL_PAGE, at), file->scratch, length);
    return result == SQLITE_OK ? unpack(file->scratch, length, ret_page) : result;
}

/* --- writing --- */

/*
 * Where space is short, the write itself says so. SQLite's own way to reserve would, as Debian builds it, write into
 * every block, so that the disk is written twice.
 */
static void reserve(struct vfs_file *file, uint64_t end)
{
    if ((int64_t)end <= file->reserved || file->space < 0)
        return;
    int64_t size = ((int64_t)end + GROW - 1) / GROW * GROW;
    if (fallocate(file->space, 0, file->reserved, size - file->reserved) == 0)
        file->reserved = size;
}

/* A page as it is where packing makes it no shorter. The packer is there from one sync to the next. */
static int pack(struct walfile *wal, const uint8_t *page, uint8_t *packed, size_t *ret_length)
{
    static const uint8_t zeros[VFS_RESERVED];
    if (memcmp(page + VFS_BODY, zeros, VFS_RESERVED) != 0)
        return SQLITE_IOERR_WRITE; /* they are not written, and must read back as they were */
    if (wal->packer == NULL)
        wal->packer = mem_resize(NULL, (size_t)LZ4_sizeofState());
    if (wal->packer == NULL)
        return SQLITE_IOERR_NOMEM;
    int length = LZ4_compress_fast_extState(wal->packer, (const char *)page, (char *)packed, VFS_BODY, VFS_BODY - 1, 1);
    if (length <= 0) {
        memcpy(packed, page, VFS_BODY);
        length = VFS_BODY;
    }
    *ret_length = (size_t)length;
    return SQLITE_OK;
}

static int seal_entry(struct vfs_file *file, uint32_t frame, const uint8_t *header, size_t length)
{
    const struct walfile *wal = &file->wal;
    uint8_t *slot = file->scratch;
    uint8_t *packed = slot + WAL_SLOT;
    memcpy(slot, header, WAL_HEADER);
    put_sequence(slot + AT_SEQUENCE, wal->sequence + 1);
    bytes_put_u32(slot + AT_FRAME, frame);
    bytes_put_u16(slot + AT_LENGTH, (uint16_t)length);
    const struct pageseal_place head = bound_to(wal, PAGESEAL_WAL_FRAME, wal->end);
    const struct pageseal_place page = bound_to(wal, PAGESEAL_WAL_PAGE, wal->end);
    bool sealed = pageseal_close(file->seal, head, slot, ENTRY, slot, slot + ENTRY) == 0 &&
                  pageseal_close(file->seal, page, packed, length, packed, packed + length) == 0;
    return sealed ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

int walentry_write(struct vfs_file *file, uint32_t frame, const uint8_t *header, const uint8_t *page)
{
    struct walfile *wal = &file->wal;
    size_t length = 0;
    if (!wal->has_start || frame > wal->count)
        return SQLITE_IOERR_WRITE;
    int result = pack(wal, page, file->scratch + WAL_SLOT, &length);
    if (result == SQLITE_OK)
        result = seal_entry(file, frame, header, length);
    if (result != SQLITE_OK)
        return result;
    uint64_t place = place_of(wal->end, length);
    reserve(file, place_end(place));
    result = file->inner->pMethods->xWrite(file->inner, file->scratch, (int)(place_end(place) - wal->end),
                                           (sqlite3_int64)wal->end);
    if (result == SQLITE_OK)
        result = table_put(wal, frame, place);
    if (result == SQLITE_OK) {
        wal->end = place_end(place);
        wal->sequence++;
        file->database->frames = wal->count;
    }
    return result;
}

int walentry_write_start(struct vfs_file *file, const uint8_t *start)
{
    struct walfile *wal = &file->wal;
    uint8_t slot[WAL_SLOT] = {0};
    const struct pageseal_place place = {PAGESEAL_WAL_START, FORMAT};
    if (pageseal_close(file->seal, place, start, WAL_START, slot, slot + WAL_START) != 0)
        return SQLITE_IOERR_WRITE;
    reserve(file, WAL_SLOT);
    int result = file->inner->pMethods->xWrite(file->inner, slot, WAL_SLOT, 0);
    if (result != SQLITE_OK)
        return result;
    walentry_clear(wal);
    file->database->frames = 0;
    wal->salt = bytes_get_u32(start + AT_SALT);
    wal->has_start = true;
    wal->end = WAL_SLOT;
    wal->sequence = 0;
    return SQLITE_OK;
}
