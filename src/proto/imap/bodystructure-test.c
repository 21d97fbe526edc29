#include "base/test.h"

#include "proto/imap/bodystructure.h"

static const struct {
    const char *message;
    const char *body;
    const char *structure;
} rows[] = {
    {"Subject: x\n\nbody\n", "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 1)",
     "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 1 NIL NIL NIL NIL)"},
    {"Content-Type: multipart/mixed; boundary=b\nContent-Language: en, de\n\n--b\n"
     "Content-Type: image/png; name=\"x.png\"\nContent-Transfer-Encoding: base64\nContent-ID: <i>\n"
     "Content-Description: d\nContent-Disposition: attachment; filename=x.png\nContent-MD5: m\n"
     "Content-Location: l\n\nAAAA\n--b--\n",
     "((\"image\" \"png\" (\"name\" \"x.png\") \"<i>\" \"d\" \"base64\" 4) \"mixed\")",
     "((\"image\" \"png\" (\"name\" \"x.png\") \"<i>\" \"d\" \"base64\" 4 \"m\" (\"attachment\" (\"filename\" "
     "\"x.png\")) NIL \"l\") \"mixed\" (\"boundary\" \"b\") NIL (\"en\" \"de\") NIL)"},
    {"Content-Type: message/rfc822\n\nSubject: in\n\nx\n",
     "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) (\"text\" "
     "\"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 2 1) 3)",
     "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) (\"text\" "
     "\"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 2 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)"},
    {"Content-Type: multipart/mixed\n\nx\n",
     "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")",
     "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) \"mixed\" NIL NIL NIL "
     "NIL)"},
    {"Content-Type: text/html; x=\"\"\nContent-Disposition: inline\n\n",
     "(\"text\" \"html\" (\"x\" \"\" \"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)",
     "(\"text\" \"html\" (\"x\" \"\" \"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL (\"inline\" NIL) NIL NIL)"},
};

static void assert_text(const struct buf *line, const char *expected)
{
    if (!span_equal(buf_span(line), span_of_text(expected)))
        print_error("%.*s\n", SPAN_PRINT(buf_span(line)));
    assert_true(span_equal(buf_span(line), span_of_text(expected)));
}

static void structures_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = NULL;
        AUTO_BUF struct buf line;
        struct mime_part *root = NULL;
        buf_init(&line, 10000);
        assert_int_equal(arena_new(MIME_ARENA_MAX, &arena), 0);
        assert_int_equal(mime_parse(span_of_text(rows[i].message), arena, &root), 0);
        assert_int_equal(imap_body_append(root, &line), 0);
        assert_text(&line, rows[i].body);
        buf_clear(&line);
        assert_int_equal(imap_bodystructure_append(root, &line), 0);
        assert_text(&line, rows[i].structure);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structures_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
