#include "base/test.h"

#include <errno.h>
#include <string.h>

#include "proto/dns/rdata.h"

#define WIRE(literal) literal, sizeof(literal) - 1

struct printed {
    enum dns_type type;
    const char *wire;
    size_t len;
    const char *text;
};

static const struct printed printed[] = {
    {DNS_A, WIRE("\177\0\0\1"), "127.0.0.1"},
    {DNS_A, WIRE("\177\0\0"), "\\# 3 7f0000"},
    {DNS_AAAA, WIRE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), "::1"},
    {DNS_NS, WIRE("\2ns\4test\0"), "ns.test."},
    {DNS_PTR, WIRE("\0"), "."},
    {DNS_MX, WIRE("\0\12\2mx\4test\0"), "10 mx.test."},
    {DNS_MX, WIRE("\0\0\0"), "0 ."},
    {DNS_MX, WIRE("\0\0\0x"), "\\# 4 00000078"},
    {DNS_MX, WIRE("\0\0\xc0\0"), "\\# 4 0000c000"},
    {DNS_TXT, WIRE("\3a\"b\1\\\0"), "\"a\\\"b\" \"\\\\\" \"\""},
    {DNS_TXT, WIRE("\3a\0\n"), "\"a\\000\\010\""},
    {DNS_TXT, WIRE("\4abc"), "\\# 4 04616263"},
    {DNS_TXT, WIRE(""), "\\# 0"},
    {DNS_SRV, WIRE("\0\0\0\1\2P\2mx\4test\0"), "0 1 592 mx.test."},
    {DNS_TLSA, WIRE("\3\1\1\xab\xcd"), "3 1 1 abcd"},
    {DNS_TLSA, WIRE("\3\1\1"), "\\# 3 030101"},
    {DNS_CAA, WIRE("\200\5issueca.test; x=\"y\""), "128 issue \"ca.test; x=\\\"y\\\"\""},
    {DNS_CAA, WIRE("\0\5is ueca"),
     "\\# 9 00056973207565"
     "6361"},
    {DNS_CAA, WIRE("\0\0ca"), "\\# 4 00006361"},
    {DNS_SOA, WIRE("\1a\0\1b\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\xff\xff\xff\xff"), "a. b. 1 2 3 4 4294967295"},
    {DNS_SOA, WIRE("\1a\0\1b\0\0\0\0\1"), "\\# 10 01610001620000000001"},
    {(enum dns_type)65, WIRE("\1\2"), "\\# 2 0102"},
};

static void records_are_printed_as_zone_files_have_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(printed); i++) {
        AUTO_BUF struct buf out;
        buf_init(&out, 1000);
        assert_int_equal(dns_print_rdata(&out, printed[i].type, span_of(printed[i].wire, printed[i].len)), 0);
        buf_append_byte(&out, 0);
        assert_string_equal(buf_span(&out).at, printed[i].text);
    }
}

static void a_long_text_is_cut_and_joined(void **state)
{
    static const size_t lengths[] = {0, 1, 254, 255, 256, 510, 511, 3000};
    AUTO(arena) struct arena *arena = NULL;
    char text[3000];
    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(arena_new(100000, &arena), 0);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        AUTO_BUF struct buf wire;
        span_t joined;
        buf_init(&wire, 4000);
        assert_int_equal(dns_put_txt(&wire, span_of(text, lengths[i])), 0);
        assert_int_equal(dns_read_txt(buf_span(&wire), arena, &joined), 0);
        assert_true(span_equal(joined, span_of(text, lengths[i])));
    }
}

static void a_record_reads_as_it_was_written(void **state)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf wire;
    struct dns_mx mx;
    struct dns_srv srv;
    struct dns_tlsa tlsa;
    struct dns_caa caa;
    (void)state;
    assert_int_equal(arena_new(4000, &arena), 0);
    buf_init(&wire, 1000);
    assert_int_equal(dns_put_mx(&wire, &(struct dns_mx){10, "mx.test"}), 0);
    assert_int_equal(dns_read_mx(buf_span(&wire), arena, &mx), 0);
    assert_int_equal(mx.preference, 10);
    assert_string_equal(mx.exchange, "mx.test");
    buf_clear(&wire);
    assert_int_equal(dns_put_srv(&wire, &(struct dns_srv){1, 2, 993, "imap.test."}), 0);
    assert_int_equal(dns_read_srv(buf_span(&wire), arena, &srv), 0);
    assert_int_equal(srv.priority, 1);
    assert_int_equal(srv.weight, 2);
    assert_int_equal(srv.port, 993);
    assert_string_equal(srv.target, "imap.test");
    buf_clear(&wire);
    assert_int_equal(dns_put_tlsa(&wire, &(struct dns_tlsa){3, 1, 2, SPAN("hash")}), 0);
    assert_int_equal(dns_read_tlsa(buf_span(&wire), &tlsa), 0);
    assert_int_equal(tlsa.usage * 100 + tlsa.selector * 10 + tlsa.matching, 312);
    assert_true(span_equal(tlsa.data, SPAN("hash")));
    buf_clear(&wire);
    assert_int_equal(dns_put_caa(&wire, &(struct dns_caa){0, SPAN("iodef"), SPAN("mailto:a@b.test")}), 0);
    assert_int_equal(dns_read_caa(buf_span(&wire), &caa), 0);
    assert_true(span_equal(caa.tag, SPAN("iodef")));
    assert_true(span_equal(caa.value, SPAN("mailto:a@b.test")));
    assert_int_equal(dns_put_caa(&wire, &(struct dns_caa){0, SPAN("not a tag"), SPAN("")}), -EINVAL);
    assert_int_equal(dns_put_mx(&wire, &(struct dns_mx){10, "a..b"}), -EINVAL);
}

static void memory_may_run_out(void **state)
{
    AUTO(arena) struct arena *arena = NULL;
    const char *name = NULL;
    span_t text;
    (void)state;
    assert_int_equal(arena_new(8, &arena), 0);
    assert_int_equal(dns_read_name(SPAN("\7example\4test\0"), arena, &name), -ENOMEM);
    assert_int_equal(dns_read_txt(SPAN("\7example\4test"), arena, &text), -ENOMEM);
}

static void a_type_has_a_name(void **state)
{
    char room[DNS_TYPE_TEXT_SIZE];
    (void)state;
    assert_string_equal(dns_type_text(DNS_TLSA, room), "TLSA");
    assert_string_equal(dns_type_text((enum dns_type)65280, room), "TYPE65280");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_printed_as_zone_files_have_them),
        cmocka_unit_test(a_long_text_is_cut_and_joined),
        cmocka_unit_test(a_record_reads_as_it_was_written),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(a_type_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
