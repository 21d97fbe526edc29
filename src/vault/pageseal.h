#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "base/scope.h"

/*
 * AES-256-GCM over the pages and headers of one database file and of its WAL. Each has its own key, derived by
 * HKDF-SHA-256 from the vault's key with the file's random id as salt, so that nothing sealed here opens in another
 * file. The place is bound in as additional data. Nonces are random: 2^32 writes to one file keep the chance of a
 * repeated one below 2^-32 (NIST SP 800-38D §8.3).
 */
#define PAGESEAL_KEY_SIZE 32
#define PAGESEAL_ID_SIZE 16
#define PAGESEAL_NONCE_SIZE 12
#define PAGESEAL_TAG_SIZE 16
#define PAGESEAL_OVERHEAD (PAGESEAL_NONCE_SIZE + PAGESEAL_TAG_SIZE)

enum pageseal_kind {
    PAGESEAL_FILE,      /* number: 0 */
    PAGESEAL_PAGE,      /* number: of the page, from 0 */
    PAGESEAL_WAL_START, /* number: 0 */
    PAGESEAL_WAL_FRAME, /* a frame's header; number: of the frame, from 0 */
    PAGESEAL_WAL_PAGE,  /* a frame's page */
};

struct pageseal_place {
    enum pageseal_kind kind;
    uint64_t number;
};

struct pageseal;

MUST_USE int pageseal_new(const uint8_t key[PAGESEAL_KEY_SIZE], const uint8_t id[PAGESEAL_ID_SIZE],
                          struct pageseal **ret_seal);
void pageseal_free(struct pageseal *seal); /* wipes the keys */

SCOPE_OF(pageseal)

/* Encrypts len bytes from `plain` to `sealed` (which may be the same) and writes nonce and tag to `mark`. */
MUST_USE int pageseal_close(struct pageseal *seal, struct pageseal_place place, const uint8_t *plain, size_t len,
                            uint8_t *sealed, uint8_t mark[PAGESEAL_OVERHEAD]);

/* The way back, in place. -EBADMSG where anything is not as it was sealed; the bytes are then zeroed. */
MUST_USE int pageseal_open(struct pageseal *seal, struct pageseal_place place, uint8_t *bytes, size_t len,
                           const uint8_t mark[PAGESEAL_OVERHEAD]);
