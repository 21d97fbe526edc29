#include "base/test.h"

#include "base/map.h"

static void entries_come_and_go_and_stay_findable(void **state)
{
    (void)state;
    static char values[1000];
    AUTO(map) struct map *map = NULL;
    assert_int_equal(map_new(&map), 0);
    assert_null(map_get(map, 1));
    for (int round = 0; round < 5; round++) {
        for (uint64_t key = 0; key < 1000; key++)
            assert_int_equal(map_put(map, key << 32, &values[key]), 0);
        assert_int_equal(map_count(map), 1000);
        for (uint64_t key = 0; key < 1000; key += 2)
            assert_ptr_equal(map_remove(map, key << 32), &values[key]);
        assert_null(map_remove(map, 0));
        for (uint64_t key = 0; key < 1000; key++)
            assert_ptr_equal(map_get(map, key << 32), key % 2 == 0 ? NULL : (void *)&values[key]);
        assert_int_equal(map_count(map), 500);
    }
}

static void walking_meets_each_entry_once(void **state)
{
    (void)state;
    static char values[50];
    int seen[50] = {0};
    AUTO(map) struct map *map = NULL;
    assert_int_equal(map_new(&map), 0);
    for (uint64_t key = 0; key < 50; key++)
        assert_int_equal(map_put(map, key, &values[key]), 0);
    size_t cursor = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_next(map, &cursor, &key, &value)) {
        assert_ptr_equal(value, &values[key]);
        seen[key]++;
        assert_ptr_equal(map_remove(map, key), value);
    }
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(map_count(map), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_and_go_and_stay_findable),
        cmocka_unit_test(walking_meets_each_entry_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
