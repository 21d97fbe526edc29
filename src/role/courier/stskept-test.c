#include "base/test.h"

#include "role/courier/stskept.h"

static const struct sts_kept kept = {.fetched = 1700000000,
                                     .ends = 1700086400,
                                     .id = SPAN("20260101"),
                                     .domain = SPAN("example.org"),
                                     .text = SPAN("version: STSv1\r\n")};

static void what_is_kept_is_read_again(void **state)
{
    (void)state;
    AUTO_BUF struct buf bytes;
    struct sts_kept again;
    buf_init(&bytes, STS_KEPT_MAX);
    assert_int_equal(sts_kept_write(&kept, &bytes), 0);
    assert_true(sts_kept_read(buf_span(&bytes), &again));
    assert_true(again.fetched == kept.fetched && again.ends == kept.ends);
    assert_true(span_equal(again.id, kept.id) && span_equal(again.domain, kept.domain));
    assert_true(span_equal(again.text, kept.text));
}

static void what_is_cut_short_or_of_another_version_is_none(void **state)
{
    (void)state;
    AUTO_BUF struct buf bytes;
    struct sts_kept again;
    buf_init(&bytes, STS_KEPT_MAX);
    assert_int_equal(sts_kept_write(&kept, &bytes), 0);
    for (size_t len = 0; len <= buf_len(&bytes) - kept.text.len; len++)
        assert_false(sts_kept_read(span_upto(buf_span(&bytes), len), &again));
    bytes.bytes[bytes.start]++;
    assert_false(sts_kept_read(buf_span(&bytes), &again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_read_again),
        cmocka_unit_test(what_is_cut_short_or_of_another_version_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
