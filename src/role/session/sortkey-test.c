#include "base/test.h"

#include "base/hash.h"
#include "role/session/sortkey.h"
#include "vault/email.h"

static const uint8_t hash_key[16] = {3};

struct fixture {
    struct arena *arena;
    struct buf bytes;
    struct sort_key key;
};

static void make(struct fixture *fixture, span_t header)
{
    assert_int_equal(arena_new(1 << 24, &fixture->arena), 0);
    buf_init(&fixture->bytes, VAULT_SORTING_MAX);
    assert_int_equal(sort_key_of_header(header, hash_key, fixture->arena, &fixture->bytes), 0);
    assert_true(sort_key_read(buf_span(&fixture->bytes), &fixture->key));
}

static void drop(struct fixture *fixture)
{
    arena_free(fixture->arena);
    buf_deinit(&fixture->bytes);
}

static void expect_text(const struct sort_key *key, enum sort_text which, const char *text)
{
    if (!span_equal(key->texts[which], span_of_text(text)))
        fail_msg("%.*s instead of %s", SPAN_PRINT(key->texts[which]), text);
}

static void a_key_says_what_the_header_says(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture, SPAN("From: =?utf-8?q?J=C3=B6rg?= <Jo@x.y>, k@z\r\nTo: Ann@Example.org\r\nCc: Cy <CY@x>, d@y\r\n"
                        "Message-ID: <m@x>\r\nSubject: Re: [list]  =?utf-8?q?GR=C3=9CN?= (fwd)\r\n"
                        "References: <1@x> <2@x>\r\nDate: 2 Jan 2006 15:04:05 +0000\r\n\r\n"));
    const struct sort_key *key = &fixture.key;
    assert_true(key->has_date && key->is_reply && key->has_id);
    assert_int_equal(key->date, 1136214245);
    assert_true(key->id == hash_keyed(hash_key, SPAN("m@x")));
    assert_int_equal(key->reference_count, 2);
    assert_true(sort_key_reference(key, 0) == hash_keyed(hash_key, SPAN("1@x")));
    assert_true(sort_key_reference(key, 1) == hash_keyed(hash_key, SPAN("2@x")));
    expect_text(key, SORT_TEXT_SUBJECT, "grun");
    expect_text(key, SORT_TEXT_FROM, "jo");
    expect_text(key, SORT_TEXT_TO, "ann");
    expect_text(key, SORT_TEXT_CC, "cy");
    expect_text(key, SORT_TEXT_DISPLAYFROM, "jorg");
    expect_text(key, SORT_TEXT_DISPLAYTO, "ann@example.org");
    assert_true(buf_len(&fixture.bytes) < 80);
    drop(&fixture);
}

/* RFC 5256 §2.1, as they are said there. */
static void base_subjects_of_replies_and_forwards_are_the_same(void **state)
{
    (void)state;
    static const char *const subjects[] = {
        "Base Subject",
        "Re: base subject",
        "RE : Base  Subject",
        "Fw: Base Subject",
        "FWD: Base\tSubject",
        "Re[4]: Base Subject",
        "[list] Base Subject",
        "[list] Re: [list] Fwd: Base Subject",
        "Base Subject (fwd)",
        "Base Subject (FWD) (fwd) ",
        "[Fwd: Base Subject]",
        "[fwd: Re: [list] Base Subject (fwd)]",
        "=?us-ascii?q?Re:_Base_Subject?=",
    };
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        struct fixture fixture;
        struct buf header AUTO_BUF;
        buf_init(&header, 1000);
        buf_append_format(&header, "Subject: %s\r\n\r\n", subjects[i]);
        make(&fixture, buf_span(&header));
        expect_text(&fixture.key, SORT_TEXT_SUBJECT, "base subject");
        assert_int_equal(fixture.key.is_reply, i != 0 && i != 6);
        drop(&fixture);
    }
}

static void what_a_header_has_not_takes_no_room(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture, SPAN_NONE);
    assert_int_equal(buf_len(&fixture.bytes), 1);
    assert_false(fixture.key.has_date || fixture.key.has_id || fixture.key.is_reply);
    assert_int_equal(fixture.key.reference_count, 0);
    for (size_t i = 0; i < SORT_TEXT_COUNT; i++)
        assert_int_equal(fixture.key.texts[i].len, 0);
    drop(&fixture);
}

static void dates_before_1970_keep_their_place(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture, SPAN("Date: 31 Dec 1969 23:59:59 +0000\r\n\r\n"));
    assert_true(fixture.key.has_date);
    assert_int_equal(fixture.key.date, -1);
    drop(&fixture);
}

static void the_longest_key_fits(void **state)
{
    (void)state;
    struct fixture fixture;
    struct buf header AUTO_BUF;
    buf_init(&header, 1 << 20);
    buf_append_text(&header, "Message-ID: <x@y>\r\nDate: 2 Jan 2006 15:04:05 +0000\r\n");
    static const char *const names[] = {"Subject", "From", "To", "Cc"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        buf_append_format(&header, "%s: ", names[i]);
        for (unsigned at = 0; at < 500; at++)
            buf_append_text(&header, "abc");
        buf_append_text(&header, i == 0 ? "\r\n" : "@example.org\r\n");
    }
    buf_append_text(&header, "References:");
    for (unsigned i = 0; i < 300; i++)
        buf_append_format(&header, "\r\n <%u@x>", i);
    buf_append_text(&header, "\r\n\r\n");
    make(&fixture, buf_span(&header));
    assert_int_equal(fixture.key.reference_count, IMAP_REFERENCES_MAX);
    assert_int_equal(fixture.key.texts[SORT_TEXT_SUBJECT].len, SORT_TEXT_MAX);
    assert_int_equal(fixture.key.texts[SORT_TEXT_CC].len, SORT_TEXT_MAX);
    assert_true(sort_key_reference(&fixture.key, IMAP_REFERENCES_MAX - 1) == hash_keyed(hash_key, SPAN("299@x")));
    drop(&fixture);
}

/* Cut anywhere it is either no key, or one whose last texts are empty. */
static void a_damaged_key_is_not_read_beyond_its_end(void **state)
{
    (void)state;
    struct fixture fixture;
    struct sort_key key;
    make(&fixture, SPAN("From: a@b\r\nMessage-ID: <x@y>\r\nReferences: <a@b> <c@d>\r\nSubject: hello\r\n\r\n"));
    span_t bytes = buf_span(&fixture.bytes);
    size_t numbers = 1 + 8 + 1 + 16;
    for (size_t len = 0; len < bytes.len; len++)
        if (sort_key_read(span_upto(bytes, len), &key))
            assert_true(len >= numbers && key.texts[SORT_TEXT_FROM].len <= 1);
        else
            assert_true(len != numbers);
    drop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_says_what_the_header_says),
        cmocka_unit_test(base_subjects_of_replies_and_forwards_are_the_same),
        cmocka_unit_test(what_a_header_has_not_takes_no_room),
        cmocka_unit_test(dates_before_1970_keep_their_place),
        cmocka_unit_test(the_longest_key_fits),
        cmocka_unit_test(a_damaged_key_is_not_read_beyond_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
