#include "crypto/recordkey.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/mem.h"

#define TAG_SIZE 16U
#define SENDER_AT 1U
#define TAG_AT (SENDER_AT + KEY_SIZE)
#define BODY_AT (TAG_AT + TAG_SIZE)

#define SENDER_SLOTS 256U /* of recipients, found by the first byte of their public key */
#define SENDER_PROBES 8U
#define RECEIVER_SLOTS 8U /* the senders of a few intakes, and the ones before */

_Static_assert(RECORD_SEALED_KEY_LEN == BODY_AT + RECORD_KEY_LEN, "size of a sealed key");

/* What two parties share: the key of the tag, and the key of the encryption. */
struct shared {
    uint8_t tag[KEY_SIZE];
    uint8_t body[KEY_SIZE];
};

struct sender_secrets {
    uint8_t private_key[KEY_SIZE];
    struct shared slots[SENDER_SLOTS];
};

struct record_sender {
    struct secret *secrets; /* a struct sender_secrets */
    uint8_t public_key[KEY_SIZE];
    bool is_used[SENDER_SLOTS];
    uint8_t peers[SENDER_SLOTS][KEY_SIZE];
};

struct receiver_secrets {
    uint8_t private_key[KEY_SIZE];
    struct shared slots[RECEIVER_SLOTS];
};

struct record_receiver {
    struct secret *secrets; /* a struct receiver_secrets */
    uint8_t public_key[KEY_SIZE];
    size_t used; /* slots */
    size_t next; /* the one to be replaced */
    uint8_t peers[RECEIVER_SLOTS][KEY_SIZE];
};

_Static_assert(sizeof(struct sender_secrets) <= SECRET_MAX, "fits a secret");

/* -EINVAL where the peer's key is one with which all share the same. */
static int agree(const uint8_t *private_key, const uint8_t *peer, const uint8_t *sender, const uint8_t *recipient,
                 struct shared *ret_shared)
{
    uint8_t point[crypto_scalarmult_BYTES];
    uint8_t parties[2 * KEY_SIZE];
    memcpy(parties, sender, KEY_SIZE);
    memcpy(parties + KEY_SIZE, recipient, KEY_SIZE);
    if (crypto_scalarmult(point, private_key, peer) != 0)
        return -EINVAL;
    int result = kdf_hkdf(span_of(point, sizeof(point)), span_of(parties, sizeof(parties)), SPAN("waxwing record key"),
                          (uint8_t *)ret_shared, sizeof(*ret_shared));
    secret_wipe(point, sizeof(point));
    return result;
}

static void tag_of(const struct shared *shared, const uint8_t *content_key, uint8_t ret_tag[TAG_SIZE])
{
    (void)crypto_generichash(ret_tag, TAG_SIZE, content_key, RECORD_KEY_LEN, shared->tag, sizeof(shared->tag));
}

/* Either way. */
static void crypt(const struct shared *shared, const uint8_t tag[TAG_SIZE], const uint8_t *in, uint8_t *out)
{
    uint8_t nonce[crypto_stream_xchacha20_NONCEBYTES] = {0};
    memcpy(nonce, tag, TAG_SIZE);
    (void)crypto_stream_xchacha20_xor(out, in, RECORD_KEY_LEN, nonce, shared->body);
}

/* --- sealing --- */

static struct sender_secrets *sender_secrets(const struct record_sender *sender)
{
    return (void *)secret_edit(sender->secrets);
}

int record_sender_new(struct record_sender **ret_sender)
{
    AUTO(record_sender) struct record_sender *sender = mem_new(sizeof(*sender));
    if (sender == NULL)
        return -ENOMEM;
    int result = secret_new(sizeof(struct sender_secrets), &sender->secrets);
    if (result != 0)
        return result;
    random_bytes(sender_secrets(sender)->private_key, KEY_SIZE);
    if (crypto_scalarmult_base(sender->public_key, sender_secrets(sender)->private_key) != 0)
        return -EIO;
    *ret_sender = TAKE(sender);
    return 0;
}

void record_sender_free(struct record_sender *sender)
{
    if (sender == NULL)
        return;
    secret_free(sender->secrets);
    scope_free(&sender);
}

/* The recipient's slot, which may hold another yet: the first of a few that is its own or free, or else the first. */
static size_t sender_slot(const struct record_sender *sender, const uint8_t *public_key, bool *ret_known)
{
    size_t first = public_key[0] % SENDER_SLOTS;
    *ret_known = false;
    for (size_t probe = 0; probe < SENDER_PROBES; probe++) {
        size_t slot = (first + probe) % SENDER_SLOTS;
        if (!sender->is_used[slot])
            return slot;
        if (memcmp(sender->peers[slot], public_key, KEY_SIZE) == 0) {
            *ret_known = true;
            return slot;
        }
    }
    return first;
}

