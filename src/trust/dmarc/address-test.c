#include "trust/fixture.h"

#include <stdio.h>

#include "trust/dmarc/address.h"

/* RFC 7489 §6.2, §6.4 */
static void uris_say_where_and_how_large(void **state)
{
    static const struct {
        const char *uri;
        const char *address; /* NULL: none */
        uint64_t size_max;
    } rows[] = {
        {"mailto:a@x.test", "a@x.test", DMARC_SIZE_NONE},
        {" MAILTO:a@x.test ", "a@x.test", DMARC_SIZE_NONE},
        {"mailto:a@x.test!50", "a@x.test", 50},
        {"mailto:a@x.test!10m", "a@x.test", 10U << 20},
        {"mailto:a@x.test!1K", "a@x.test", 1024},
        {"mailto:a@x.test!2g", "a@x.test", UINT64_C(2) << 30},
        {"mailto:a@x.test!1t", "a@x.test", UINT64_C(1) << 40},
        {"mailto:a@x.test!0", "a@x.test", 0},
        {"mailto:a%21b@x.test!1k", "a!b@x.test", 1024},
        {"mailto:a@x.test!18446744073709551615", "a@x.test", DMARC_SIZE_NONE},
        {"mailto:a@x.test!18446744073709551616", "a@x.test", DMARC_SIZE_NONE},
        {"mailto:a@x.test!99999999999999999999999999999t", "a@x.test", DMARC_SIZE_NONE},
        {"mailto:a@x.test!18446744073709551615k", "a@x.test", DMARC_SIZE_NONE},
        {"mailto:a@x.test!", NULL, 0},
        {"mailto:a@x.test!m", NULL, 0},
        {"mailto:a@x.test!-1", NULL, 0},
        {"mailto:a@x.test!1x", NULL, 0},
        {"mailto:a@x.test!1kk", NULL, 0},
        {"mailto:nobody", NULL, 0},
        {"mailto:", NULL, 0},
        {"mailto:a%0d%0aBcc:b@x.test", NULL, 0},
        {"https://x.test/", NULL, 0},
        {"", NULL, 0},
    };
    (void)state;
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        AUTO(arena) struct arena *arena = NULL;
        struct dmarc_address address;
        assert_int_equal(arena_new(1U << 16, &arena), 0);
        if (dmarc_uri_parse(span_of_text(rows[row].uri), arena, &address) != (rows[row].address != NULL))
            fail_msg("%s", rows[row].uri);
        if (rows[row].address == NULL)
            continue;
        assert_true(span_equal(address.address, span_of_text(rows[row].address)));
        assert_int_equal(address.size_max, rows[row].size_max);
    }
}

static const struct fixture_row records[] = {
    {"x.test._report._dmarc.agreed.test", DNS_TXT, SPAN("\10v=DMARC1"), DNS_FOUND, true, NULL},
    {"x.test._report._dmarc.moved.test", DNS_TXT, SPAN("\41v=DMARC1; rua=mailto:b@moved.test"), DNS_FOUND, true, NULL},
    {"x.test._report._dmarc.thief.test", DNS_TXT, SPAN("\42v=DMARC1; rua=mailto:b@victim.test"), DNS_FOUND, true, NULL},
    {"x.test._report._dmarc.slow.test", DNS_TXT, SPAN(""), DNS_FAILED, true, NULL},
    {"x.test._report._dmarc.other.test", DNS_TXT, SPAN("\6v=spf1"), DNS_FOUND, true, NULL},
};

/* RFC 7489 §7.1 */
static void others_get_reports_only_where_they_have_agreed(void **state)
{
    static const struct {
        const char *rua;
        const char *first; /* NULL: nobody */
        bool is_open;
    } rows[] = {
        {"mailto:a@x.test", "a@x.test", false},
        {"mailto:a@sub.X.test", "a@sub.X.test", false}, /* of the same organization */
        {"mailto:a@agreed.test", "a@agreed.test", false},
        {"mailto:a@Agreed.test.", "a@Agreed.test.", false},
        {"mailto:a@sub.agreed.test", NULL, false}, /* another name */
        {"mailto:a@victim.test", NULL, false},
        {"mailto:a@other.test", NULL, false},
        {"mailto:a@slow.test", NULL, true},
        {"mailto:a@moved.test", "b@moved.test", false},
        {"mailto:a@thief.test", "a@thief.test", false}, /* not to whom it would have it sent */
        {"mailto:a@victim.test,mailto:a@agreed.test", "a@agreed.test", false},
        {"", NULL, false},
    };
    (void)state;
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct fixture_zone zone = {records, COUNT_OF(records), 0};
        struct dns_lookup lookup = {fixture_ask, &zone};
        AUTO(arena) struct arena *arena = NULL;
        struct dmarc_addresses found;
        assert_int_equal(arena_new(1U << 16, &arena), 0);
        assert_int_equal(dmarc_addresses_find(&lookup, SPAN("x.test"), span_of_text(rows[row].rua), arena, &found), 0);
        if (found.count != (rows[row].first != NULL) || found.is_open != rows[row].is_open)
            fail_msg("%s: %zu", rows[row].rua, found.count);
        if (found.count > 0 && !span_equal(found.list[0].address, span_of_text(rows[row].first)))
            fail_msg("%s: %.*s", rows[row].rua, SPAN_PRINT(found.list[0].address));
    }
}

static void a_thousand_addresses_cost_no_more_than_a_few(void **state)
{
    struct fixture_zone zone = {records, COUNT_OF(records), 0};
    struct dns_lookup lookup = {fixture_ask, &zone};
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf rua;
    struct dmarc_addresses found;
    (void)state;
    buf_init(&rua, 1U << 20);
    assert_int_equal(arena_new(1U << 20, &arena), 0);
    for (unsigned i = 0; i < 1000; i++)
        (void)buf_append_format(&rua, "mailto:a@victim%u.test,", i);
    assert_int_equal(dmarc_addresses_find(&lookup, SPAN("x.test"), buf_span(&rua), arena, &found), 0);
    assert_int_equal(found.count, 0);
    assert_int_equal(zone.asked, DMARC_URIS_LOOKED_AT);
    buf_clear(&rua);
    for (unsigned i = 0; i < 1000; i++)
        (void)buf_append_format(&rua, "mailto:a%u@x.test,", i / 2); /* each twice */
    assert_int_equal(dmarc_addresses_find(&lookup, SPAN("x.test"), buf_span(&rua), arena, &found), 0);
    assert_int_equal(found.count, DMARC_ADDRESSES_MAX);
    assert_true(span_equal(found.list[3].address, SPAN("a3@x.test")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_say_where_and_how_large),
        cmocka_unit_test(others_get_reports_only_where_they_have_agreed),
        cmocka_unit_test(a_thousand_addresses_cost_no_more_than_a_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
