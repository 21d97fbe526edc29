#include "role/store/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"

#define NAME "checkpoint"
#define NAME_NEW "checkpoint.new"
#define BOUND SPAN("waxwing log checkpoint 1")
/* On disk: nonce, tag, sealed bytes. */
#define AHEAD (AEAD_NONCE_SIZE + AEAD_TAG_SIZE)

static int cipher_of(span_t key, struct aead **ret_aead)
{
    uint8_t derived[AEAD_KEY_SIZE];
    int result = kdf_hkdf(key, SPAN_NONE, BOUND, derived, sizeof(derived));
    if (result == 0)
        result = aead_new(derived, ret_aead);
    secret_wipe(derived, sizeof(derived));
    return result;
}

static int write_all(int fd, span_t bytes)
{
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.at, bytes.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        bytes = span_from(bytes, (size_t)put);
    }
    return 0;
}

static int replace(int dir, span_t bytes)
{
    AUTO_FD int fd = openat(dir, NAME_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int result = write_all(fd, bytes);
    if (result != 0)
        return result;
    if (fdatasync(fd) != 0 || renameat(dir, NAME_NEW, dir, NAME) != 0 || fsync(dir) != 0)
        return -errno;
    return 0;
}

int checkpoint_write(int dir, span_t key, span_t plain)
{
    AUTO(aead) struct aead *aead = NULL;
    int result = cipher_of(key, &aead);
    if (result != 0)
        return result;
    AUTO_FREE uint8_t *file = mem_resize(NULL, AHEAD + plain.len);
    if (file == NULL)
        return -ENOMEM;
    random_bytes(file, AEAD_NONCE_SIZE);
    result = aead_seal(aead, file, BOUND, plain, file + AHEAD, file + AEAD_NONCE_SIZE);
    return result != 0 ? result : replace(dir, span_of(file, AHEAD + plain.len));
}

static int read_all(int fd, uint8_t *into, size_t len)
{
    for (size_t have = 0; have < len;) {
        ssize_t got = read(fd, into + have, len - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : CHECKPOINT_NONE;
        have += (size_t)got;
    }
    return 0;
}

int checkpoint_read(int dir, span_t key, struct buf *plain)
{
    AUTO_FD int fd = openat(dir, NAME, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? CHECKPOINT_NONE : -errno;
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return -errno;
    if (facts.st_size < (off_t)AHEAD || (uint64_t)facts.st_size > CHECKPOINT_MAX)
        return CHECKPOINT_NONE;
    size_t len = (size_t)facts.st_size;
    AUTO_FREE uint8_t *file = mem_resize(NULL, len);
    if (file == NULL)
        return -ENOMEM;
    int result = read_all(fd, file, len);
    if (result != 0)
        return result;
    AUTO(aead) struct aead *aead = NULL;
    uint8_t *into = NULL;
    result = cipher_of(key, &aead);
    if (result == 0)
        result = buf_reserve(plain, len - AHEAD, &into);
    if (result == 0)
        result = aead_open(aead, file, BOUND, span_of(file + AHEAD, len - AHEAD), file + AEAD_NONCE_SIZE, into);
    if (result == AEAD_FORGED)
        return CHECKPOINT_NONE;
    if (result == 0)
        buf_commit(plain, len - AHEAD);
    return result;
}
