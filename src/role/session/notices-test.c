#include "base/test.h"

#include "role/session/notices.h"
#include "role/session/session.h"

static void nothing_is_kept_while_nobody_listens(void **state)
{
    (void)state;
    struct session session = {0};
    struct notice notice = {.kind = NOTICE_NAME, .name = SPAN("a")};
    uint64_t next = 0;
    notices_add(&session, &notice);
    assert_null(session.notices);
    assert_int_equal(notices_listen(&session, &next), 0);
    assert_int_equal(notices_get(&session, next, &notice), NOTICE_NONE);
    notices_ignore(&session);
    assert_null(session.notices);
}

static void each_listener_hears_of_what_comes_after_it_began(void **state)
{
    (void)state;
    struct session session = {0};
    struct notice notice = {0};
    uint64_t first = 0;
    uint64_t second = 0;
    assert_int_equal(notices_listen(&session, &first), 0);
    notices_add(&session, &(struct notice){.kind = NOTICE_NAME, .name = SPAN("new"), .other = SPAN("old")});
    assert_int_equal(notices_listen(&session, &second), 0);
    notices_add(&session, &(struct notice){.kind = NOTICE_SUBSCRIPTION, .name = SPAN("b")});
    assert_int_equal(notices_get(&session, first, &notice), 0);
    assert_true(span_equal(notice.name, SPAN("new")));
    assert_true(span_equal(notice.other, SPAN("old")));
    assert_int_equal(notices_get(&session, second, &notice), 0);
    assert_int_equal(notice.kind, NOTICE_SUBSCRIPTION);
    assert_int_equal(notice.other.len, 0);
    notices_ignore(&session);
    assert_int_equal(notices_get(&session, second + 1, &notice), NOTICE_NONE);
    notices_ignore(&session);
}

static void who_does_not_listen_for_long_loses_some(void **state)
{
    (void)state;
    struct session session = {0};
    struct notice notice = {.kind = NOTICE_NAME, .name = SPAN("a")};
    uint64_t next = 0;
    assert_int_equal(notices_listen(&session, &next), 0);
    for (size_t i = 0; i < NOTICES_MAX; i++)
        notices_add(&session, &notice);
    assert_int_equal(notices_get(&session, next, &notice), 0);
    notices_add(&session, &(struct notice){.name = SPAN("b")});
    assert_int_equal(notices_get(&session, next, &notice), NOTICE_LOST);
    assert_int_equal(notices_get(&session, next + 1, &notice), 0);
    notices_ignore(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_kept_while_nobody_listens),
        cmocka_unit_test(each_listener_hears_of_what_comes_after_it_began),
        cmocka_unit_test(who_does_not_listen_for_long_loses_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
