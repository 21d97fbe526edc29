#include "base/test.h"

#include "role/keeper/visitors.h"

#include <stdio.h>

static const uint8_t key[16] = "0123456789abcde";
static const struct visitor_rates few = {
    .connections = 3, .messages = 2, .sender_messages = 1, .recipients = 4, .unknown = 2};

#define NOW 1700000000

static void a_network_has_so_many_connections_an_hour(void **state)
{
    (void)state;
    AUTO(visitors) struct visitors *visitors = NULL;
    bool is_known = true;
    assert_int_equal(visitors_new(key, &visitors), 0);
    for (unsigned at = 0; at < 3; at++)
        assert_int_equal(visitors_connect(visitors, NOW, &few, SPAN("192.0.2.1"), &is_known), VISITOR_GO);
    assert_false(is_known);
    assert_int_equal(visitors_connect(visitors, NOW, &few, SPAN("192.0.2.200"), &is_known), VISITOR_WAIT);
    assert_int_equal(visitors_connect(visitors, NOW, &few, SPAN("192.0.3.1"), &is_known), VISITOR_GO);
    assert_int_equal(visitors_connect(visitors, NOW, &few, SPAN("2001:db8::1"), &is_known), VISITOR_GO);
    assert_int_equal(visitors_connect(visitors, NOW + 3700, &few, SPAN("192.0.2.1"), &is_known), VISITOR_GO);
}

static int recipient(struct visitors *visitors, span_t client, span_t sender, bool is_first, bool is_unknown)
{
    const struct visitor_recipient one = {
        .client = client, .sender = sender, .is_first = is_first, .is_unknown = is_unknown};
    return visitors_recipient(visitors, NOW, &few, &one);
}

static void a_sender_is_counted_by_network(void **state)
{
    (void)state;
    AUTO(visitors) struct visitors *visitors = NULL;
    assert_int_equal(visitors_new(key, &visitors), 0);
    assert_int_equal(recipient(visitors, SPAN("192.0.2.1"), SPAN("a@x.test"), true, false), VISITOR_GO);
    assert_int_equal(recipient(visitors, SPAN("192.0.2.1"), SPAN("a@x.test"), false, false), VISITOR_GO);
    assert_int_equal(recipient(visitors, SPAN("192.0.2.1"), SPAN("a@x.test"), true, false), VISITOR_WAIT);
    assert_int_equal(recipient(visitors, SPAN("192.0.2.1"), SPAN("b@x.test"), true, false), VISITOR_GO);
    assert_int_equal(recipient(visitors, SPAN("198.51.100.1"), SPAN("a@x.test"), true, false), VISITOR_GO);
    assert_int_equal(recipient(visitors, SPAN("198.51.100.1"), SPAN("b@x.test"), true, false), VISITOR_GO);
    assert_int_equal(recipient(visitors, SPAN("198.51.100.1"), SPAN("c@x.test"), true, false), VISITOR_WAIT);
}

static void who_guesses_too_often_learns_nothing_more(void **state)
{
    (void)state;
    AUTO(visitors) struct visitors *visitors = NULL;
    assert_int_equal(visitors_new(key, &visitors), 0);
    assert_int_equal(recipient(visitors, SPAN("2001:db8::1"), SPAN(""), false, true), VISITOR_GO);
    assert_int_equal(recipient(visitors, SPAN("2001:db8::2"), SPAN(""), false, true), VISITOR_GO);
    assert_int_equal(recipient(visitors, SPAN("2001:db8::3"), SPAN(""), false, true), VISITOR_WAIT);
    assert_int_equal(recipient(visitors, SPAN("2001:db8::1"), SPAN(""), false, false), VISITOR_WAIT);
    assert_int_equal(recipient(visitors, SPAN("2001:db8:0:1::1"), SPAN(""), false, false), VISITOR_GO);
}

static void nothing_is_counted_where_any_number_may_come(void **state)
{
    (void)state;
    static const struct visitor_rates any = {0};
    const struct visitor_recipient one = {SPAN("192.0.2.1"), SPAN("a@x.test"), true, true};
    AUTO(visitors) struct visitors *visitors = NULL;
    bool is_known = false;
    assert_int_equal(visitors_new(key, &visitors), 0);
    for (unsigned at = 0; at < 1000; at++) {
        assert_int_equal(visitors_connect(visitors, NOW, &any, SPAN("192.0.2.1"), &is_known), VISITOR_GO);
        assert_int_equal(visitors_recipient(visitors, NOW, &any, &one), VISITOR_GO);
    }
}

static void who_delivered_well_is_known_for_a_while(void **state)
{
    (void)state;
    AUTO(visitors) struct visitors *visitors = NULL;
    bool is_known = false;
    assert_int_equal(visitors_new(key, &visitors), 0);
    assert_int_equal(visitors_vouch(visitors, NOW, SPAN("192.0.2.1")), 0);
    assert_int_equal(visitors_connect(visitors, NOW + 3600, &few, SPAN("192.0.2.77"), &is_known), VISITOR_GO);
    assert_true(is_known);
    assert_int_equal(visitors_connect(visitors, NOW, &few, SPAN("198.51.100.1"), &is_known), VISITOR_GO);
    assert_false(is_known);
    assert_int_equal(visitors_connect(visitors, NOW + 7200 + VISITORS_MEMORY, &few, SPAN("192.0.2.1"), &is_known),
                     VISITOR_GO);
    assert_false(is_known);
}

static void the_oldest_is_forgotten_when_there_is_no_room(void **state)
{
    (void)state;
    static const struct visitor_rates any = {0};
    AUTO(visitors) struct visitors *visitors = NULL;
    bool is_known = true;
    assert_int_equal(visitors_new(key, &visitors), 0);
    for (unsigned at = 0; at <= VISITORS_KNOWN_MAX; at++) {
        char client[32];
        (void)snprintf(client, sizeof(client), "10.%u.%u.1", at >> 8 & 255U, at & 255U);
        if (at == VISITORS_KNOWN_MAX)
            (void)snprintf(client, sizeof(client), "11.0.0.1");
        assert_int_equal(visitors_vouch(visitors, NOW, span_of_text(client)), 0);
    }
    assert_int_equal(visitors_connect(visitors, NOW, &any, SPAN("10.0.0.1"), &is_known), VISITOR_GO);
    assert_false(is_known);
    assert_int_equal(visitors_connect(visitors, NOW, &any, SPAN("10.0.1.1"), &is_known), VISITOR_GO);
    assert_true(is_known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_has_so_many_connections_an_hour),
        cmocka_unit_test(a_sender_is_counted_by_network),
        cmocka_unit_test(who_guesses_too_often_learns_nothing_more),
        cmocka_unit_test(nothing_is_counted_where_any_number_may_come),
        cmocka_unit_test(who_delivered_well_is_known_for_a_while),
        cmocka_unit_test(the_oldest_is_forgotten_when_there_is_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
