#include "base/test.h"

#include "mime/header.h"

static void folded_fields_are_read_whole(void **state)
{
    (void)state;
    span_t rest = SPAN("A: one\r\n two\r\nno colon\r\n: no name\r\nB :\tb \nA:x\r\n\r\nC: body");
    struct mime_field field;
    assert_true(mime_field_next(&rest, &field));
    assert_true(span_equal(field.whole, SPAN("A: one\r\n two\r\n")));
    assert_true(span_equal(field.value, SPAN("one\r\n two")));
    assert_true(mime_field_next(&rest, &field));
    assert_true(span_equal(field.name, SPAN("B")));
    assert_true(span_equal(field.value, SPAN("b")));
    assert_true(mime_field_next(&rest, &field));
    assert_false(mime_field_next(&rest, &field));
}

static void the_first_field_of_a_name_is_found(void **state)
{
    (void)state;
    span_t header = SPAN("x: 1\nSubject: a\nsubject: b\nempty:\n\nTo: c\n");
    assert_true(span_equal(mime_field_value(header, SPAN("SUBJECT")), SPAN("a")));
    assert_null(mime_field_value(header, SPAN("To")).at);
    assert_non_null(mime_field_value(header, SPAN("Empty")).at);
    assert_int_equal(mime_field_value(header, SPAN("Empty")).len, 0);
}

static void the_header_ends_with_its_empty_line(void **state)
{
    (void)state;
    assert_int_equal(mime_header_len(SPAN("a: b\r\n\r\nbody")), 8);
    assert_int_equal(mime_header_len(SPAN("a: b\n\nbody")), 6);
    assert_int_equal(mime_header_len(SPAN("a: b\nc")), 6);
    assert_int_equal(mime_header_len(SPAN("\r\nx")), 2);
    assert_int_equal(mime_header_len(SPAN_NONE), 0);
}

static void unfolding_leaves_one_space(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    buf_init(&text, 100);
    assert_int_equal(mime_field_unfold(SPAN("a\r\n \tb\n\tc\rd\0e"), &text), 0);
    assert_true(span_equal(buf_span(&text), SPAN("a b c d e")));
}

static void signatures_and_keys_are_opaque(void **state)
{
    (void)state;
    assert_true(mime_field_is_opaque(SPAN("dkim-signature")));
    assert_true(mime_field_is_opaque(SPAN("Autocrypt")));
    assert_false(mime_field_is_opaque(SPAN("DKIM-Signatures")));
    assert_false(mime_field_is_opaque(SPAN("Subject")));
    assert_false(mime_field_is_opaque(SPAN_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folded_fields_are_read_whole),        cmocka_unit_test(the_first_field_of_a_name_is_found),
        cmocka_unit_test(the_header_ends_with_its_empty_line), cmocka_unit_test(unfolding_leaves_one_space),
        cmocka_unit_test(signatures_and_keys_are_opaque),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
