#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "role/keeper/domainkeys.h"
#include "role/keeper/signingkey.h"
#include "trust/dkim/key.h"

#define DOMAIN "example.org"
#define NOW UINT64_C(1700000000) /* 2023-11-14 */

static char folder[] = "/tmp/waxwing-domainkeys-XXXXXX";

static struct directory *opened(void)
{
    static const uint8_t key[32] = {1};
    struct directory *directory = NULL;
    char path[64];
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/directory.db", folder);
    assert_int_equal(directory_open(path, key, &directory), 0);
    assert_int_equal(directory_domain_add(directory, DOMAIN), DIRECTORY_OK);
    return directory;
}

static void removed(void)
{
    static const char *const names[] = {"directory.db", "directory.db-wal", "directory.db-journal"};
    char path[64];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static int rotate(struct directory *directory, const char *domain, uint64_t now)
{
    struct domainkeys_made made = {0};
    assert_int_equal(signing_key_make(DKIM_RSA_SHA256, &made.private_keys[0]), 0);
    assert_int_equal(signing_key_make(DKIM_ED25519_SHA256, &made.private_keys[1]), 0);
    int result = domainkeys_rotate(directory, domain, now, &made);
    domainkeys_made_deinit(&made);
    return result;
}

static void expect_states(struct directory *directory, uint64_t now, const char *expected)
{
    struct domainkeys keys;
    char states[DOMAINKEYS_MAX + 1] = "";
    assert_int_equal(domainkeys_read(directory, DOMAIN, now, &keys), 0);
    for (size_t i = 0; i < keys.count; i++)
        states[i] = "SWR"[keys.keys[i].state];
    assert_string_equal(states, expected);
}

static void new_keys_wait_and_old_ones_linger(void **state)
{
    (void)state;
    AUTO(directory) struct directory *directory = opened();
    assert_int_equal(rotate(directory, "elsewhere.example", NOW), DIRECTORY_NONE);
    assert_int_equal(rotate(directory, DOMAIN, NOW), DIRECTORY_OK);
    expect_states(directory, NOW, "SS");
    assert_int_equal(rotate(directory, DOMAIN, NOW + 60), DIRECTORY_OK); /* on the same day */
    expect_states(directory, NOW + 60, "WWSS");
    assert_int_equal(rotate(directory, DOMAIN, NOW + 120), DIRECTORY_IN_USE);
    const uint64_t changed = NOW + 60 + DOMAINKEYS_WAIT;
    expect_states(directory, changed - 1, "WWSS");
    expect_states(directory, changed, "SSRR");
    assert_int_equal(rotate(directory, DOMAIN, changed + DOMAINKEYS_LINGER - 1), DIRECTORY_OK);
    expect_states(directory, changed + DOMAINKEYS_LINGER, "WWSSRR");
    const uint64_t again = changed + DOMAINKEYS_LINGER + DOMAINKEYS_WAIT;
    expect_states(directory, again, "SSRRRR");
    assert_int_equal(rotate(directory, DOMAIN, again), DIRECTORY_OK);
    expect_states(directory, again, "WWSSRR");
    removed();
}

/* RFC 8463 §3.1: both algorithms side by side */
static void what_is_signed_verifies_with_the_record(void **state)
{
    (void)state;
    static const uint8_t hash[DKIM_HASH_SIZE] = {7};
    AUTO(directory) struct directory *directory = opened();
    AUTO(domainkeys_ready) struct domainkeys_ready *ready = NULL;
    struct domainkeys keys;
    assert_int_equal(domainkeys_ready_new(&ready), 0);
    assert_int_equal(rotate(directory, DOMAIN, NOW), DIRECTORY_OK);
    assert_int_equal(domainkeys_read(directory, DOMAIN, NOW, &keys), 0);
    assert_int_equal(keys.count, 2);
    for (size_t i = 0; i < keys.count; i++) {
        const struct directory_dkim *row = &keys.keys[i].row;
        AUTO_DKIM_KEY struct dkim_key key = {.key = NULL};
        AUTO_BUF struct buf record;
        AUTO_BUF struct buf signature;
        buf_init(&record, 1000);
        buf_init(&signature, 1000);
        assert_string_equal(row->selector + 1, "20231114");
        assert_int_equal(domainkeys_record(directory, DOMAIN, row->selector, &record), DIRECTORY_OK);
        for (size_t round = 0; round < 2; round++) { /* the second time it is ready */
            buf_clear(&signature);
            assert_int_equal(domainkeys_sign(ready, directory, DOMAIN, row->selector, hash, &signature), DIRECTORY_OK);
        }
        assert_int_equal(dkim_key_parse(buf_span(&record), (enum dkim_algorithm)row->algorithm, &key).result,
                         DKIM_NONE);
        assert_true(dkim_key_verifies(&key, hash, buf_span(&signature)));
    }
    AUTO_BUF struct buf nothing;
    buf_init(&nothing, 1000);
    assert_int_equal(domainkeys_sign(ready, directory, DOMAIN, "r1", hash, &nothing), DIRECTORY_NONE);
    removed();
}

static void keys_go_with_their_domain(void **state)
{
    (void)state;
    AUTO(directory) struct directory *directory = opened();
    assert_int_equal(rotate(directory, DOMAIN, NOW), DIRECTORY_OK);
    assert_int_equal(directory_domain_remove(directory, DOMAIN), DIRECTORY_OK);
    assert_int_equal(directory_domain_add(directory, DOMAIN), DIRECTORY_OK);
    expect_states(directory, NOW, "");
    removed();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_keys_wait_and_old_ones_linger),
        cmocka_unit_test(what_is_signed_verifies_with_the_record),
        cmocka_unit_test(keys_go_with_their_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
