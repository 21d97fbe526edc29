#include "trust/fixture.h"

#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "role/courier/courier-state.h"
#include "role/courier/stskept.h"

#define ENFORCE "version: STSv1\nmode: enforce\nmx: mx.one.test\nmax_age: 86400\n"
#define TESTING "version: STSv1\nmode: testing\nmx: mx.one.test\nmax_age: 86400\n"
#define NONE "version: STSv1\nmode: none\nmax_age: 86400\n"
#define SAYS(id) SPAN("\x10v=STSv1; id=" id ";")
#define DAY 86400

static const struct fixture_row rows[] = {
    {"_mta-sts.one.test", DNS_TXT, SAYS("abc"), DNS_FOUND, false, NULL},
};
static struct fixture_zone zone = {rows, COUNT_OF(rows), 0};
static const struct dns_lookup lookup = {fixture_ask, &zone};

/* As much of courier as policies are kept in; nothing is fetched here. */
static void begin(struct courier *courier)
{
    *courier = (struct courier){.hash_key = {1}};
    event_init(&courier->settling);
    buf_init(&courier->over, 65536);
    assert_int_equal(sts_cache_new(&courier->sts), 0);
}

static void end(struct courier *courier)
{
    sts_cache_free(courier->sts);
    buf_deinit(&courier->over);
}

static int take(struct courier *courier, uint64_t record, const char *domain, const char *text, int64_t left)
{
    AUTO_BUF struct buf bytes;
    const struct sts_kept kept = {.fetched = courier_seconds(),
                                  .ends = courier_seconds() + left,
                                  .id = SPAN("abc"),
                                  .domain = span_of_text(domain),
                                  .text = span_of_text(text)};
    buf_init(&bytes, STS_KEPT_MAX);
    assert_int_equal(sts_kept_write(&kept, &bytes), 0);
    return sts_take(courier, record, buf_span(&bytes));
}

/* The mode of the policy that holds; MTASTS_NONE: there is none. */
static enum mtasts_mode mode_of(struct courier *courier, const char *domain)
{
    AUTO(arena) struct arena *arena = NULL;
    struct sts_found found;
    assert_int_equal(arena_new(1U << 20, &arena), 0);
    const struct routing routing = {.lookup = &lookup, .arena = arena};
    assert_int_equal(sts_find(NULL, courier, &routing, domain, &found), 0);
    assert_false(found.has_failed);
    return found.policy == NULL ? MTASTS_NONE : found.policy->mode;
}

static bool is_released(const struct courier *courier, uint64_t record)
{
    for (span_t rest = buf_span(&courier->over); rest.len >= 8; rest = span_from(rest, 8))
        if (bytes_get_u64(rest.at) == record)
            return true;
    return false;
}

static void what_was_kept_holds_without_being_fetched(void **state)
{
    (void)state;
    struct courier courier;
    begin(&courier);
    assert_int_equal(mode_of(&courier, "none.test"), MTASTS_NONE);
    assert_int_equal(take(&courier, 7, "one.test", ENFORCE, DAY), 0);
    assert_int_equal(mode_of(&courier, "one.test"), MTASTS_ENFORCE);
    assert_int_equal(mode_of(&courier, "a.one.test"), MTASTS_NONE);
    assert_int_equal(buf_len(&courier.over), 0);
    end(&courier);
}

/* RFC 8461 §5.1 */
static void a_record_that_has_gone_ends_no_policy_but_mode_none_does(void **state)
{
    (void)state;
    struct courier courier;
    begin(&courier);
    assert_int_equal(take(&courier, 7, "gone.test", ENFORCE, DAY), 0);
    assert_int_equal(take(&courier, 8, "none.test", NONE, DAY), 0);
    assert_int_equal(mode_of(&courier, "gone.test"), MTASTS_ENFORCE);
    assert_int_equal(mode_of(&courier, "none.test"), MTASTS_NONE);
    end(&courier);
}

static void the_newest_holds_and_the_others_are_released(void **state)
{
    (void)state;
    struct courier courier;
    begin(&courier);
    assert_int_equal(take(&courier, 9, "one.test", TESTING, DAY), 0); /* the newest is met first */
    assert_int_equal(take(&courier, 8, "one.test", ENFORCE, DAY), 0);
    assert_int_equal(take(&courier, 9, "one.test", TESTING, DAY), 0); /* met again */
    assert_int_equal(mode_of(&courier, "one.test"), MTASTS_TESTING);
    assert_true(is_released(&courier, 8));
    assert_false(is_released(&courier, 9));
    end(&courier);
}

static void what_is_over_is_forgotten(void **state)
{
    (void)state;
    struct courier courier;
    begin(&courier);
    assert_int_equal(take(&courier, 7, "old.test", ENFORCE, -1), 0);
    assert_int_equal(mode_of(&courier, "old.test"), MTASTS_NONE);
    assert_true(is_released(&courier, 7));
    assert_int_equal(sts_take(&courier, 8, SPAN("nonsense")), -EBADMSG);
    end(&courier);
}

static void the_one_that_ends_first_makes_room(void **state)
{
    (void)state;
    struct courier courier;
    char domain[32];
    begin(&courier);
    for (unsigned i = 0; i <= STS_MAX; i++) {
        (void)snprintf(domain, sizeof(domain), "d%u.test", i);
        assert_int_equal(take(&courier, i + 1, domain, ENFORCE, i == 5 ? DAY : 2 * DAY), 0);
    }
    assert_int_equal(mode_of(&courier, "d5.test"), MTASTS_NONE);
    assert_int_equal(mode_of(&courier, "d4.test"), MTASTS_ENFORCE);
    assert_int_equal(mode_of(&courier, domain), MTASTS_ENFORCE);
    assert_true(is_released(&courier, 6));
    assert_int_equal(buf_len(&courier.over), 8);
    end(&courier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_holds_without_being_fetched),
        cmocka_unit_test(a_record_that_has_gone_ends_no_policy_but_mode_none_does),
        cmocka_unit_test(the_newest_holds_and_the_others_are_released),
        cmocka_unit_test(what_is_over_is_forgotten),
        cmocka_unit_test(the_one_that_ends_first_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
