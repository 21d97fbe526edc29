#include "role/keeper/domainkeys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

static const enum dkim_algorithm algorithms[DOMAINKEYS_ALGORITHMS] = {DKIM_RSA_SHA256, DKIM_ED25519_SHA256};

static int read_row(void *arg, const struct directory_dkim *key, span_t private_key)
{
    struct domainkeys *keys = arg;
    (void)private_key;
    if (keys->count < DOMAINKEYS_MAX)
        keys->keys[keys->count++].row = *key;
    return 0;
}

/* Of one algorithm the newest one whose time has come signs. */
static void settle(struct domainkeys *keys, enum dkim_algorithm algorithm, uint64_t now)
{
    bool signs = false;
    for (size_t i = 0; i < keys->count; i++) {
        struct domainkey *key = &keys->keys[i];
        if (key->row.algorithm != algorithm)
            continue;
        key->state = key->row.since > now ? DOMAINKEY_WAITS : signs ? DOMAINKEY_RETIRED : DOMAINKEY_SIGNS;
        signs = signs || key->state == DOMAINKEY_SIGNS;
    }
}

int domainkeys_read(struct directory *directory, const char *domain, uint64_t now, struct domainkeys *ret_keys)
{
    *ret_keys = (struct domainkeys){.count = 0};
    int result = directory_dkim_each(directory, domain, read_row, ret_keys);
    for (size_t i = 0; i < COUNT_OF(algorithms); i++)
        settle(ret_keys, algorithms[i], now);
    return result;
}

static bool has_selector(const struct domainkeys *keys, const char *selector)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->keys[i].row.selector, selector) == 0)
            return true;
    return false;
}

/* r20261121; a second one of the same day r20261121b. */
static void name_key(const struct domainkeys *keys, enum dkim_algorithm algorithm, uint64_t now, char *selector)
{
    struct tm parts = {0};
    time_t moment = (time_t)now;
    char day[16] = "";
    (void)gmtime_r(&moment, &parts);
    (void)strftime(day, sizeof(day), "%Y%m%d", &parts);
    const char letter = algorithm == DKIM_RSA_SHA256 ? 'r' : 'e';
    (void)snprintf(selector, DIRECTORY_SELECTOR_SIZE, "%c%s", letter, day);
    for (char more = 'b'; more <= 'z' && has_selector(keys, selector); more++)
        (void)snprintf(selector, DIRECTORY_SELECTOR_SIZE, "%c%s%c", letter, day, more);
}

int domainkeys_make(struct task *task, struct hasher *hasher, struct domainkeys_made *ret_made)
{
    struct domainkeys_made made = {0};
    int result = 0;
    for (size_t i = 0; result == 0 && i < DOMAINKEYS_ALGORITHMS; i++)
        result = hasher_make_key(task, hasher, algorithms[i], &made.private_keys[i]);
    if (result == 0)
        *ret_made = made;
    else
        domainkeys_made_deinit(&made);
    return result;
}

void domainkeys_made_deinit(struct domainkeys_made *made)
{
    for (size_t i = 0; i < DOMAINKEYS_ALGORITHMS; i++)
        secret_free(made->private_keys[i]);
    *made = (struct domainkeys_made){0};
}

/* Those whose successor has signed for long enough. */
static int remove_old(struct directory *directory, const char *domain, const struct domainkeys *keys, uint64_t now)
{
    for (size_t i = 0; i < keys->count; i++) {
        uint64_t successor = UINT64_MAX;
        for (size_t j = 0; j < i; j++)
            if (keys->keys[j].row.algorithm == keys->keys[i].row.algorithm && keys->keys[j].row.since < successor)
                successor = keys->keys[j].row.since;
        if (keys->keys[i].state != DOMAINKEY_RETIRED || successor + DOMAINKEYS_LINGER > now)
            continue;
        int result = directory_dkim_remove(directory, domain, keys->keys[i].row.selector);
        if (result < 0)
            return result;
    }
    return 0;
}

