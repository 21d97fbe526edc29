#include "base/test.h"

#include <stdlib.h>

#include "base/mem.h"

static void an_array_grows_by_doubling_and_keeps_what_is_in_it(void **state)
{
    (void)state;
    uint32_t *numbers = NULL;
    size_t room = 0;
    for (uint32_t count = 0; count < 1000; count++) {
        size_t before = room;
        uint32_t *more = mem_grow(numbers, count, &room, sizeof(*more));
        assert_non_null(more);
        assert_true(room > count && (room == before || before == 0 || room == 2 * before));
        numbers = more;
        numbers[count] = count;
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
    free(numbers);
}

static void without_memory_it_stays_as_it_was(void **state)
{
    (void)state;
    size_t room = 0;
    uint32_t *numbers = mem_grow(NULL, 0, &room, sizeof(*numbers));
    assert_non_null(numbers);
    const size_t before = room;
    mem_fail_after(1);
    assert_ptr_equal(mem_grow(numbers, before - 1, &room, sizeof(*numbers)), numbers);
    assert_null(mem_grow(numbers, before, &room, sizeof(*numbers)));
    mem_fail_after(0);
    assert_int_equal(room, before);
    room = SIZE_MAX / 4;
    assert_null(mem_grow(numbers, room, &room, sizeof(*numbers)));
    assert_int_equal(room, SIZE_MAX / 4);
    free(numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_grows_by_doubling_and_keeps_what_is_in_it),
        cmocka_unit_test(without_memory_it_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
