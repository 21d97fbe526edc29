#include "vault/pageseal.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"

/* One call of the generator for many nonces: it costs as much for twelve bytes as for some hundred. */
#define NONCES_AT_ONCE 32
#define PLACE_SIZE 9

enum part { PART_DATABASE, PART_WAL, PARTS };

struct pageseal {
    struct aead *aead[PARTS];
    uint8_t nonces[NONCES_AT_ONCE * PAGESEAL_NONCE_SIZE];
    size_t nonces_used;
};

static const char *const part_labels[PARTS] = {"waxwing vault database 1", "waxwing vault wal 1"};

static int prepare(struct pageseal *seal, enum part part, const uint8_t *key, const uint8_t *id)
{
    uint8_t derived[AEAD_KEY_SIZE];
    int result = kdf_hkdf(span_of(key, PAGESEAL_KEY_SIZE), span_of(id, PAGESEAL_ID_SIZE),
                          span_of_text(part_labels[part]), derived, sizeof(derived));
    if (result == 0)
        result = aead_new(derived, &seal->aead[part]);
    secret_wipe(derived, sizeof(derived));
    return result;
}

int pageseal_new(const uint8_t key[PAGESEAL_KEY_SIZE], const uint8_t id[PAGESEAL_ID_SIZE], struct pageseal **ret_seal)
{
    AUTO(pageseal) struct pageseal *seal = mem_new(sizeof(*seal));
    if (seal == NULL)
        return -ENOMEM;
    seal->nonces_used = sizeof(seal->nonces);
    for (enum part part = PART_DATABASE; part < PARTS; part++) {
        int result = prepare(seal, part, key, id);
        if (result != 0)
            return result;
    }
    *ret_seal = TAKE(seal);
    return 0;
}

void pageseal_free(struct pageseal *seal)
{
    if (seal == NULL)
        return;
    for (enum part part = PART_DATABASE; part < PARTS; part++)
        aead_free(seal->aead[part]);
    scope_free(&seal);
}

static struct aead *aead_for(struct pageseal *seal, struct pageseal_place place)
{
    return seal->aead[place.kind >= PAGESEAL_WAL_START ? PART_WAL : PART_DATABASE];
}

static span_t place_bytes(struct pageseal_place place, uint8_t *bytes)
{
    bytes[0] = (uint8_t)place.kind;
    bytes_put_u64(bytes + 1, place.number);
    return span_of(bytes, PLACE_SIZE);
}

static void next_nonce(struct pageseal *seal, uint8_t *ret_nonce)
{
    if (seal->nonces_used == sizeof(seal->nonces)) {
        random_bytes(seal->nonces, sizeof(seal->nonces));
        seal->nonces_used = 0;
    }
    memcpy(ret_nonce, seal->nonces + seal->nonces_used, PAGESEAL_NONCE_SIZE);
    seal->nonces_used += PAGESEAL_NONCE_SIZE;
}

int pageseal_close(struct pageseal *seal, struct pageseal_place place, const uint8_t *plain, size_t len,
                   uint8_t *sealed, uint8_t mark[PAGESEAL_OVERHEAD])
{
    uint8_t bound[PLACE_SIZE];
    next_nonce(seal, mark);
    return aead_seal(aead_for(seal, place), mark, place_bytes(place, bound), span_of(plain, len), sealed,
                     mark + PAGESEAL_NONCE_SIZE);
}

int pageseal_open(struct pageseal *seal, struct pageseal_place place, uint8_t *bytes, size_t len,
                  const uint8_t mark[PAGESEAL_OVERHEAD])
{
    uint8_t bound[PLACE_SIZE];
    int result = aead_open(aead_for(seal, place), mark, place_bytes(place, bound), span_of(bytes, len),
                           mark + PAGESEAL_NONCE_SIZE, bytes);
    return result == AEAD_FORGED ? -EBADMSG : result;
}