int domainkeys_rotate(struct directory *directory, const char *domain, uint64_t now, const struct domainkeys_made *made)
{
    struct domainkeys keys;
    bool signs = false;
    int result = domainkeys_read(directory, domain, now, &keys);
    if (result == 0)
        result = remove_old(directory, domain, &keys, now);
    for (size_t i = 0; result == 0 && i < keys.count; i++) {
        signs = signs || keys.keys[i].state == DOMAINKEY_SIGNS;
        if (keys.keys[i].state == DOMAINKEY_WAITS)
            return DIRECTORY_IN_USE;
    }
    for (size_t i = 0; result == 0 && i < COUNT_OF(algorithms); i++) {
        struct directory_dkim row = {.algorithm = (uint32_t)algorithms[i],
                                     .since = signs ? now + DOMAINKEYS_WAIT : now};
        name_key(&keys, algorithms[i], now, row.selector);
        result = directory_dkim_add(directory, domain, &row, made->private_keys[i]);
    }
    return result;
}

/* What is done with one key while the directory has it at hand: one of the two is wanted. */
struct use {
    const char *selector;
    struct buf *record;
    struct signing_key **key;
    bool is_found;
};

static int use_row(void *arg, const struct directory_dkim *key, span_t private_key)
{
    struct use *use = arg;
    if (use->is_found || strcmp(key->selector, use->selector) != 0)
        return 0;
    use->is_found = true;
    const enum dkim_algorithm algorithm = (enum dkim_algorithm)key->algorithm;
    return use->record != NULL ? signing_key_record(algorithm, private_key, use->record)
                               : signing_key_new(algorithm, private_key, use->key);
}

static int use_key(struct directory *directory, const char *domain, struct use *use)
{
    int result = directory_dkim_each(directory, domain, use_row, use);
    return result != 0 ? result : use->is_found ? (int)DIRECTORY_OK : (int)DIRECTORY_NONE;
}

int domainkeys_record(struct directory *directory, const char *domain, const char *selector, struct buf *text)
{
    struct use use = {.selector = selector, .record = text};
    return use_key(directory, domain, &use);
}

int domainkeys_load(struct directory *directory, const char *domain, const char *selector, struct signing_key **ret_key)
{
    struct use use = {.selector = selector, .key = ret_key};
    return use_key(directory, domain, &use);
}

/* --- ready for use --- */

#define READY_MAX 64U

struct ready_key {
    char domain[NAME_DOMAIN_MAX + 1];
    char selector[DIRECTORY_SELECTOR_SIZE];
    struct signing_key *key;
};

struct domainkeys_ready {
    size_t next; /* to be replaced */
    struct ready_key keys[READY_MAX];
};

int domainkeys_ready_new(struct domainkeys_ready **ret_ready)
{
    *ret_ready = mem_new(sizeof(**ret_ready));
    return *ret_ready != NULL ? 0 : -ENOMEM;
}

void domainkeys_let_go(struct domainkeys_ready *ready)
{
    for (size_t i = 0; i < READY_MAX; i++)
        signing_key_free(ready->keys[i].key);
    *ready = (struct domainkeys_ready){.next = 0};
}

void domainkeys_ready_free(struct domainkeys_ready *ready)
{
    if (ready != NULL)
        domainkeys_let_go(ready);
    free(ready);
}

/* The key's place among those that are ready. */
static int make_ready(struct domainkeys_ready *ready, struct directory *directory, const char *domain,
                      const char *selector, struct ready_key **ret_place)
{
    for (size_t i = 0; i < READY_MAX; i++) {
        struct ready_key *place = &ready->keys[i];
        if (place->key == NULL || strcmp(place->selector, selector) != 0 || strcmp(place->domain, domain) != 0)
            continue;
        *ret_place = place;
        return DIRECTORY_OK;
    }
    struct ready_key *place = &ready->keys[ready->next];
    struct signing_key *key = NULL;
    int result = domainkeys_load(directory, domain, selector, &key);
    if (result != DIRECTORY_OK)
        return result;
    signing_key_free(place->key);
    *place = (struct ready_key){.key = key};
    (void)snprintf(place->domain, sizeof(place->domain), "%s", domain);
    (void)snprintf(place->selector, sizeof(place->selector), "%s", selector);
    ready->next = (ready->next + 1) % READY_MAX;
    *ret_place = place;
    return DIRECTORY_OK;
}

int domainkeys_sign(struct domainkeys_ready *ready, struct directory *directory, const char *domain,
                    const char *selector, const uint8_t hash[DKIM_HASH_SIZE], struct buf *signature)
{
    struct ready_key *place = NULL;
    int result = make_ready(ready, directory, domain, selector, &place);
    return result != DIRECTORY_OK ? result : signing_key_sign(place->key, hash, signature);
}
