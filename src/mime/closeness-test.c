#include "base/test.h"

#include "mime/closeness.h"

static void words_are_as_close_as_they_look(void **state)
{
    (void)state;
    static const struct {
        const char *sought;
        const char *word;
        unsigned closeness;
    } rows[] = {
        {"invoice", "invoice", MIME_CLOSE_EQUAL},
        {"invoice", "invoices", MIME_CLOSE_BEGINNING},
        {"voice", "invoices", MIME_CLOSE_INSIDE},
        {"invoces", "invoice", 0},                  /* two edits in seven letters */
        {"invoce", "invoice", MIME_CLOSE_SPELLING}, /* one missing */
        {"invoiice", "invoice", MIME_CLOSE_SPELLING},
        {"inviose", "invoice", 0},
        {"invocie", "invoice", MIME_CLOSE_SPELLING}, /* two that changed places */
        {"inuoice", "invoice", MIME_CLOSE_SPELLING},
        {"receipts", "recieptz", MIME_CLOSE_SPELLING}, /* two in eight letters */
        {"receipts", "xecieptz", 0},
        {"fox", "fix", 0}, /* too short to be spelled otherwise */
        {"foxy", "foxi", MIME_CLOSE_SPELLING},
        {"f", "fox", 0},
        {"fo", "fox", MIME_CLOSE_BEGINNING},
        {"ox", "fox", 0},
        {"stra\303\237", "strax", MIME_CLOSE_SPELLING}, /* letters, not bytes */
        {"\346\227\245", "\346\227\245\346\234\254", MIME_CLOSE_BEGINNING},
        {"invoice", "", 0},
        {"", "", MIME_CLOSE_EQUAL},
        {"", "a", 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned closeness = mime_closeness(span_of_text(rows[i].sought), span_of_text(rows[i].word));
        if (closeness != rows[i].closeness)
            fail_msg("%s, %s: %u", rows[i].sought, rows[i].word, closeness);
    }
}

static void the_longest_words_fit(void **state)
{
    (void)state;
    char one[65];
    char other[65];
    for (size_t i = 0; i < 64; i++) {
        one[i] = 'a';
        other[i] = i % 30 == 29 ? 'b' : 'a';
    }
    assert_int_equal(mime_closeness(span_of(one, 64), span_of(other, 64)), MIME_CLOSE_SPELLING);
    other[0] = 'b';
    assert_int_equal(mime_closeness(span_of(one, 64), span_of(other, 64)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_as_close_as_they_look),
        cmocka_unit_test(the_longest_words_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
