#include "base/test.h"

#include "trust/spf/macro.h"
#include "trust/spf/record.h"

static int parse(const char *text, struct arena *arena, struct spf_record *record)
{
    return spf_is_record(span_of_text(text)) ? spf_record_parse(span_of_text(text), arena, record) : -1;
}

static void terms_are_read(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    struct spf_record record;
    assert_int_equal(arena_new(10000, &arena), 0);
    assert_int_equal(parse("v=spf1  a -mx:x.example/24//64 ip4:192.0.2.0/28 ~ip6:2001:db8::/32 include:%{d}.y.example "
                           "redirect=z.example exp=%{d1r}.w.example ",
                           arena, &record),
                     SPF_PARSE_OK);
    assert_int_equal(record.count, 5);
    assert_int_equal(record.terms[0].mechanism, SPF_A);
    assert_null(record.terms[0].domain.at);
    assert_int_equal(record.terms[1].qualifier, SPF_FAIL);
    assert_true(span_equal(record.terms[1].domain, SPAN("x.example")));
    assert_int_equal(record.terms[1].bits_four, 24);
    assert_int_equal(record.terms[1].bits_six, 64);
    assert_int_equal(record.terms[2].bits_four, 28);
    assert_int_equal(record.terms[3].qualifier, SPF_SOFTFAIL);
    assert_int_equal(record.terms[3].bits_six, 32);
    assert_true(span_equal(record.redirect, SPAN("z.example")));
    assert_true(span_equal(record.exp, SPAN("%{d1r}.w.example")));
}

static void wrong_records_are_refused_whole(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "v=spf1 all:x",
        "v=spf1 include",
        "v=spf1 a:",
        "v=spf1 a:x",
        "v=spf1 a:x.1",
        "v=spf1 a/33",
        "v=spf1 a//129",
        "v=spf1 a/024",
        "v=spf1 ip4:1.2.3",
        "v=spf1 ip4:1.2.3.4/",
        "v=spf1 ip6:1.2.3.4",
        "v=spf1 unknown",
        "v=spf1 +redirect=x.y",
        "v=spf1 redirect=",
        "v=spf1 exp=a.b exp=a.b",
        "v=spf1 1x=y",
        "v=spf1 x=%{z}",
        "v=spf1 a:%{d0}.x.y",
        "v=spf1 a:%{d",
        "v=spf1 a:%d.example.org",
        "v=spf1 all\t",
        "v=spf1 exists:%{c}.x.y",
        "v=spf1 -- all",
        "v=spf1 all mx:\x80.example",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = NULL;
        struct spf_record record;
        assert_int_equal(arena_new(10000, &arena), 0);
        assert_int_equal(parse(rows[i], arena, &record), SPF_PARSE_WRONG);
    }
    assert_false(spf_is_record(SPAN("v=spf10 all")));
    assert_false(spf_is_record(SPAN("v=spf1\tall")));
}

/* RFC 7208 §7.4 */
static void macros_are_expanded(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"192.0.2.3", "%{s}", "strong-bad@email.example.com"},
        {"192.0.2.3", "%{d4}", "email.example.com"},
        {"192.0.2.3", "%{d2}", "example.com"},
        {"192.0.2.3", "%{dr}", "com.example.email"},
        {"192.0.2.3", "%{d2r}", "example.email"},
        {"192.0.2.3", "%{l-}", "strong.bad"},
        {"192.0.2.3", "%{lr-}", "bad.strong"},
        {"192.0.2.3", "%{l1r-}", "strong"},
        {"192.0.2.3", "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
        {"192.0.2.3", "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
        {"2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}",
         "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com"},
        {"192.0.2.3", "%%%_%-%{S}", "% %20strong-bad%40email.example.com"},
        {"192.0.2.3", "%{p} %{t} %{c} %{r}", "unknown 7 192.0.2.3 unknown"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ip ip;
        AUTO_BUF struct buf text;
        buf_init(&text, 1000);
        assert_true(ip_parse(span_of_text(rows[i][0]), &ip));
        const struct spf_macros macros = {.local = SPAN("strong-bad"),
                                          .origin = SPAN("email.example.com"),
                                          .domain = SPAN("email.example.com"),
                                          .ip = &ip,
                                          .now = 7};
        assert_true(spf_macro_is_valid(span_of_text(rows[i][1]), SPF_IN_TEXT));
        assert_int_equal(spf_macro_expand(span_of_text(rows[i][1]), &macros, &text), 0);
        assert_true(span_equal(buf_span(&text), span_of_text(rows[i][2])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_are_read),
        cmocka_unit_test(wrong_records_are_refused_whole),
        cmocka_unit_test(macros_are_expanded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
