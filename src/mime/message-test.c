#include "base/test.h"

#include <errno.h>

#include "mime/message.h"

struct fixture {
    struct arena *arena;
    struct mime_part *root;
    span_t message;
};

static void parse(struct fixture *fixture, span_t message)
{
    fixture->message = message;
    assert_int_equal(arena_new(MIME_ARENA_MAX, &fixture->arena), 0);
    assert_int_equal(mime_parse(message, fixture->arena, &fixture->root), 0);
}

static void assert_body(const struct fixture *fixture, const struct mime_part *part, const char *body)
{
    assert_non_null(part);
    assert_int_equal(part->body.len, span_of_text(body).len);
    assert_true(span_equal(part->body, span_of_text(body)));
    assert_ptr_equal(part->body.at, fixture->message.at + part->body_start);
    assert_ptr_equal(part->header.at, fixture->message.at + part->header_start);
}

static void a_plain_message_is_one_text_part(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, SPAN("Subject: x\r\n\r\nbody\r\nline\r\n"));
    assert_true(mime_part_is(fixture.root, SPAN("TEXT"), SPAN("plain")));
    assert_int_equal(fixture.root->header.len, 14);
    assert_int_equal(fixture.root->header_lines, 2);
    assert_int_equal(fixture.root->body_lines, 2);
    assert_body(&fixture, fixture.root, "body\r\nline\r\n");
    assert_int_equal(fixture.root->encoding, MIME_ENCODING_7BIT);
    arena_free(fixture.arena);
}

static void the_line_end_before_a_delimiter_is_not_the_parts(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, SPAN("Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n--b\r\n"
                         "Content-Type: text/html; charset=\"utf-8\"\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n"));
    assert_true(fixture.root->is_multipart);
    assert_int_equal(fixture.root->children, 2);
    const struct mime_part *one = fixture.root->first;
    assert_body(&fixture, one, "one");
    assert_int_equal(one->body_lines, 0);
    assert_body(&fixture, one->next, "two\r\n");
    assert_int_equal(one->next->body_lines, 1);
    assert_true(mime_part_is(one->next, SPAN("text"), SPAN("html")));
    assert_true(span_equal(mime_param_raw(one->next->params, SPAN("CHARSET")), SPAN("utf-8")));
    assert_null(one->next->next);
    arena_free(fixture.arena);
}

static void bare_line_feeds_are_line_ends(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, SPAN("Content-Type: multipart/mixed;\n boundary=b\n\n--b\n\none\n--b  \n\ntwo\r\n--b--\n"));
    assert_int_equal(fixture.root->children, 2);
    assert_body(&fixture, fixture.root->first, "one");
    assert_body(&fixture, fixture.root->first->next, "two");
    arena_free(fixture.arena);
}

static void an_outer_delimiter_ends_an_unfinished_inner_multipart(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, SPAN("Content-Type: multipart/mixed; boundary=a\n\n--a\n"
                         "Content-Type: multipart/alternative; boundary=ab\n\n--ab\n\nin\n--a\n\nout\n"));
    assert_int_equal(fixture.root->children, 2);
    assert_int_equal(fixture.root->first->children, 1);
    assert_body(&fixture, fixture.root->first->first, "in");
    assert_body(&fixture, fixture.root->first->next, "out\n");
    arena_free(fixture.arena);
}

static void a_message_in_a_message_is_opened(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, SPAN("Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: in\n\ntext\n--d\n"
                         "Content-Type: message/rfc822\n\nSubject: two\n\n--d--\n"));
    const struct mime_part *one = fixture.root->first;
    assert_true(one->is_message && one->next->is_message);
    assert_true(span_equal(mime_field_value(one->first->header, SPAN("subject")), SPAN("in")));
    assert_body(&fixture, one->first, "text");
    assert_body(&fixture, one->next->first, "");
    size_t count = 0;
    for (const struct mime_part *part = fixture.root; part != NULL; part = mime_part_after(fixture.root, part))
        count++;
    assert_int_equal(count, 5);
    arena_free(fixture.arena);
}

