#include "vault/fixture.h"
#include "vault/search.h"

#include "mime/text.h"

struct row {
    const char *subject;
    const char *body;
};

static const struct row emails[] = {
    {"Invoice for May", "The quick brown fox jumps over the lazy dog."},
    {"Re: Stra\303\237e", "Caf\303\251 in der Hauptstra\303\237e, Nr. AB12345678901"},
    {"\346\227\245\346\234\254\350\252\236",
     "\346\244\234\347\264\242\343\201\256\343\203\206\343\202\271\343\203\210"},
    {"foxtrot", "alpha beta gamma, alphabet soup"},
    {"empty", ""},
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

static void fill(struct place *place)
{
    for (size_t i = 0; i < COUNT_OF(emails); i++) {
        AUTO_WORDS struct vault_words words;
        ids[i] = add(place, VAULT_INBOX, i + 1, 0);
        read_words(place->vault, &emails[i], &words);
        struct vault_terms terms = vault_words_terms(&words);
        assert_int_equal(vault_index_add(place->vault, ids[i], &terms), 0);
    }
}

/* What an index says of each email: y, n, or ? where it must be looked into. */
static void find(struct vault *vault, unsigned fields, const char *text, char ret_hits[COUNT_OF(emails) + 1])
{
    struct buf folded AUTO_BUF;
    buf_init(&folded, 100000);
    assert_int_equal(mime_text_fold(span_of_text(text), &folded), 0);
    AUTO(vault_search) struct vault_search *search = NULL;
    int result = vault_search_new(vault, fields, buf_span(&folded), &search);
    for (size_t i = 0; i <= COUNT_OF(emails); i++)
        ret_hits[i] = i < COUNT_OF(emails) ? '-' : '\0';
    if (result == VAULT_SEARCH_NO_HELP)
        return;
    assert_int_equal(result, 0);
    do
        result = vault_search_step(search);
    while (result == VAULT_SEARCH_HAS_MORE);
    assert_int_equal(result, 0);
    for (size_t i = 0; i < COUNT_OF(emails); i++)
        ret_hits[i] = "ny?"[vault_search_hit(search, ids[i])];
}

#define BODY (1U << VAULT_FIELD_BODY)
#define SUBJECT (1U << VAULT_FIELD_SUBJECT)

static const struct {
    unsigned fields;
    const char *text;
    const char *hits;
} rows[] = {
    {VAULT_FIELDS_ALL, "fox", "ynnyn"},
    {BODY, "fox", "ynnnn"},
    {SUBJECT, "fox", "nnnyn"},
    {SUBJECT, "FOX", "nnnyn"},
    {VAULT_FIELDS_ALL, "ox", "ynnyn"},
    {VAULT_FIELDS_ALL, "o", "ynnyn"},
    {VAULT_FIELDS_ALL, "strasse", "nynnn"},
    {SUBJECT, "STRASSE", "nynnn"},
    {BODY, "cafe", "nynnn"},
    {BODY, "quick brown", "?nnnn"},
    {BODY, "uick bro", "?nnnn"},
    {BODY, "brown quick", "?nnnn"}, /* the index does not know what stands beside what */
    {BODY, "lazy dog.", "?nnnn"},
    {BODY, "alphabet", "nnnyn"},
    {BODY, "alpha", "nnnyn"},
    {BODY, "ab12345678901", "nynnn"},
    {BODY, "ab1234", "nynnn"},
    {BODY, "345678", "nnnnn"}, /* an identifier is found by its beginning */
    {SUBJECT, "\346\227\245\346\234\254", "nnynn"},
    {SUBJECT, "\346\227\245\346\234\254\350\252\236", "nn?nn"},
    {SUBJECT, "\346\234\254", "nnynn"},
    {VAULT_FIELDS_ALL, "\343\203\206\343\202\271\343\203\210", "nn?nn"},
    {VAULT_FIELDS_ALL, "nowhere", "nnnnn"},
    {VAULT_FIELDS_ALL, "...", "-----"},
    {VAULT_FIELDS_ALL, "", "-----"},
};

static void parts_of_words_are_found_in_their_fields(void **state)
{
    struct place *place = *state;
    fill(place);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char hits[COUNT_OF(emails) + 1];
        find(place->vault, rows[i].fields, rows[i].text, hits);
        if (strcmp(hits, rows[i].hits) != 0)
            fail_msg("\"%s\" in %#x: %s, not %s", rows[i].text, rows[i].fields, hits, rows[i].hits);
    }
    assert_int_equal(vault_index_check(place->vault), 0);
}