static int sender_share(struct record_sender *sender, const uint8_t *public_key, const struct shared **ret_shared)
{
    bool known;
    size_t slot = sender_slot(sender, public_key, &known);
    struct sender_secrets *secrets = sender_secrets(sender);
    if (!known) {
        sender->is_used[slot] = false;
        int result = agree(secrets->private_key, public_key, sender->public_key, public_key, &secrets->slots[slot]);
        if (result != 0)
            return result;
        memcpy(sender->peers[slot], public_key, KEY_SIZE);
        sender->is_used[slot] = true;
    }
    *ret_shared = &secrets->slots[slot];
    return 0;
}

int record_key_seal(struct record_sender *sender, const struct secret *content_key, const uint8_t public_key[KEY_SIZE],
                    uint8_t ret_sealed[RECORD_SEALED_KEY_LEN])
{
    const struct shared *shared = NULL;
    if (secret_len(content_key) != RECORD_KEY_LEN)
        return -EINVAL;
    int result = sender_share(sender, public_key, &shared);
    if (result != 0)
        return result;
    ret_sealed[0] = RECORD_KEY_VERSION;
    memcpy(ret_sealed + SENDER_AT, sender->public_key, KEY_SIZE);
    tag_of(shared, secret_bytes(content_key), ret_sealed + TAG_AT);
    crypt(shared, ret_sealed + TAG_AT, secret_bytes(content_key), ret_sealed + BODY_AT);
    return 0;
}

/* --- opening --- */

static struct receiver_secrets *receiver_secrets(const struct record_receiver *receiver)
{
    return (void *)secret_edit(receiver->secrets);
}

int record_receiver_new(const uint8_t public_key[KEY_SIZE], const struct secret *private_key,
                        struct record_receiver **ret_receiver)
{
    AUTO(record_receiver) struct record_receiver *receiver = mem_new(sizeof(*receiver));
    if (receiver == NULL)
        return -ENOMEM;
    if (secret_len(private_key) != KEY_SIZE)
        return -EINVAL;
    int result = secret_new(sizeof(struct receiver_secrets), &receiver->secrets);
    if (result != 0)
        return result;
    memcpy(receiver_secrets(receiver)->private_key, secret_bytes(private_key), KEY_SIZE);
    memcpy(receiver->public_key, public_key, KEY_SIZE);
    *ret_receiver = TAKE(receiver);
    return 0;
}

void record_receiver_free(struct record_receiver *receiver)
{
    if (receiver == NULL)
        return;
    secret_free(receiver->secrets);
    scope_free(&receiver);
}

static int receiver_share(struct record_receiver *receiver, const uint8_t *sender, const struct shared **ret_shared)
{
    struct receiver_secrets *secrets = receiver_secrets(receiver);
    size_t slot = 0;
    while (slot < receiver->used && memcmp(receiver->peers[slot], sender, KEY_SIZE) != 0)
        slot++;
    if (slot == receiver->used) {
        struct shared shared;
        int result = agree(secrets->private_key, sender, sender, receiver->public_key, &shared);
        if (result != 0)
            return result == -EINVAL ? (int)RECORD_FORGED : result;
        slot = receiver->next;
        receiver->next = (slot + 1) % RECEIVER_SLOTS;
        if (receiver->used < RECEIVER_SLOTS)
            receiver->used++;
        memcpy(receiver->peers[slot], sender, KEY_SIZE);
        secrets->slots[slot] = shared;
        secret_wipe(&shared, sizeof(shared));
    }
    *ret_shared = &secrets->slots[slot];
    return RECORD_OK;
}

int record_key_open(struct record_receiver *receiver, const uint8_t sealed[RECORD_SEALED_KEY_LEN],
                    struct secret **ret_content_key)
{
    if (sealed[0] != RECORD_KEY_VERSION)
        return RECORD_UNKNOWN_VERSION;
    const struct shared *shared = NULL;
    AUTO(secret) struct secret *key = NULL;
    int result = secret_new(RECORD_KEY_LEN, &key);
    if (result == 0)
        result = receiver_share(receiver, sealed + SENDER_AT, &shared);
    if (result != 0)
        return result;
    uint8_t tag[TAG_SIZE];
    crypt(shared, sealed + TAG_AT, sealed + BODY_AT, secret_edit(key));
    tag_of(shared, secret_bytes(key), tag);
    if (sodium_memcmp(tag, sealed + TAG_AT, TAG_SIZE) != 0)
        return RECORD_FORGED;
    *ret_content_key = TAKE(key);
    return RECORD_OK;
}
