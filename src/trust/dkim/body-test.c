#include "base/test.h"

#include <openssl/evp.h>
#include <string.h>

#include "trust/dkim/body.h"

static void assert_hash_is_of(const struct dkim_body *body, size_t index, span_t text)
{
    uint8_t wanted[DKIM_HASH_SIZE];
    uint64_t len = 0;
    assert_int_equal(EVP_Digest(text.at, text.len, wanted, NULL, EVP_sha256(), NULL), 1);
    assert_memory_equal(dkim_body_hash(body, index, &len), wanted, sizeof(wanted));
}

/* RFC 6376 §3.4.3, §3.4.4, §3.4.5, in chunks of every size */
static void canonical_bodies_are_hashed(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
        {"", "\r\n", ""},
        {"\r\n\r\n", "\r\n", ""},
        {" \t\r\n", " \t\r\n", ""},
        {"x", "x\r\n", "x\r\n"},
        {"x\r\n \r\n\t", "x\r\n \r\n\t\r\n", "x\r\n"},
        {"a\rb\r\r\nc\r", "a\rb\r\r\nc\r\r\n", "a\rb\r\r\nc\r\r\n"},
        {"\r\n\r\na  b\r\n", "\r\n\r\na  b\r\n", "\r\n\r\na b\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t chunk = 1; chunk < 20; chunk++) {
            AUTO(dkim_body) struct dkim_body *body = NULL;
            size_t simple = 9;
            size_t relaxed = 9;
            size_t cut = 9;
            assert_int_equal(dkim_body_new(&body), 0);
            assert_int_equal(dkim_body_want(body, DKIM_SIMPLE, DKIM_NO_LIMIT, &simple), DKIM_BODY_OK);
            assert_int_equal(dkim_body_want(body, DKIM_RELAXED, DKIM_NO_LIMIT, &relaxed), DKIM_BODY_OK);
            assert_int_equal(dkim_body_want(body, DKIM_SIMPLE, 3, &cut), DKIM_BODY_OK);
            for (span_t rest = span_of_text(rows[i][0]); rest.len > 0; rest = span_from(rest, chunk))
                dkim_body_add(body, span_upto(rest, chunk));
            assert_int_equal(dkim_body_finish(body), 0);
            assert_hash_is_of(body, simple, span_of_text(rows[i][1]));
            assert_hash_is_of(body, relaxed, span_of_text(rows[i][2]));
            assert_hash_is_of(body, cut, span_upto(span_of_text(rows[i][1]), 3));
        }
    }
}

static void equal_wishes_share_a_hash_and_others_are_bounded(void **state)
{
    (void)state;
    AUTO(dkim_body) struct dkim_body *body = NULL;
    size_t index = 0;
    assert_int_equal(dkim_body_new(&body), 0);
    for (size_t round = 0; round < 2; round++)
        for (size_t i = 0; i < DKIM_BODY_HASHES_MAX; i++) {
            assert_int_equal(dkim_body_want(body, DKIM_SIMPLE, i, &index), DKIM_BODY_OK);
            assert_int_equal(index, i);
        }
    assert_int_equal(dkim_body_want(body, DKIM_RELAXED, 1, &index), DKIM_BODY_TOO_MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_bodies_are_hashed),
        cmocka_unit_test(equal_wishes_share_a_hash_and_others_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
