#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/bytes.h"
#include "vault/vfs.h"

/*
 * A database and its WAL as a crash left them, damaged as the input says, then opened and read. The first byte chooses:
 * even, the rest is a list of damages (which file, where, what with); odd, the rest is the database file itself, up to
 * a length in the next two bytes, and then the WAL. Nothing read from it may be what was never written.
 */
#define DAMAGE_SIZE 5
#define FOLDER_MAX 64

static const uint8_t key[VFS_KEY_SIZE] = {42};

struct file {
    char path[FOLDER_MAX + 16];
    uint8_t *bytes;
    size_t len;
};

static struct file files[2]; /* database, WAL */

static void load(struct file *file)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) != 0)
        abort();
    file->len = (size_t)about.st_size;
    file->bytes = malloc(file->len);
    if (file->bytes == NULL || read(fd, file->bytes, file->len) != (ssize_t)file->len)
        abort();
    (void)close(fd);
}

static void store(const struct file *file, const uint8_t *bytes, size_t len)
{
    int fd = open(file->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || (len > 0 && write(fd, bytes, len) != (ssize_t)len))
        abort();
    (void)close(fd);
}

static void clean_up(void)
{
    for (size_t i = 0; i < 2; i++) {
        (void)unlink(files[i].path);
        free(files[i].bytes);
    }
    *strrchr(files[0].path, '/') = '\0';
    (void)rmdir(files[0].path);
}

/* A short database, half of it written back, the other half in the WAL. */
static void prepare(void)
{
    char folder[FOLDER_MAX];
    (void)snprintf(folder, sizeof(folder), "%s/waxwing-fuzz-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(folder) == NULL)
        abort();
    (void)snprintf(files[0].path, sizeof(files[0].path), "%s/f.db", folder);
    (void)snprintf(files[1].path, sizeof(files[1].path), "%s/f.db-wal", folder);
    sqlite3 *database = NULL;
    if (vfs_open(files[0].path, key, &database) != 0)
        abort();
    static const char fill[] = "INSERT INTO t(body) SELECT hex(zeroblob(700)) FROM (SELECT 1 UNION ALL SELECT 2)";
    if (sqlite3_exec(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(database, fill, NULL, NULL, NULL) != SQLITE_OK || vfs_checkpoint(database) != 0 ||
        sqlite3_exec(database, fill, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(database, fill, NULL, NULL, NULL) != SQLITE_OK)
        abort();
    load(&files[0]);
    load(&files[1]);
    if (files[1].len > 64 * 1024)
        files[1].len = 64 * 1024; /* the rest is only reserved */
    (void)sqlite3_close(database);
    (void)atexit(clean_up);
}

static void damage(const uint8_t *data, size_t size)
{
    uint8_t *copies[2];
    size_t lens[2] = {files[0].len, files[1].len};
    for (size_t i = 0; i < 2; i++) {
        copies[i] = malloc(files[i].len);
        if (copies[i] == NULL)
            abort();
        memcpy(copies[i], files[i].bytes, files[i].len);
    }
    for (; size >= DAMAGE_SIZE; data += DAMAGE_SIZE, size -= DAMAGE_SIZE) {
        size_t which = data[0] & 1U;
        size_t at = (bytes_get_u16(data + 1) * 4U + data[3]) % files[which].len;
        if ((data[0] & 0x80U) != 0)
            lens[which] = at;
        else
            copies[which][at] ^= data[4];
    }
    for (size_t i = 0; i < 2; i++) {
        store(&files[i], copies[i], lens[i]);
        free(copies[i]);
    }
}

static void replace(const uint8_t *data, size_t size)
{
    size_t first = size < 2 ? 0 : bytes_get_u16(data);
    data += size < 2 ? size : 2;
    size -= size < 2 ? size : 2;
    if (first > size)
        first = size;
    store(&files[0], data, first);
    store(&files[1], data + first, size - first);
}

static void read_back(void)
{
    sqlite3 *database = NULL;
    if (vfs_open(files[0].path, key, &database) != 0)
        return;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, "SELECT body FROM t", -1, &statement, NULL) == SQLITE_OK)
        while (sqlite3_step(statement) == SQLITE_ROW) {
            const unsigned char *body = sqlite3_column_text(statement, 0);
            if (body == NULL || strspn((const char *)body, "0") != 1400)
                abort();
        }
    (void)sqlite3_finalize(statement);
    (void)sqlite3_exec(database, "INSERT INTO t(body) VALUES(hex(zeroblob(700)))", NULL, NULL, NULL);
    (void)sqlite3_close(database);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (files[0].bytes == NULL)
        prepare();
    if (size == 0)
        return 0;
    if ((data[0] & 1U) == 0)
        damage(data + 1, size - 1);
    else
        replace(data + 1, size - 1);
    read_back();
    return 0;
}
