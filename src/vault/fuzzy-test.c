#include "vault/fixture.h"

#include "mime/text.h"
#include "vault/fuzzy.h"

struct row {
    const char *subject;
    const char *body;
};

static const struct row emails[] = {
    {"Invoice for May", "The quick brown fox"},
    {"Invoices", "a voice"},
    {"Re: invoce", "nothing"},
    {"no voucher", "order AB12345678901"},
};

static void add_words(struct vault_words *words, enum vault_field field, const char *text)
{
    struct buf folded AUTO_BUF;
    buf_init(&folded, 100000);
    assert_int_equal(mime_text_fold(span_of_text(text), &folded), 0);
    assert_int_equal(vault_words_add(words, field, buf_span(&folded)), 0);
}

static void read_words(struct vault *vault, const struct row *row, struct vault_words *words)
{
    vault_words_init(words, vault);
    add_words(words, VAULT_FIELD_SUBJECT, row->subject);
    add_words(words, VAULT_FIELD_BODY, row->body);
}

static uint64_t ids[COUNT_OF(emails)];

#define BODY (1U << VAULT_FIELD_BODY)
#define SUBJECT (1U << VAULT_FIELD_SUBJECT)

static const struct {
    unsigned fields;
    const char *text;
    unsigned scores[COUNT_OF(emails)];
} rows[] = {
    {SUBJECT, "invoice", {100, 75, 25, 0}},
    {SUBJECT, "Invoic", {75, 75, 0, 0}},
    {BODY, "invoice", {0, 0, 0, 0}},
    {VAULT_FIELDS_ALL, "voice", {50, 100, 0, 0}},
    {VAULT_FIELDS_ALL, "invoice fox", {100, 0, 0, 0}},
    {VAULT_FIELDS_ALL, "fo invoice", {87, 0, 0, 0}},
    {VAULT_FIELDS_ALL, "ab1234567890", {0, 0, 0, 75}},
    {VAULT_FIELDS_ALL, "ab123456789012", {0, 0, 0, 0}},
    {VAULT_FIELDS_ALL, "nowhere", {0, 0, 0, 0}},
};

static struct vault_fuzzy *begin(struct vault *vault, unsigned fields, const char *text)
{
    struct buf folded AUTO_BUF;
    struct vault_fuzzy *fuzzy = NULL;
    buf_init(&folded, 100000);
    assert_int_equal(mime_text_fold(span_of_text(text), &folded), 0);
    assert_int_equal(vault_fuzzy_new(vault, fields, buf_span(&folded), &fuzzy), 0);
    return fuzzy;
}

static void the_index_and_the_words_say_the_same(void **state)
{
    struct place *place = *state;
    for (size_t i = 0; i < COUNT_OF(emails); i++) {
        AUTO_WORDS struct vault_words words;
        ids[i] = add(place, VAULT_INBOX, i + 1, 0);
        read_words(place->vault, &emails[i], &words);
        struct vault_terms terms = vault_words_terms(&words);
        assert_int_equal(vault_index_add(place->vault, ids[i], &terms), 0);
    }
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        AUTO(vault_fuzzy) struct vault_fuzzy *fuzzy = begin(place->vault, rows[row].fields, rows[row].text);
        int result = 0;
        assert_int_equal(vault_fuzzy_score(fuzzy, ids[0]), VAULT_FUZZY_UNKNOWN);
        do
            result = vault_fuzzy_step(fuzzy);
        while (result == VAULT_SEARCH_HAS_MORE);
        assert_int_equal(result, 0);
        for (size_t i = 0; i < COUNT_OF(emails); i++) {
            AUTO_WORDS struct vault_words words;
            read_words(place->vault, &emails[i], &words);
            if (vault_fuzzy_score(fuzzy, ids[i]) != rows[row].scores[i])
                fail_msg("%s: %u for %zu", rows[row].text, vault_fuzzy_score(fuzzy, ids[i]), i);
            assert_int_equal(vault_fuzzy_score_words(fuzzy, &words), rows[row].scores[i]);
        }
    }
}

static void what_is_not_in_the_index_is_unknown(void **state)
{
    struct place *place = *state;
    uint64_t later = add(place, VAULT_INBOX, 1, 0);
    AUTO(vault_fuzzy) struct vault_fuzzy *fuzzy = begin(place->vault, VAULT_FIELDS_ALL, "word");
    while (vault_fuzzy_step(fuzzy) == VAULT_SEARCH_HAS_MORE)
        ;
    assert_int_equal(vault_fuzzy_score(fuzzy, later), VAULT_FUZZY_UNKNOWN);
    struct vault_fuzzy *none = NULL;
    assert_int_equal(vault_fuzzy_new(place->vault, VAULT_FIELDS_ALL, SPAN("..."), &none), VAULT_SEARCH_NO_HELP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(the_index_and_the_words_say_the_same),
        IN_PLACE(what_is_not_in_the_index_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