static void broken_messages_degrade(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        unsigned children;
        bool is_multipart;
    } rows[] = {
        {"", 0, false},
        {"\n", 0, false},
        {"no header at all", 0, false},
        {"Content-Type: multipart/mixed\n\n--\n\nx\n", 0, false},
        {"Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\nx\n", 0, false},
        {"Content-Type: multipart/mixed; boundary=b\n\nnothing of it\n", 0, true},
        {"Content-Type: multipart/mixed; boundary=b\n\n--b", 1, true},
        {"Content-Type: multipart/mixed; boundary=b\n--b\n--b\n--b--", 0, true},
        {"Content-Type: multipart/mixed; boundary=\"b\n\n--b\n\nx\n", 1, true},
        {"Content-Type: multipart/mixed; boundary=b\n\n--b--\n--b\n\nx", 0, true},
        {"Content-Type: multipart/mixed; boundary*0=\"a\"; boundary*1=b\n\n--ab\n\nx", 1, true},
        {"Content-Type: ; boundary=b\n\n--b\n\nx", 0, false},
        {"Content-Type: text\n\nx", 0, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture fixture;
        parse(&fixture, span_of_text(rows[i].message));
        assert_int_equal(fixture.root->children, rows[i].children);
        assert_int_equal(fixture.root->is_multipart, rows[i].is_multipart);
        arena_free(fixture.arena);
    }
}

static void fields_of_a_part_are_kept_raw(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, SPAN("Content-Type: application/pdf; name=\"a\\\"b.pdf\"\nContent-Transfer-Encoding: Base64\n"
                         "Content-Disposition: ATTACHMENT; filename=my file.pdf; size=3 (three)\nContent-ID: <1@x>\n"
                         "Content-Description: =?utf-8?q?x?=\nContent-Language: en\nContent-MD5: abc\n"
                         "Content-Location: http://x/\n\nAAAA"));
    const struct mime_part *root = fixture.root;
    assert_int_equal(root->encoding, MIME_ENCODING_BASE64);
    assert_true(span_equal(mime_param_raw(root->params, SPAN("name")), SPAN("a\"b.pdf")));
    assert_true(span_equal(root->disposition, SPAN("ATTACHMENT")));
    assert_true(span_equal(mime_param_raw(root->disposition_params, SPAN("filename")), SPAN("my file.pdf")));
    assert_true(span_equal(mime_param_raw(root->disposition_params, SPAN("size")), SPAN("3")));
    assert_true(span_equal(root->id, SPAN("<1@x>")));
    assert_true(span_equal(root->description, SPAN("=?utf-8?q?x?=")));
    assert_true(span_equal(root->md5, SPAN("abc")));
    arena_free(fixture.arena);
}

static void nesting_and_parts_are_bounded(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    buf_init(&text, (size_t)1024 * 1024);
    for (unsigned i = 0; i < 100; i++)
        buf_append_format(&text, "Content-Type: multipart/mixed; boundary=b%u-\n\n--b%u-\n", i, i);
    struct fixture fixture;
    parse(&fixture, buf_span(&text));
    unsigned deepest = 0;
    for (const struct mime_part *part = fixture.root; part != NULL; part = mime_part_after(fixture.root, part))
        deepest = part->depth > deepest ? part->depth : deepest;
    assert_int_equal(deepest, MIME_DEPTH_MAX);
    arena_free(fixture.arena);

    buf_clear(&text);
    buf_append_text(&text, "Content-Type: multipart/mixed; boundary=b\n\n");
    for (unsigned i = 0; i < MIME_PART_MAX * 2; i++)
        buf_append_text(&text, "--b\n\nx\n");
    parse(&fixture, buf_span(&text));
    assert_int_equal(fixture.root->children, MIME_PART_MAX - 1);
    arena_free(fixture.arena);
}

static void running_out_of_memory_is_the_only_fault(void **state)
{
    (void)state;
    span_t message = SPAN("Content-Type: multipart/mixed; boundary=b; x=\"a\\b\"\n\n--b\n\nx\n--b\n\ny\n--b--\n");
    for (size_t max = 0; max < 4096; max += 64) {
        AUTO(arena) struct arena *arena = NULL;
        struct mime_part *root = NULL;
        assert_int_equal(arena_new(max, &arena), 0);
        int result = mime_parse(message, arena, &root);
        assert_true(result == -ENOMEM || (result == 0 && root->children == 2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_message_is_one_text_part),
        cmocka_unit_test(the_line_end_before_a_delimiter_is_not_the_parts),
        cmocka_unit_test(bare_line_feeds_are_line_ends),
        cmocka_unit_test(an_outer_delimiter_ends_an_unfinished_inner_multipart),
        cmocka_unit_test(a_message_in_a_message_is_opened),
        cmocka_unit_test(broken_messages_degrade),
        cmocka_unit_test(fields_of_a_part_are_kept_raw),
        cmocka_unit_test(nesting_and_parts_are_bounded),
        cmocka_unit_test(running_out_of_memory_is_the_only_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
