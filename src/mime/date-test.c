#include "base/test.h"

#include "mime/date.h"

static void dates_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t unix_time;
        int32_t zone;
    } rows[] = {
        {"Mon, 02 Jan 2006 15:04:05 +0100", 1136210645, 60},
        {"2 Jan 2006 15:04:05 -0700", 1136239445, -420},
        {"Mon, 2 Jan 06 15:04 GMT", 1136214240, 0},
        {"Mon Jan  2 15:04:05 2006", 1136214245, 0},
        {"Mon, 02-Jan-2006 15:04:05 EST", 1136232245, -300},
        {"Mon,\r\n 2 (day) Jan (month (of a year)) 2006 15:04:05 +0000 (UTC)", 1136214245, 0},
        {"Thu, 1 Jan 1970 00:00:00 +0000", 0, 0},
        {"31 Dec 1969 23:59:59 +0000", -1, 0},
        {"29 Feb 2000 12:00:00 +0000", 951825600, 0},
        {"2 Jan 2006", 1136160000, 0},
        {"2 Jan 106 00:00:00 +0000", 1136160000, 0},
        {"2 Jan 2006 15:04:05 GMT+01:00", 1136210645, 60},
        {"2 Jan 2006 3:04:05 PM", 1136214245, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mime_date date;
        assert_int_equal(mime_date_parse(span_of_text(rows[i].text), &date), 0);
        assert_int_equal(date.unix_time, rows[i].unix_time);
        assert_int_equal(date.zone_minutes, rows[i].zone);
    }
}

static void what_is_no_date_is_named_so(void **state)
{
    (void)state;
    static const char *const rows[] = {"",
                                       "yesterday",
                                       "32 Jan 2006",
                                       "2 Foo 2006",
                                       "2 Jan",
                                       "Jan 2006",
                                       "2 Jan 2006 25:00",
                                       "2 Jan 2006 10:61",
                                       "2 Jan 2006 10:",
                                       "99999999999999999999",
                                       "((((2 Jan 2006",
                                       "2 Jan 99999"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mime_date date;
        assert_int_equal(mime_date_parse(span_of_text(rows[i]), &date), MIME_DATE_NONE);
    }
}

static void the_day_is_the_senders(void **state)
{
    (void)state;
    struct mime_date date;
    assert_int_equal(mime_date_parse(SPAN("1 Mar 2020 00:30:00 +0200"), &date), 0);
    assert_int_equal(mime_date_day(&date), mime_date_days(2020, 3, 1));
    assert_int_equal(mime_date_days(1970, 1, 1), 0);
    assert_int_equal(mime_date_days(1969, 12, 31), -1);
}

static void formatting_gives_back_what_was_read(void **state)
{
    (void)state;
    static const char *const rows[] = {"Mon, 02 Jan 2006 15:04:05 +0100", "Sat, 29 Feb 2020 23:59:59 -0330",
                                       "Thu, 01 Jan 1970 00:00:00 +0000", "Wed, 31 Dec 1969 23:00:00 +0000",
                                       "Sun, 31 Dec 2023 00:00:00 +1400"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf text;
        struct mime_date date;
        buf_init(&text, 100);
        assert_int_equal(mime_date_parse(span_of_text(rows[i]), &date), 0);
        assert_int_equal(mime_date_format(&date, &text), 0);
        assert_true(span_equal(buf_span(&text), span_of_text(rows[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(what_is_no_date_is_named_so),
        cmocka_unit_test(the_day_is_the_senders),
        cmocka_unit_test(formatting_gives_back_what_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
