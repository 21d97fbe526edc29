#include "base/test.h"

#include <errno.h>

#include "mime/text.h"

static int read_text(span_t message, struct buf *utf8)
{
    AUTO(arena) struct arena *arena = NULL;
    struct mime_part *root = NULL;
    assert_int_equal(arena_new(MIME_ARENA_MAX, &arena), 0);
    assert_int_equal(mime_parse(message, arena, &root), 0);
    return mime_text_append(root, utf8);
}

static void a_body_is_decoded_and_converted(void **state)
{
    (void)state;
    AUTO_BUF struct buf utf8;
    buf_init(&utf8, 1000);
    assert_int_equal(read_text(SPAN("Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: "
                                    "quoted-printable\n\n=F4=C5=\n=D3=D4\n"),
                               &utf8),
                     0);
    assert_true(span_equal(buf_span(&utf8), SPAN("\xd0\xa2\xd0\xb5\xd1\x81\xd1\x82\n")));
}

static void long_bodies_come_in_whole_characters(void **state)
{
    (void)state;
    AUTO_BUF struct buf message;
    AUTO_BUF struct buf utf8;
    buf_init(&message, 1000000);
    buf_init(&utf8, 100001);
    buf_append_text(&message, "Content-Type: text/plain; charset=utf-8\n\n");
    for (size_t i = 0; i < 100000; i++)
        buf_append_text(&message, "\xe2\x82\xac");
    assert_int_equal(read_text(buf_span(&message), &utf8), -ENOBUFS);
    assert_int_equal(buf_len(&utf8), 99999);
}

static void folding_forgets_case_and_marks(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"Hello World", "hello world"},
        {"\xc3\x89t\xc3\xa9", "ete"},
        {"e\xcc\x81", "e"},
        {"Stra\xc3\x9f"
         "e",
         "strasse"},
        {"\xef\xac\x81n", "fin"},                 /* a ligature */
        {"\xef\xbc\xa1", "a"},                    /* full width */
        {"\xce\xa3\xcf\x82", "\xcf\x83\xcf\x83"}, /* both forms of sigma */
        {"\xd0\x9f\xd0\xa0", "\xd0\xbf\xd1\x80"},
        {"\xe6\x97\xa5", "\xe6\x97\xa5"},
        {"\xf0\x90\x90\x80", "\xf0\x90\x90\xa8"}, /* outside the basic plane */
        {"\xff"
         "A",
         "\xef\xbf\xbd"
         "a"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf folded;
        buf_init(&folded, 1000);
        assert_int_equal(mime_text_fold(span_of_text(rows[i][0]), &folded), 0);
        assert_true(span_equal(buf_span(&folded), span_of_text(rows[i][1])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_decoded_and_converted),
        cmocka_unit_test(long_bodies_come_in_whole_characters),
        cmocka_unit_test(folding_forgets_case_and_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
