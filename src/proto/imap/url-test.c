#include "base/test.h"

#include "proto/imap/url.h"

static int parse(const char *text, struct imap_url *ret_url)
{
    static struct arena *arena;
    if (arena == NULL)
        assert_int_equal(arena_new(1 << 20, &arena), 0);
    arena_reset(arena);
    return imap_url_parse(span_of_text(text), arena, ret_url);
}

static void a_url_names_a_message_or_a_part_of_it(void **state)
{
    (void)state;
    struct imap_url url;
    assert_int_equal(parse("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", &url), 0); /* RFC 4469 §A */
    assert_true(span_equal(url.mailbox, SPAN("Drafts")));
    assert_int_equal(url.uidvalidity, 385759045);
    assert_int_equal(url.uid, 20);
    assert_int_equal(url.section.kind, IMAP_SECTION_HEADER);
    assert_false(url.section.has_partial);
    assert_int_equal(parse("/inbox/a%20%C3%BC%3B/;uid=4294967295/;SECTION=1.5.9.MIME/;PARTIAL=10.20", &url), 0);
    assert_true(span_equal(url.mailbox, SPAN("INBOX/a \xc3\xbc;")));
    assert_int_equal(url.uidvalidity, 0);
    assert_int_equal(url.uid, UINT32_MAX);
    assert_int_equal(url.section.depth, 3);
    assert_int_equal(url.section.kind, IMAP_SECTION_MIME);
    assert_int_equal(url.section.partial_start, 10);
    assert_int_equal(url.section.partial_len, 20);
    assert_int_equal(parse(";UID=7/;PARTIAL=0", &url), 0);
    assert_null(url.mailbox.at);
    assert_true(url.section.has_partial);
    assert_true(url.section.partial_len == UINT64_MAX);
    assert_int_equal(parse("/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(DATE%20FROM)", &url), 0);
    assert_int_equal(url.section.field_count, 2);
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "/",
        "INBOX/;UID=1",
        "imap://host/INBOX/;UID=1",
        "//host/INBOX/;UID=1",
        "/INBOX",
        "/INBOX/",
        "/INBOX;UID=1",
        "/INBOX/UID=1",
        "/INBOX/;UID=",
        "/INBOX/;UID=0",
        "/INBOX/;UID=1:2",
        "/INBOX/;UID=4294967296",
        "/INBOX/;UID=1/",
        "/INBOX/;UID=1/;SECTION=",
        "/INBOX/;UID=1/;SECTION=0",
        "/INBOX/;UID=1/;SECTION=1]<0.5>",
        "/INBOX/;UID=1/;SECTION=1]",
        "/INBOX/;UID=1/;PARTIAL=",
        "/INBOX/;UID=1/;PARTIAL=5.",
        "/INBOX/;UID=1/;PARTIAL=5.0",
        "/INBOX/;UID=1/;PARTIAL=1.2/;SECTION=1",
        "/INBOX/;UID=1;EXPIRE=2020-01-01T00:00:00Z",
        "/INBOX;UIDVALIDITY=0/;UID=1",
        "/INBOX;UIDVALIDITY=1;UID=1",
        "/INBOX%/;UID=1",
        "/INBOX%4/;UID=1",
        "/INBOX%0A/;UID=1",
        "/%FF/;UID=1",
        "/;UID=1",
        "//;UID=1",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct imap_url url;
        if (parse(bad[i], &url) != IMAP_URL_BAD)
            fail_msg("%s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_names_a_message_or_a_part_of_it),
        cmocka_unit_test(everything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
