#include "base/test.h"

#include "tool/transfer/maildir.h"

#include <errno.h>

static void folders_go_there_and_back(void **state)
{
    (void)state;
    static const struct {
        const char *mailbox;
        const char *name;
    } rows[] = {
        {"Work", ".Work"},
        {"Work/2024", ".Work.2024"},
        {"a.b/c\\d", ".a\\2eb.c\\5cd"},
        {"Übung & x", ".&ANw-bung &- x"},
        {"INBOX/x", ".INBOX.x"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf name;
        AUTO_BUF struct buf mailbox;
        buf_init(&name, 255);
        buf_init(&mailbox, 1000);
        assert_int_equal(maildir_folder_write(span_of_text(rows[i].mailbox), &name), 0);
        assert_true(span_equal(buf_span(&name), span_of_text(rows[i].name)));
        assert_int_equal(maildir_folder_read(buf_span(&name), &mailbox), 0);
        assert_true(span_equal(buf_span(&mailbox), span_of_text(rows[i].mailbox)));
    }
}

static void names_that_are_no_folders_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", ".", "x", "..", ".a..b", ".a\n", ".\\2f\\2f\\0a"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_BUF struct buf mailbox;
        buf_init(&mailbox, 1000);
        assert_int_equal(maildir_folder_read(span_of_text(names[i]), &mailbox), -EINVAL);
    }
}

static void flags_go_there_and_back(void **state)
{
    (void)state;
    struct maildir_keywords keywords;
    AUTO_BUF struct buf name;
    AUTO_BUF struct buf flags;
    AUTO_BUF struct buf file;
    size_t dropped = 9;
    maildir_keywords_init(&keywords);
    buf_init(&name, 255);
    buf_init(&flags, 255);
    buf_init(&file, 1000);
    assert_int_equal(maildir_keywords_read(&keywords, SPAN("1 there\n27 out\nx\n0 bad name\n")), 0);
    (void)buf_append(&name, SPAN("1.x"));
    assert_int_equal(maildir_flags_write(SPAN("\\Seen \\Draft $forwarded work there"), &keywords, &name, &dropped), 0);
    assert_true(span_equal(buf_span(&name), SPAN("1.x:2,DPSab")));
    assert_int_equal(dropped, 0);
    assert_true(span_equal(maildir_base(buf_span(&name)), SPAN("1.x")));
    assert_int_equal(maildir_flags_read(buf_span(&name), &keywords, &flags), 0);
    assert_true(span_equal(buf_span(&flags), SPAN("\\Draft $Forwarded \\Seen work there")));
    assert_int_equal(maildir_keywords_write(&keywords, &file), 0);
    assert_true(span_equal(buf_span(&file), SPAN("0 work\n1 there\n")));
    maildir_keywords_deinit(&keywords);
}

static void keywords_beyond_26_are_counted(void **state)
{
    (void)state;
    struct maildir_keywords keywords;
    AUTO_BUF struct buf name;
    AUTO_BUF struct buf flags;
    size_t dropped = 0;
    maildir_keywords_init(&keywords);
    buf_init(&name, 255);
    buf_init(&flags, 1000);
    for (unsigned i = 0; i < 30; i++)
        (void)buf_append_format(&flags, "k%u ", i);
    assert_int_equal(maildir_flags_write(buf_span(&flags), &keywords, &name, &dropped), 0);
    assert_int_equal(dropped, 4);
    assert_true(span_equal(buf_span(&name), SPAN(":2,abcdefghijklmnopqrstuvwxyz")));
    maildir_keywords_deinit(&keywords);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_go_there_and_back),
        cmocka_unit_test(names_that_are_no_folders_are_refused),
        cmocka_unit_test(flags_go_there_and_back),
        cmocka_unit_test(keywords_beyond_26_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
