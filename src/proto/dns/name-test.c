#include "base/test.h"

#include <errno.h>
#include <string.h>

#include "proto/dns/name.h"

struct bytes {
    const char *wire;
    size_t len;
    const char *text;
};
#define WIRE(literal) literal, sizeof(literal) - 1

static const struct bytes same[] = {
    {WIRE("\0"), ""},
    {WIRE("\3com\0"), "com"},
    {WIRE("\7example\3com\0"), "example.com"},
    {WIRE("\5_dmar\1c\0"), "_dmar.c"},
    {WIRE("\3a.b\1c\0"), "a\\.b.c"},
    {WIRE("\2a\\\0"), "a\\\\"},
    {WIRE("\4a \0\xff\0"), "a\\032\\000\\255"},
    {WIRE("\6\"();@$\0"), "\\\"\\(\\)\\;\\@\\$"},
};

static void a_name_is_the_same_in_text_and_on_the_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        AUTO(arena) struct arena *arena = NULL;
        AUTO_BUF struct buf wire;
        const char *text = NULL;
        span_t rest = span_of(same[i].wire, same[i].len);
        buf_init(&wire, DNS_NAME_WIRE_MAX);
        assert_int_equal(arena_new(4000, &arena), 0);
        assert_int_equal(dns_name_read(SPAN_NONE, &rest, arena, &text), 0);
        assert_string_equal(text, same[i].text);
        assert_int_equal(rest.len, 0);
        assert_int_equal(dns_name_write(&wire, span_of_text(text)), 0);
        assert_true(span_equal(buf_span(&wire), span_of(same[i].wire, same[i].len)));
    }
}

/* RFC 1035 §4.1.4 */
static const struct compressed {
    const char *message;
    size_t len;
    size_t at;
    const char *text; /* NULL: refused */
    size_t left;
} compressed[] = {
    {WIRE("\3com\0\3one\xc0\0xyz"), 5, "one.com", 3},
    {WIRE("\3com\0\xc0\0"), 5, "com", 0},
    {WIRE("\3com\0\3one\xc0\0\3two\xc0\5"), 11, "two.one.com", 0},
    {WIRE("\3com\0\xc0\5"), 5, NULL, 0},       /* itself */
    {WIRE("\3com\0\xc0\7\xc0\5"), 5, NULL, 0}, /* forwards */
    {WIRE("\3com\0\1a\xc0\5"), 5, NULL, 0},    /* a loop */
    {WIRE("\3com\0\xc0"), 5, NULL, 0},         /* cut off */
    {WIRE("\3com\0\x80\0"), 5, NULL, 0},       /* RFC 6891 §5 */
    {WIRE("\3com"), 0, NULL, 0},               /* no end */
    {WIRE("\4com"), 0, NULL, 0},               /* too short */
};

static void compression_leads_backwards_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(compressed); i++) {
        AUTO(arena) struct arena *arena = NULL;
        AUTO_BUF struct buf wire;
        const char *text = NULL;
        const span_t message = span_of(compressed[i].message, compressed[i].len);
        span_t rest = span_from(message, compressed[i].at);
        span_t again = rest;
        buf_init(&wire, 1000);
        assert_int_equal(arena_new(4000, &arena), 0);
        if (compressed[i].text == NULL) {
            assert_int_equal(dns_name_read(message, &rest, arena, &text), -EBADMSG);
            assert_int_equal(dns_name_expand(message, &again, &wire), -EBADMSG);
            assert_int_equal(buf_len(&wire), 0);
            continue;
        }
        assert_int_equal(dns_name_read(message, &rest, arena, &text), 0);
        assert_string_equal(text, compressed[i].text);
        assert_int_equal(rest.len, compressed[i].left);
        assert_int_equal(dns_name_expand(message, &again, &wire), 0);
        again = buf_span(&wire);
        assert_int_equal(dns_name_read(SPAN_NONE, &again, arena, &text), 0);
        assert_string_equal(text, compressed[i].text);
    }
}

static void what_cannot_be_a_name_is_refused(void **state)
{
    static const char *const rows[] = {
        "a..b",   ".a",     "a b", "a\\",           "a\\25",
        "a\\256", "a\\2x5", "..",  "\xc3\xa4.test", "1234567890123456789012345678901234567890123456789012345678901234"};
    AUTO_BUF struct buf wire;
    (void)state;
    buf_init(&wire, 1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(dns_name_write(&wire, span_of_text(rows[i])), -EINVAL);
    assert_int_equal(buf_len(&wire), 0);
    assert_int_equal(dns_name_write(&wire, SPAN_NONE), 0);
    assert_int_equal(dns_name_write(&wire, SPAN(".")), 0);
    assert_int_equal(dns_name_write(&wire, SPAN("a.b.")), 0);
    assert_true(span_equal(buf_span(&wire), SPAN("\0\0\1a\1b\0")));
}

/* RFC 1035 §2.3.4 */
static void a_name_has_a_length(void **state)
{
    AUTO_BUF struct buf text;
    AUTO_BUF struct buf wire;
    (void)state;
    buf_init(&text, 1000);
    buf_init(&wire, 1000);
    for (size_t i = 0; i < 126; i++)
        buf_append_text(&text, "a.");
    buf_append_text(&text, "b"); /* 127 labels: 255 bytes */
    assert_int_equal(dns_name_write(&wire, buf_span(&text)), 0);
    assert_int_equal(buf_len(&wire), DNS_NAME_WIRE_MAX);
    buf_append_text(&text, "c");
    assert_int_equal(dns_name_write(&wire, buf_span(&text)), -EINVAL);
    AUTO(arena) struct arena *arena = NULL;
    const char *name = NULL;
    assert_int_equal(arena_new(4000, &arena), 0);
    buf_clear(&text);
    for (size_t i = 0; i < 128; i++)
        buf_append(&text, SPAN("\1a"));
    buf_append_byte(&text, 0);
    span_t rest = buf_span(&text);
    assert_int_equal(dns_name_read(SPAN_NONE, &rest, arena, &name), -EBADMSG);
}

static void names_are_compared_as_the_dns_does(void **state)
{
    (void)state;
    assert_true(dns_name_equal(SPAN("Mx.Example.ORG"), SPAN("mx.example.org.")));
    assert_true(dns_name_equal(SPAN("."), SPAN("")));
    assert_false(dns_name_equal(SPAN("a\\."), SPAN("a\\")));
    assert_true(dns_name_equal(SPAN("a\\\\."), SPAN("a\\\\")));
    assert_false(dns_name_equal(SPAN("a.test"), SPAN("b.test")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_the_same_in_text_and_on_the_wire),
        cmocka_unit_test(compression_leads_backwards_only),
        cmocka_unit_test(what_cannot_be_a_name_is_refused),
        cmocka_unit_test(a_name_has_a_length),
        cmocka_unit_test(names_are_compared_as_the_dns_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
