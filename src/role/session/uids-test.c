#include "base/test.h"

#include <stdlib.h>

#include "role/session/uids.h"

/* Against a plain list: so many random UIDs, of which some go again and again. */
static void runs_are_what_a_plain_list_is(void **state)
{
    (void)state;
    enum { MOST = 3000 };
    static uint32_t plain[MOST];
    static uint32_t gone[MOST];
    size_t count = 0;
    unsigned seed = 7;
    struct uids uids;
    uids_init(&uids);
    for (uint32_t uid = 5; count < MOST; uid += 1 + (rand_r(&seed) % 4 == 0 ? (uint32_t)(rand_r(&seed) % 9) : 0)) {
        plain[count++] = uid;
        assert_int_equal(uids_append(&uids, uid), 0);
    }
    while (count > 0) {
        assert_int_equal(uids.count, count);
        size_t at = 0;
        for (uint32_t uid = 0; uid <= plain[count - 1] + 2; uid++) {
            while (at < count && plain[at] < uid)
                at++;
            assert_int_equal(uids_find(&uids, uid), at);
        }
        size_t kept = 0;
        size_t out = 0;
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(uids_at(&uids, i), plain[i]);
            if (rand_r(&seed) % 3 == 0 || count < 20)
                gone[out++] = plain[i];
            else
                plain[kept++] = plain[i];
        }
        count = kept;
        assert_int_equal(uids_remove(&uids, gone, out), 0);
    }
    assert_int_equal(uids.count, 0);
    uids_deinit(&uids);
}

static void uids_without_gaps_are_one_run(void **state)
{
    (void)state;
    struct uids uids;
    uids_init(&uids);
    for (uint32_t uid = UINT32_MAX - 1000; uid < UINT32_MAX; uid++)
        assert_int_equal(uids_append(&uids, uid), 0);
    assert_int_equal(uids.run_count, 1);
    assert_int_equal(uids_find(&uids, UINT32_MAX), 1000);
    assert_int_equal(uids_at(&uids, 999), UINT32_MAX - 1);
    const uint32_t absent[] = {1, 2, UINT32_MAX};
    assert_int_equal(uids_remove(&uids, absent, 3), 0);
    assert_int_equal(uids.count, 1000);
    uids_deinit(&uids);
}

static void runs_that_meet_become_one(void **state)
{
    (void)state;
    struct uids uids;
    uids_init(&uids);
    assert_int_equal(uids_append_run(&uids, 1, 0), 0);
    assert_int_equal(uids.run_count, 0);
    assert_int_equal(uids_append_run(&uids, 3, 1000000), 0);
    assert_int_equal(uids_append_run(&uids, 1000003, 7), 0);
    assert_int_equal(uids.run_count, 1);
    assert_int_equal(uids_append_run(&uids, 1000011, 2), 0);
    assert_int_equal(uids.run_count, 2);
    assert_int_equal(uids.count, 1000009);
    assert_int_equal(uids_at(&uids, 1000006), 1000009);
    assert_int_equal(uids_at(&uids, 1000007), 1000011);
    uids_deinit(&uids);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(runs_are_what_a_plain_list_is),
        cmocka_unit_test(uids_without_gaps_are_one_run),
        cmocka_unit_test(runs_that_meet_become_one),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
