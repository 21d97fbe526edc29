#include "role/store/files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/kdf.h"

#define NAME_SIZE 24U
/* One read brings the head of a record with up to some forty recipients. */
#define HEAD_READ 4096U

struct files {
    int dir;
    struct secret *key;
    struct files_calls calls;
    struct map *map;
    uint64_t first;
    uint64_t last;
    uint64_t taken; /* the highest number of a file whose head is damaged */
    uint64_t clock;
    size_t open;
    uint8_t block[SEGMENT_BLOCK];
};

static ssize_t write_parts(int fd, const struct iovec *parts, int count, off_t offset)
{
    return pwritev(fd, parts, count, offset);
}

static int allocate(int fd, off_t offset, off_t len)
{
    return fallocate(fd, 0, offset, len);
}

static void name_of(uint64_t number, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%016llx.seg", (unsigned long long)number);
}

int files_new(int dir, span_t key, const struct files_calls *calls, struct files **ret_files)
{
    AUTO(files) struct files *files = mem_new(sizeof(*files));
    if (files == NULL)
        return -ENOMEM;
    files->dir = dir;
    files->calls = calls != NULL ? *calls : (struct files_calls){0};
    if (files->calls.sync == NULL)
        files->calls.sync = fdatasync;
    if (files->calls.write == NULL)
        files->calls.write = write_parts;
    if (files->calls.allocate == NULL)
        files->calls.allocate = allocate;
    int result = secret_copy(key, &files->key);
    if (result == 0)
        result = map_new(&files->map);
    if (result != 0)
        return result;
    *ret_files = TAKE(files);
    return 0;
}

static void segment_close(struct files *files, struct segment *segment)
{
    if (segment->fd < 0)
        return;
    close(segment->fd);
    segment->fd = -1;
    files->open--;
}

static void segment_free(struct files *files, struct segment *segment)
{
    segment_close(files, segment);
    aead_free(segment->aead);
    free(segment);
}

void files_free(struct files *files)
{
    if (files == NULL)
        return;
    size_t cursor = 0;
    uint64_t number;
    void *segment;
    if (files->map != NULL)
        while (map_next(files->map, &cursor, &number, &segment))
            segment_free(files, segment);
    map_free(files->map);
    secret_free(files->key);
    free(files);
}

/* Every segment has its own key, so that the count of random nonces under one key stays small. */
static int segment_enter(struct files *files, const struct segment_head *head, struct segment **ret_segment)
{
    uint8_t key[AEAD_KEY_SIZE];
    int result = kdf_hkdf(secret_span(files->key), span_of(head->salt, SEGMENT_SALT_SIZE), SPAN("waxwing log rows"),
                          key, sizeof(key));
    struct aead *aead = NULL;
    if (result == 0)
        result = aead_new(key, &aead);
    secret_wipe(key, sizeof(key));
    if (result != 0)
        return result;
    struct segment *segment = mem_new(sizeof(*segment));
    if (segment != NULL) {
        *segment =
            (struct segment){.number = head->number, .head = *head, .aead = aead, .fd = -1, .end = SEGMENT_BLOCK};
        result = map_put(files->map, head->number, segment);
    }
    if (segment == NULL || result != 0) {
        aead_free(aead);
        free(segment);
        return result != 0 ? result : -ENOMEM;
    }
    if (files->first == 0 || head->number < files->first)
        files->first = head->number;
    if (head->number > files->last)
        files->last = head->number;
    *ret_segment = segment;
    return 0;
}

static int scan_one(struct files *files, const char *name)
{
    char expected[NAME_SIZE];
    char *end;
    unsigned long long number = strtoull(name, &end, 16);
    if (number == 0 || number > UINT32_MAX || strcmp(end, ".seg") != 0)
        return 0;
    name_of(number, expected);
    if (strcmp(expected, name) != 0)
        return 0;
    AUTO_FD int fd = openat(files->dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t got = pread(fd, files->block, SEGMENT_BLOCK, 0);
    if (got < 0)
        return -errno;
    struct segment_head head;
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return -errno;
    if (segment_head_read(span_of(files->block, (size_t)got), number, &head) != 0) {
        if (facts.st_size > SEGMENT_BLOCK && number > files->taken)
            files->taken = number;
        return 0;
    }
    struct segment *segment;
    int result = segment_enter(files, &head, &segment);
    if (result == 0) /* not from the start again: that would fill the holes */
        segment->room = (uint64_t)facts.st_size;
    return result;
}

int files_scan(struct files *files)
{
    int fd = openat(files->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *folder = fdopendir(fd);
    if (folder == NULL) {
        int fault = -errno;
        close(fd);
        return fault;
    }
    int result = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(folder)) != NULL;)
        result = scan_one(files, entry->d_name);
    closedir(folder);
    return result;
}

