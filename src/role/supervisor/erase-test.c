#include "base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vault_goes_with_all_in_it_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
