#include "base/test.h"

#include <sqlite3.h>
#include <string.h>

#include "vault/memory.h"

#define BLOCKS 500

static void blocks_keep_what_is_written_to_them(void **state)
{
    (void)state;
    static unsigned char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = sqlite3_malloc((int)(i * 1037 % 130000) + 1);
        assert_non_null(blocks[i]);
        memset(blocks[i], (int)(i & 0xff), i * 1037 % 130000 + 1);
    }
    for (size_t i = 0; i < BLOCKS; i += 2) {
        blocks[i] = sqlite3_realloc(blocks[i], (int)(i * 1037 % 130000) + 1000);
        assert_non_null(blocks[i]);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        assert_int_equal(blocks[i][0], i & 0xff);
        assert_int_equal(blocks[i][i * 1037 % 130000], i & 0xff);
        assert_true(sqlite3_msize(blocks[i]) > i * 1037 % 130000);
        assert_int_equal((uintptr_t)blocks[i] % 8, 0);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        sqlite3_free(blocks[i]);
}

/* A block that is still held keeps its content through a trim; once all are freed, their place is used again. */
static void what_is_held_is_not_given_back(void **state)
{
    (void)state;
    memory_trim();
    char *first = sqlite3_malloc(5000);
    char *held = sqlite3_malloc(100);
    assert_non_null(first);
    assert_non_null(held);
    strcpy(held, "held");
    sqlite3_free(first);
    memory_trim();
    assert_string_equal(held, "held");
    sqlite3_free(held);
    memory_trim();
    char *again = sqlite3_malloc(5000);
    assert_ptr_equal(again, first);
    assert_int_equal(again[100], 0); /* a page never touched since */
    sqlite3_free(again);
}

static void a_database_works_in_it(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        sqlite3 *database = NULL;
        assert_int_equal(sqlite3_open(":memory:", &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database,
                                      "CREATE TABLE t(a, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                                      "FROM n WHERE i < 20000) INSERT INTO t SELECT i, zeroblob(i % 3000) FROM n;"
                                      "CREATE INDEX x ON t(b, a); DELETE FROM t WHERE a % 3 = 0;",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
        sqlite3_stmt *statement = NULL;
        assert_int_equal(sqlite3_prepare_v2(database, "PRAGMA integrity_check", -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        assert_string_equal((const char *)sqlite3_column_text(statement, 0), "ok");
        assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
        assert_int_equal(sqlite3_close(database), SQLITE_OK);
        memory_trim();
    }
}

int main(void)
{
    memory_use();
    if (sqlite3_initialize() != SQLITE_OK)
        return 1;
    memory_mark();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_keep_what_is_written_to_them),
        cmocka_unit_test(what_is_held_is_not_given_back),
        cmocka_unit_test(a_database_works_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
