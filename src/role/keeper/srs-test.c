#include "base/test.h"

#include <string.h>

#include "role/keeper/srs.h"

#define NOW (20000LL * 86400)
#define DAYS(count) ((int64_t)(count)*86400)

static const uint8_t key[SRS_KEY_SIZE] = {1};
static const uint8_t other_key[SRS_KEY_SIZE] = {2};

static int there(const uint8_t *with, const char *sender, const char *domain, struct buf *address)
{
    const struct srs srs = {.key = with, .now = NOW};
    buf_init(address, 1024);
    return srs_write(&srs, span_of_text(sender), span_of_text(domain), address);
}

static int back(const uint8_t *with, int64_t now, span_t address, struct buf *sender)
{
    const struct srs srs = {.key = with, .now = now};
    buf_init(sender, 1024);
    return srs_read(&srs, span_upto(address, span_find_last_byte(address, '@')), sender);
}

static void reports_find_their_way_back(void **state)
{
    (void)state;
    static const char *const senders[] = {"user@example.org", "User.Name+tag@Example.org", "a=b=c@example.org",
                                          "m\xc3\xbcller@b\xc3\xbc.example"};
    for (size_t i = 0; i < COUNT_OF(senders); i++) {
        AUTO_BUF struct buf address;
        AUTO_BUF struct buf sender;
        assert_int_equal(there(key, senders[i], "ours.test", &address), SRS_OK);
        assert_true(span_starts(buf_span(&address), SPAN("SRS0=")));
        assert_true(span_ends(buf_span(&address), SPAN("@ours.test")));
        assert_int_equal(back(key, NOW + DAYS(SRS_DAYS), buf_span(&address), &sender), SRS_OK);
        assert_true(span_equal(buf_span(&sender), span_of_text(senders[i])));
    }
}

static void what_was_rewritten_before_goes_back_to_who_did_so(void **state)
{
    (void)state;
    AUTO_BUF struct buf one;
    AUTO_BUF struct buf two;
    AUTO_BUF struct buf three;
    AUTO_BUF struct buf sender;
    assert_int_equal(there(other_key, "user@example.org", "first.test", &one), SRS_OK);
    assert_int_equal(buf_append_byte(&one, '\0'), 0);
    assert_int_equal(there(other_key, (const char *)buf_span(&one).at, "second.test", &two), SRS_OK);
    assert_true(span_starts(buf_span(&two), SPAN("SRS1=")));
    assert_int_equal(buf_append_byte(&two, '\0'), 0);
    assert_int_equal(there(key, (const char *)buf_span(&two).at, "ours.test", &three), SRS_OK);
    assert_true(buf_len(&three) <= buf_len(&two));
    assert_int_equal(back(key, NOW + DAYS(500), buf_span(&three), &sender), SRS_OK);
    assert_true(span_equal(buf_span(&sender), span_upto(buf_span(&one), buf_len(&one) - 1)));
}

static void other_separators_survive(void **state)
{
    (void)state;
    AUTO_BUF struct buf address;
    AUTO_BUF struct buf sender;
    assert_int_equal(there(key, "SRS0+abcd=xy=example.org=user@first.test", "ours.test", &address), SRS_OK);
    assert_int_equal(back(key, NOW, buf_span(&address), &sender), SRS_OK);
    assert_true(span_equal(buf_span(&sender), SPAN("SRS0+abcd=xy=example.org=user@first.test")));
}

static void a_changed_or_old_or_foreign_one_is_refused(void **state)
{
    (void)state;
    AUTO_BUF struct buf address;
    assert_int_equal(there(key, "user@example.org", "ours.test", &address), SRS_OK);
    const struct {
        const uint8_t *key;
        int64_t now;
        size_t changed; /* which byte; 0: none */
    } rows[] = {{other_key, NOW, 0},     {key, NOW + DAYS(SRS_DAYS + 1), 0},
                {key, NOW - DAYS(1), 0}, {key, NOW, 6},
                {key, NOW, 15},          {key, NOW, 18},
                {key, NOW, 30}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf copy;
        AUTO_BUF struct buf sender;
        buf_init(&copy, 1024);
        assert_int_equal(buf_append(&copy, buf_span(&address)), 0);
        if (rows[i].changed > 0)
            copy.bytes[copy.start + rows[i].changed] ^= 1;
        assert_int_equal(back(rows[i].key, rows[i].now, buf_span(&copy), &sender), SRS_BAD);
        assert_int_equal(buf_len(&sender), 0);
    }
}

static void case_that_is_lost_on_the_way_does_no_harm(void **state)
{
    (void)state;
    AUTO_BUF struct buf address;
    AUTO_BUF struct buf sender;
    assert_int_equal(there(key, "user@example.org", "ours.test", &address), SRS_OK);
    for (size_t at = address.start; at < address.end; at++)
        address.bytes[at] = ascii_upper(address.bytes[at]);
    assert_int_equal(back(key, NOW, buf_span(&address), &sender), SRS_OK);
    assert_true(span_equal_nocase(buf_span(&sender), SPAN("user@example.org")));
}

static void what_cannot_be_rewritten_stays(void **state)
{
    (void)state;
    char longer[400];
    for (size_t at = 0; at < sizeof(longer); at++)
        longer[at] = 'x';
    memcpy(longer + sizeof(longer) - 7, "@x.test", 7);
    const struct srs srs = {.key = key, .now = NOW};
    const span_t rows[] = {
        SPAN(""),      SPAN("user"),        SPAN("\"a b\"@x.test"), SPAN("a@[192.0.2.1]"),          SPAN("@x.test"),
        SPAN("user@"), SPAN("SRS1=only@x"), SPAN("user@a=b.test"),  span_of(longer, sizeof(longer))};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf address;
        buf_init(&address, 1024);
        assert_int_equal(srs_write(&srs, rows[i], SPAN("ours.test"), &address), SRS_NONE);
        assert_int_equal(buf_len(&address), 0);
    }
    AUTO_BUF struct buf sender;
    buf_init(&sender, 1024);
    assert_int_equal(srs_read(&srs, SPAN("srsly"), &sender), SRS_NONE);
    assert_int_equal(srs_read(&srs, SPAN("SRS0=x"), &sender), SRS_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_find_their_way_back),
        cmocka_unit_test(what_was_rewritten_before_goes_back_to_who_did_so),
        cmocka_unit_test(other_separators_survive),
        cmocka_unit_test(a_changed_or_old_or_foreign_one_is_refused),
        cmocka_unit_test(case_that_is_lost_on_the_way_does_no_harm),
        cmocka_unit_test(what_cannot_be_rewritten_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
