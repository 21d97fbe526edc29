#include "crypto/secret.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/mem.h"

/*
 * Locking a page, guarding it and giving it back costs a dozen system calls and 8 KiB, and every message needs two
 * secrets. So blocks for keys are cut from one guarded page, and kept, wiped, for the next ones.
 */
#define KEPT_SIZE 64U
#define SLAB_BLOCKS 60U /* with libsodium's canary they fill a page */

struct secret {
    size_t len;
    size_t room;
    uint8_t *bytes;
};

static uint8_t *kept;      /* blocks not in use; each begins with the address of the next */
static uint8_t *slab;      /* the newest one, */
static size_t slab_blocks; /* and its blocks not yet given out */

static uint8_t *block_take(size_t room)
{
    if (room != KEPT_SIZE)
        return sodium_malloc(room);
    if (kept != NULL) {
        uint8_t *block = kept;
        memcpy(&kept, block, sizeof(kept));
        return block;
    }
    if (slab_blocks == 0) {
        slab = sodium_malloc((size_t)SLAB_BLOCKS * KEPT_SIZE);
        if (slab == NULL)
            return NULL;
        slab_blocks = SLAB_BLOCKS;
    }
    return slab + (size_t)KEPT_SIZE * --slab_blocks;
}

static void block_give(uint8_t *block, size_t room)
{
    if (room != KEPT_SIZE) {
        sodium_free(block); /* wipes */
        return;
    }
    sodium_memzero(block, room);
    memcpy(block, &kept, sizeof(kept));
    kept = block;
}

int secret_new(size_t len, struct secret **ret_secret)
{
    if (len > SECRET_MAX)
        return -EINVAL;
    if (sodium_init() < 0)
        return -EIO;
    AUTO_FREE struct secret *secret = mem_new(sizeof(*secret));
    if (secret == NULL)
        return -ENOMEM;
    secret->room = len <= KEPT_SIZE ? KEPT_SIZE : len;
    secret->bytes = block_take(secret->room);
    if (secret->bytes == NULL)
        return -ENOMEM;
    secret->len = len;
    memset(secret->bytes, 0, secret->room);
    *ret_secret = TAKE(secret);
    return 0;
}

int secret_new_random(size_t len, struct secret **ret_secret)
{
    int result = secret_new(len, ret_secret);
    if (result == 0)
        random_bytes((*ret_secret)->bytes, len);
    return result;
}

int secret_copy(span_t bytes, struct secret **ret_secret)
{
    int result = secret_new(bytes.len, ret_secret);
    if (result == 0 && bytes.len > 0)
        memcpy((*ret_secret)->bytes, bytes.at, bytes.len);
    return result;
}

int secret_take(void *bytes, size_t len, struct secret **ret_secret)
{
    int result = secret_copy(span_of(bytes, len), ret_secret);
    secret_wipe(bytes, len);
    return result;
}

void secret_free(struct secret *secret)
{
    if (secret == NULL)
        return;
    block_give(secret->bytes, secret->room);
    scope_free(&secret);
}

span_t secret_span(const struct secret *secret)
{
    return secret == NULL ? SPAN_NONE : span_of(secret->bytes, secret->len);
}

const uint8_t *secret_bytes(const struct secret *secret)
{
    return secret->bytes;
}

uint8_t *secret_edit(struct secret *secret)
{
    return secret->bytes;
}

size_t secret_len(const struct secret *secret)
{
    return secret->len;
}

bool secret_equal(span_t one, span_t other)
{
    return one.len == other.len && (one.len == 0 || sodium_memcmp(one.at, other.at, one.len) == 0);
}

void secret_wipe(void *bytes, size_t len)
{
    sodium_memzero(bytes, len);
}

void random_bytes(void *into, size_t len)
{
    randombytes_buf(into, len);
}