static void deleting_takes_the_words_out(void **state)
{
    struct place *place = *state;
    fill(place);
    assert_int_equal(vault_member_expunge(place->vault, VAULT_INBOX, &all, 1, VAULT_EXPUNGE_ALL, NULL, NULL), 0);
    uint64_t records[COUNT_OF(emails)];
    size_t count = 0;
    assert_int_equal(vault_outbox_list(place->vault, records, COUNT_OF(records), &count), 0);
    assert_int_equal(count, 0); /* not before their words are gone */
    settle(place);
    assert_int_equal(vault_outbox_list(place->vault, records, COUNT_OF(records), &count), 0);
    assert_int_equal(count, 0);
    for (size_t i = 0; i < COUNT_OF(emails); i++) {
        AUTO_WORDS struct vault_words words;
        struct vault_email email;
        assert_int_equal(vault_index_departed(place->vault, 0, &email), 0);
        read_words(place->vault, &emails[i], &words);
        struct vault_terms terms = vault_words_terms(&words);
        assert_int_equal(email.id, ids[i]);
        uint64_t again = 0; /* what is still pending for store must not come back meanwhile */
        assert_int_equal(add_to(place->vault, VAULT_INBOX, email.place.record, 0, &again), VAULT_EXISTS);
        assert_int_equal(vault_index_remove(place->vault, &email, &terms), 0);
    }
    struct vault_email email;
    assert_int_equal(vault_index_departed(place->vault, 0, &email), VAULT_NOT_FOUND);
    assert_int_equal(vault_outbox_list(place->vault, records, COUNT_OF(records), &count), 0);
    assert_int_equal(count, COUNT_OF(emails));
    char hits[COUNT_OF(emails) + 1];
    find(place->vault, VAULT_FIELDS_ALL, "o", hits);
    assert_string_equal(hits, "nnnnn");
    assert_int_equal(vault_index_check(place->vault), 0);
}

static void what_could_not_be_read_must_be_looked_into(void **state)
{
    struct place *place = *state;
    fill(place);
    uint64_t unreadable = add(place, VAULT_INBOX, 100, 0);
    assert_int_equal(vault_index_add(place->vault, unreadable, NULL), 0);
    AUTO(vault_search) struct vault_search *search = NULL;
    assert_int_equal(vault_search_new(place->vault, VAULT_FIELDS_ALL, SPAN("nowhere"), &search), 0);
    int result = VAULT_SEARCH_HAS_MORE;
    while (result == VAULT_SEARCH_HAS_MORE)
        result = vault_search_step(search);
    assert_int_equal(result, 0);
    assert_int_equal(vault_search_hit(search, unreadable), VAULT_HIT_MAYBE);
    assert_int_equal(vault_search_hit(search, ids[0]), VAULT_HIT_NO);
}

static void the_mark_survives_and_a_reset_begins_anew(void **state)
{
    struct place *place = *state;
    fill(place);
    uint64_t later = add(place, VAULT_INBOX, 50, 0);
    reopen(place);
    assert_int_equal(vault_index_mark(place->vault), ids[COUNT_OF(emails) - 1]);
    uint64_t pending[10];
    size_t count = 0;
    assert_int_equal(vault_index_pending(place->vault, pending, COUNT_OF(pending), &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(pending[0], later);
    assert_int_equal(vault_index_reset(place->vault), 0);
    assert_int_equal(vault_index_mark(place->vault), 0);
    assert_int_equal(vault_index_pending(place->vault, pending, COUNT_OF(pending), &count), 0);
    assert_int_equal(count, COUNT_OF(emails) + 1);
    char hits[COUNT_OF(emails) + 1];
    find(place->vault, VAULT_FIELDS_ALL, "fox", hits);
    assert_string_equal(hits, "?????");
}

static void words_beyond_the_limit_make_an_email_partial(void **state)
{
    struct place *place = *state;
    AUTO_WORDS struct vault_words words;
    vault_words_init(&words, place->vault);
    struct buf text AUTO_BUF;
    buf_init(&text, (size_t)1 << 20U);
    for (unsigned i = 0; i < VAULT_WORDS_MAX; i++)
        buf_append_format(&text, "w%x ", i);
    assert_int_equal(vault_words_add(&words, VAULT_FIELD_BODY, buf_span(&text)), 0);
    assert_true(words.is_partial);
    vault_words_clear(&words);
    assert_int_equal(vault_words_add(&words, VAULT_FIELD_BODY, SPAN("one two one")), 0);
    assert_false(words.is_partial);
    assert_int_equal(words.count, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(parts_of_words_are_found_in_their_fields),     IN_PLACE(deleting_takes_the_words_out),
        IN_PLACE(what_could_not_be_read_must_be_looked_into),   IN_PLACE(the_mark_survives_and_a_reset_begins_anew),
        IN_PLACE(words_beyond_the_limit_make_an_email_partial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
