#include "base/test.h"

#include "base/order.h"

#define COUNT 5000U

static uint64_t number_at(unsigned i)
{
    uint64_t mixed = i * UINT64_C(0x9e3779b97f4a7c15);
    return i % 3 == 0 ? mixed % 50 : i % 3 == 1 ? mixed : UINT64_MAX - mixed % 50;
}

static void rows_come_in_order_and_equals_stay_as_they_were(void **state)
{
    (void)state;
    static struct order_row rows[COUNT];
    static struct order_row room[COUNT];
    for (size_t count = 0; count <= COUNT; count = count * 2 + 1) {
        for (unsigned i = 0; i < count; i++)
            rows[i] = (struct order_row){number_at(i), i};
        order_rows(rows, room, count);
        for (size_t i = 1; i < count; i++) {
            assert_true(rows[i - 1].number < rows[i].number ||
                        (rows[i - 1].number == rows[i].number && rows[i - 1].place < rows[i].place));
            assert_true(rows[i].number == number_at(rows[i].place));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_in_order_and_equals_stay_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
