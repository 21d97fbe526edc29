#include "base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "role/supervisor/state.h"

static void make(const char *root, const char *name, int is_folder)
{
    char path[300];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    if (is_folder) {
        assert_int_equal(mkdir(path, 0700), 0);
        return;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

static int stands(const char *root, const char *name)
{
    char path[300];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    return access(path, F_OK) == 0;
}

static void a_vault_goes_with_all_in_it_and_nothing_else(void **state)
{
    (void)state;
    char root[] = "/tmp/waxwing-erase-XXXXXX";
    char link[300];
    assert_non_null(mkdtemp(root));
    make(root, "vault", 1);
    make(root, "kept", 0);
    make(root, "vault/0000000000000001", 1);
    make(root, "vault/0000000000000001/vault.db", 0);
    make(root, "vault/0000000000000001/deeper", 1);
    make(root, "vault/0000000000000001/deeper/file", 0);
    make(root, "vault/0000000000000002", 1);
    (void)snprintf(link, sizeof(link), "%s/vault/0000000000000001/link", root);
    assert_int_equal(symlink("../../kept", link), 0);
    assert_int_equal(erase_vault(root, 1), 0);
    assert_false(stands(root, "vault/0000000000000001"));
    assert_true(stands(root, "vault/0000000000000002"));
    assert_true(stands(root, "kept"));
    assert_int_equal(erase_vault(root, 1), 0);
    assert_int_equal(erase_vault(root, 2), 0);
    (void)snprintf(link, sizeof(link), "%s/vault", root);
    (void)rmdir(link);
    (void)snprintf(link, sizeof(link), "%s/kept", root);
    (void)unlink(link);
    (void)rmdir(root);
}

static void a_mark_stands_until_it_is_taken_away(void **state)
{
    (void)state;
    char root[] = "/tmp/waxwing-erase-XXXXXX";
    char vault[300];
    assert_non_null(mkdtemp(root));
    make(root, "vault", 1);
    make(root, "vault/0000000000000001", 1);
    make(root, "vault/0000000000000002.removed.not", 1);
    make(root, "vault/2.removed", 1);
    assert_int_equal(erase_mark(root, UINT64_C(0xfedcba9876543210)), 0);
    assert_int_equal(erase_mark(root, UINT64_C(0xfedcba9876543210)), 0);
    struct buf accounts;
    buf_init(&accounts, 64);
    assert_int_equal(erase_list(root, &accounts), 0);
    assert_int_equal(buf_len(&accounts), 8);
    assert_int_equal(bytes_get_u64(buf_span(&accounts).at), UINT64_C(0xfedcba9876543210));
    assert_int_equal(erase_unmark(root, UINT64_C(0xfedcba9876543210)), 0);
    assert_int_equal(erase_unmark(root, UINT64_C(0xfedcba9876543210)), 0);
    buf_clear(&accounts);
    assert_int_equal(erase_list(root, &accounts), 0);
    assert_int_equal(buf_len(&accounts), 0);
    buf_deinit(&accounts);
    static const char *const left[] = {"0000000000000001", "0000000000000002.removed.not", "2.removed", "."};
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        (void)snprintf(vault, sizeof(vault), "%s/vault/%s", root, left[i]);
        (void)rmdir(vault);
    }
    (void)snprintf(vault, sizeof(vault), "%s/vault", root);
    (void)rmdir(vault);
    (void)rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vault_goes_with_all_in_it_and_nothing_else),
        cmocka_unit_test(a_mark_stands_until_it_is_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