static int make_file(struct files *files, const char *name, const struct segment_head *head)
{
    struct segment_head written = *head;
    segment_head_write(&written, files->block);
    AUTO_FD int fd = openat(files->dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    struct iovec part = {files->block, SEGMENT_BLOCK};
    ssize_t put = files->calls.write(fd, &part, 1, 0);
    if (put != SEGMENT_BLOCK)
        return put < 0 ? -errno : -ENOSPC;
    if (files->calls.sync(fd) != 0 || fsync(files->dir) != 0)
        return -errno;
    return TAKE_FD(fd);
}

int files_add(struct files *files, struct segment **ret_segment)
{
    uint64_t highest = files->last > files->taken ? files->last : files->taken;
    if (highest == UINT32_MAX)
        return -ENOSPC;
    struct segment_head head = {.number = highest + 1};
    random_bytes(head.salt, sizeof(head.salt));
    char name[NAME_SIZE];
    name_of(head.number, name);
    AUTO_FD int fd = make_file(files, name, &head);
    int result = fd < 0 ? fd : segment_head_read(span_of(files->block, SEGMENT_BLOCK), head.number, &head);
    struct segment *segment = NULL;
    if (result == 0)
        result = segment_enter(files, &head, &segment);
    if (result != 0) {
        unlinkat(files->dir, name, 0);
        return result;
    }
    segment->fd = TAKE_FD(fd);
    segment->used = ++files->clock;
    files->open++;
    *ret_segment = segment;
    return 0;
}

int files_drop(struct files *files, struct segment *segment)
{
    char name[NAME_SIZE];
    name_of(segment->number, name);
    if (unlinkat(files->dir, name, 0) != 0 && errno != ENOENT)
        return -errno;
    (void)map_remove(files->map, segment->number);
    uint64_t number = segment->number;
    segment_free(files, segment);
    if (number == files->first) {
        const struct segment *next = files_after(files, number);
        files->first = next != NULL ? next->number : 0;
    }
    return 0;
}

struct segment *files_get(const struct files *files, uint64_t number)
{
    return map_get(files->map, number);
}

struct segment *files_after(const struct files *files, uint64_t number)
{
    uint64_t at = number + 1 > files->first ? number + 1 : files->first;
    for (; at <= files->last; at++) {
        struct segment *segment = map_get(files->map, at);
        if (segment != NULL)
            return segment;
    }
    return NULL;
}

uint64_t files_first(const struct files *files)
{
    return files->first;
}

struct segment *files_last(const struct files *files)
{
    return map_get(files->map, files->last);
}

size_t files_count(const struct files *files)
{
    return map_count(files->map);
}

static void close_oldest(struct files *files)
{
    size_t cursor = 0;
    uint64_t number;
    void *each;
    struct segment *oldest = NULL;
    while (map_next(files->map, &cursor, &number, &each)) {
        struct segment *segment = each;
        if (segment->fd >= 0 && !segment->dirty && (oldest == NULL || segment->used < oldest->used))
            oldest = segment;
    }
    if (oldest != NULL)
        segment_close(files, oldest);
}

int files_fd(struct files *files, struct segment *segment)
{
    segment->used = ++files->clock;
    if (segment->fd >= 0)
        return segment->fd;
    if (files->open >= FILES_OPEN_MAX)
        close_oldest(files);
    char name[NAME_SIZE];
    name_of(segment->number, name);
    int fd = openat(files->dir, name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    files->open++;
    return segment->fd = fd;
}

int files_open_read(struct files *files, uint64_t number)
{
    char name[NAME_SIZE];
    name_of(number, name);
    int fd = openat(files->dir, name, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Drops what was written from the front of the parts: how many of them are done with. */
static size_t parts_advance(struct iovec *parts, size_t count, size_t written)
{
    size_t done = 0;
    while (done < count && written >= parts[done].iov_len)
        written -= parts[done++].iov_len;
    if (done < count) {
        parts[done].iov_base = (uint8_t *)parts[done].iov_base + written;
        parts[done].iov_len -= written;
    }
    return done;
}

int files_write(struct files *files, struct segment *segment, struct iovec *parts, size_t count, uint64_t offset)
{
    int fd = files_fd(files, segment);
    if (fd < 0)
        return fd;
    segment->dirty = true;
    while (count > 0) {
        size_t now = count < IOV_MAX ? count : IOV_MAX;
        ssize_t put = files->calls.write(fd, parts, (int)now, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -ENOSPC;
        offset += (uint64_t)put;
        size_t done = parts_advance(parts, now, (size_t)put);
        parts += done;
        count -= done;
    }
    return 0;
}

/* A file system that cannot preallocate does without: syncs are slower, nothing else changes. */
int files_allocate(struct files *files, struct segment *segment, uint64_t upto)
{
    int fd = files_fd(files, segment);
    if (fd < 0)
        return fd;
    if (upto <= segment->room)
        return 0;
    int result;
    do
        result = files->calls.allocate(fd, (off_t)segment->room, (off_t)(upto - segment->room));
    while (result != 0 && errno == EINTR);
    if (result != 0 && errno != EOPNOTSUPP)
        return -errno;
    segment->room = upto;
    return 0;
}

int files_sync(struct files *files, struct segment *segment)
{
    if (!segment->dirty)
        return 0;
    int fd = files_fd(files, segment);
    if (fd < 0)
        return fd;
    if (files->calls.sync(fd) != 0)
        return -errno;
    segment->dirty = false;
    return 0;
}

/* After a sync that failed, the pages it should have written count as clean, and are shown until they are dropped
 * (fsync(2)). What cannot be dropped is still to be written, and the next sync of the segment includes it. */
int files_settle(struct files *files, struct segment *segment)
{
    int fd = files_fd(files, segment);
    if (fd < 0)
        return fd;
    if (files->calls.sync(fd) != 0)
        return -errno;
    int fault = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return fault == ENOSYS ? 0 : -fault;
}

int files_punch(struct files *files, struct segment *segment, uint64_t offset, uint64_t len)
{
    uint64_t from = (offset + SEGMENT_BLOCK - 1) / SEGMENT_BLOCK * SEGMENT_BLOCK;
    uint64_t upto = (offset + len) / SEGMENT_BLOCK * SEGMENT_BLOCK;
    if (from >= upto)
        return 0;
    int fd = files_fd(files, segment);
    if (fd < 0)
        return fd;
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(upto - from)) != 0 &&
        errno != EOPNOTSUPP)
        return -errno;
    return 0;
}

ssize_t files_read(struct files *files, struct segment *segment, void *into, size_t len, uint64_t offset)
{
    int fd = files_fd(files, segment);
    if (fd < 0)
        return fd;
    size_t have = 0;
    while (have < len) {
        ssize_t got = pread(fd, (uint8_t *)into + have, len - have, (off_t)(offset + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

static int read_rows(struct files *files, struct segment *segment, const struct record_head *head, span_t have,
                     uint8_t **ret_rows)
{
    size_t head_len = record_head_len(head->recipients);
    AUTO_FREE uint8_t *whole = NULL;
    if (have.len < head_len) {
        whole = mem_resize(NULL, head_len);
        if (whole == NULL)
            return -ENOMEM;
        ssize_t got = files_read(files, segment, whole, head_len, record_offset(head->record));
        if (got < 0)
            return (int)got;
        have = span_of(whole, (size_t)got);
    }
    AUTO_FREE uint8_t *rows = mem_resize(NULL, (size_t)head->recipients * (RECORD_ROW + 1));
    if (rows == NULL)
        return -ENOMEM;
    int result = record_head_open(head, have, segment->aead, rows);
    if (result != 0)
        return result;
    memcpy(rows + (size_t)head->recipients * RECORD_ROW, have.at + record_marks_at(head->recipients), head->recipients);
    *ret_rows = TAKE(rows);
    return 0;
}

int files_record(struct files *files, uint64_t record, struct record_head *ret_head, uint8_t **ret_rows)
{
    struct segment *segment = files_get(files, record_segment(record));
    if (segment == NULL || record_offset(record) < SEGMENT_BLOCK)
        return SEGMENT_INVALID;
    ssize_t got = files_read(files, segment, files->block, HEAD_READ, record_offset(record));
    if (got < 0)
        return (int)got;
    span_t have = span_of(files->block, (size_t)got);
    struct record_head head;
    if (record_head_read(have, &head) != 0 || head.record != record)
        return SEGMENT_INVALID;
    int result = read_rows(files, segment, &head, have, ret_rows);
    if (result == 0)
        *ret_head = head;
    return result;
}

uint32_t files_row_of(const struct record_head *head, const uint8_t *rows, uint64_t account)
{
    uint32_t row = 0;
    while (row < head->recipients && bytes_get_u64(rows + (size_t)row * RECORD_ROW) != account)
        row++;
    return row;
}

bool files_is_marked(const struct record_head *head, const uint8_t *rows, uint32_t row)
{
    return rows[(size_t)head->recipients * RECORD_ROW + row] != 0;
}

void files_walk_start(const struct segment *segment, struct files_cursor *ret_cursor)
{
    *ret_cursor = (struct files_cursor){segment->number, SEGMENT_BLOCK, segment->head.checksum};
}

static uint64_t round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

/* The next record stands right behind the last one of its group, or at the start of the next group. */
int files_walk(struct files *files, struct files_cursor *cursor, struct record_head *ret_head, uint8_t **ret_rows)
{
    uint64_t behind = cursor->offset;
    uint64_t group = round_up(behind, SEGMENT_BLOCK);
    for (uint64_t at = behind;; at = group) {
        AUTO_FREE uint8_t *rows = NULL;
        struct record_head head;
        int result = files_record(files, record_id(cursor->segment, at), &head, &rows);
        if (result < 0)
            return result;
        if (result == 0 && head.before == cursor->before) {
            cursor->offset = at + record_len(&head);
            cursor->before = head.checksum;
            *ret_head = head;
            *ret_rows = TAKE(rows);
            return 0;
        }
        if (at == group)
            return SEGMENT_INVALID;
    }
}
