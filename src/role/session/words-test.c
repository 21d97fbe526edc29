#include "base/test.h"

#include <string.h>

#include "role/session/words.h"

static const struct {
    const char *message;
    const char *terms; /* parted by blanks, each behind one */
} rows[] = {
    {"Subject: =?utf-8?q?Caf=C3=A9?=\r\nFrom: Ann <ann@example.org>\r\n\r\nOne two\r\n",
     " subject\302\246h cafe\302\246s from\302\246h ann\302\246f example\302\246f org\302\246f one\302\246b "
     "two\302\246b"},
    {"DKIM-Signature: v=1; b=Qm9v\r\nX-Spam: no\r\n\r\n", " x\302\246h spam\302\246h no\302\246h"},
    {"Content-Type: text/html\r\n\r\n<style>p{}</style><p>caf&eacute;</p>",
     " content\302\246h type\302\246h text\302\246h html\302\246h cafe\302\246b"},
    {"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: application/pdf; "
     "name=Bill.pdf\r\n\r\nword\r\n--x--",
     " content\302\246h type\302\246h multipart\302\246h mixed\302\246h boundary\302\246h x\302\246h bill\302\246b "
     "pdf\302\246b"},
    {"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nletter",
     " content\302\246h type\302\246h message\302\246h rfc822\302\246h subject\302\246b inner\302\246b "
     "letter\302\246b"},
    {"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8gd29ybGQ=\r\n",
     " content\302\246h transfer\302\246h encoding\302\246h base64\302\246h hello\302\246b world\302\246b"},
};

static void a_message_gives_its_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static const uint8_t hash_key[16];
        AUTO(arena) struct arena *arena = NULL;
        struct mime_part *root = NULL;
        AUTO_WORDS struct vault_words words = {.hash_key = hash_key};
        buf_init(&words.text, 10000);
        buf_init(&words.plain, 10000);
        assert_int_equal(arena_new(MIME_ARENA_MAX, &arena), 0);
        assert_int_equal(mime_parse(span_of_text(rows[i].message), arena, &root), 0);
        assert_int_equal(words_read(root, arena, &words), 0);
        buf_append_byte(&words.text, 0);
        assert_string_equal((const char *)buf_span(&words.text).at, rows[i].terms);
    }
}

static void more_text_than_the_bound_is_partial(void **state)
{
    (void)state;
    static const uint8_t hash_key[16];
    AUTO(arena) struct arena *arena = NULL;
    struct mime_part *root = NULL;
    AUTO_WORDS struct vault_words words = {.hash_key = hash_key};
    buf_init(&words.text, 10000);
    buf_init(&words.plain, 10000);
    struct buf message AUTO_BUF;
    buf_init(&message, (size_t)4 << 20U);
    buf_append_text(&message, "Subject: long\r\n\r\n");
    for (size_t i = 0; i < 100000; i++)
        buf_append_text(&message, "again and again and again\r\n");
    assert_int_equal(arena_new(MIME_ARENA_MAX, &arena), 0);
    assert_int_equal(mime_parse(buf_span(&message), arena, &root), 0);
    assert_int_equal(words_read(root, arena, &words), 0);
    assert_true(words.is_partial);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(a_message_gives_its_words),
        cmocka_unit_test(more_text_than_the_bound_is_partial),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
