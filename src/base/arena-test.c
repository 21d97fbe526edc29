#include "base/test.h"

#include <stdalign.h>
#include <string.h>

#include "base/arena.h"

static void what_it_gives_is_zeroed_and_aligned_even_after_reset(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    assert_int_equal(arena_new(1 << 20, &arena), 0);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 9000; size = size * 3 + 1) {
            uint8_t *at = arena_alloc(arena, size);
            assert_non_null(at);
            assert_int_equal((uintptr_t)at % alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(at[i], 0);
            memset(at, 0xff, size);
        }
        arena_reset(arena);
        assert_int_equal(arena_used(arena), 0);
    }
}

static void the_maximum_holds(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    assert_int_equal(arena_new(1000, &arena), 0);
    assert_non_null(arena_alloc(arena, 900));
    assert_null(arena_alloc(arena, 200));
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_alloc_array(arena, SIZE_MAX / 2, 4));
    assert_non_null(arena_alloc(arena, 50));
}

static void copies_are_independent_and_texts_end(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    uint8_t source[] = {'a', 'b'};
    span_t copy;
    assert_int_equal(arena_new(1000, &arena), 0);
    assert_int_equal(arena_copy(arena, span_of(source, 2), &copy), 0);
    const char *text = arena_text(arena, copy);
    source[0] = 'x';
    assert_true(span_equal(copy, SPAN("ab")));
    assert_string_equal(text, "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_gives_is_zeroed_and_aligned_even_after_reset),
        cmocka_unit_test(the_maximum_holds),
        cmocka_unit_test(copies_are_independent_and_texts_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
