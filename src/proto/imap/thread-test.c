#include "base/test.h"

#include "base/hash.h"
#include "proto/imap/thread.h"

static uint64_t hash_of(const char *text)
{
    static const uint8_t key[16] = {1};
    span_t span = span_of_text(text);
    return span.len > 0 ? hash_keyed(key, span) : 0;
}

struct row {
    uint32_t number;
    const char *id;
    const char *references[3];
    const char *subject;
    bool is_reply;
};

static void check(const struct row *rows, size_t count, const char *expected)
{
    AUTO(arena) struct arena *arena = NULL;
    struct imap_threads threads;
    struct buf out AUTO_BUF;
    buf_init(&out, 1 << 20);
    assert_int_equal(arena_new(1 << 24, &arena), 0);
    assert_int_equal(imap_threads_init(&threads, arena), 0);
    for (size_t i = 0; i < count; i++) {
        uint64_t references[3];
        size_t many = 0;
        while (many < 3 && rows[i].references[many] != NULL) {
            references[many] = hash_of(rows[i].references[many]);
            many++;
        }
        struct imap_thread_message message = {.number = rows[i].number,
                                              .date = rows[i].number,
                                              .subject = hash_of(rows[i].subject),
                                              .is_reply = rows[i].is_reply,
                                              .has_id = span_of_text(rows[i].id).len > 0,
                                              .id = hash_of(rows[i].id),
                                              .references = references,
                                              .reference_count = many};
        assert_int_equal(imap_threads_add(&threads, &message), 0);
    }
    assert_int_equal(imap_threads_link(&threads), 0);
    assert_int_equal(imap_threads_write(&threads, &out), 0);
    imap_threads_deinit(&threads);
    if (!span_equal(buf_span(&out), span_of_text(expected)))
        fail_msg("%.*s instead of %s", SPAN_PRINT(buf_span(&out)), expected);
}

static void replies_stand_below_what_they_answer(void **state)
{
    (void)state;
    static const struct row rows[] = {{1, "a", {NULL}, "x", false},
                                      {2, "b", {"a"}, "x", true},
                                      {3, "c", {"a", "b"}, "x", true},
                                      {4, "d", {"a"}, "x", true}};
    check(rows, COUNT_OF(rows), "(1 (2 3)(4))");
}

static void circles_are_cut(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, "a", {"b"}, "x", false}, {2, "b", {"a"}, "y", false}, {3, "c", {"c"}, "z", false}};
    check(rows, COUNT_OF(rows), "(2 1)(3)");
}

static void what_is_not_there_holds_its_answers_together(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, "a", {"gone"}, "x", true}, {2, "b", {"gone"}, "y", true}, {3, "c", {"lost"}, "z", true}};
    check(rows, COUNT_OF(rows), "((1)(2))(3)");
}

static void threads_of_one_subject_become_one(void **state)
{
    (void)state;
    static const struct row rows[] = {{1, "a", {NULL}, "x", true},
                                      {2, "b", {NULL}, "x", false},
                                      {3, "", {NULL}, "y", false},
                                      {4, "", {NULL}, "y", false},
                                      {5, "", {NULL}, "", false}};
    check(rows, COUNT_OF(rows), "(2 1)((3)(4))(5)");
}

static void a_second_message_of_an_id_is_one_of_its_own(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, "a", {NULL}, "x", false}, {2, "a", {NULL}, "y", false}, {3, "b", {"a"}, "x", true}};
    check(rows, COUNT_OF(rows), "(1 3)(2)");
}

/* Deeper than any stack would bear. */
static void a_chain_may_be_of_any_length(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    struct imap_threads threads;
    struct buf out AUTO_BUF;
    buf_init(&out, 1 << 24);
    assert_int_equal(arena_new(1 << 28, &arena), 0);
    assert_int_equal(imap_threads_init(&threads, arena), 0);
    for (uint32_t number = 1; number <= 20000; number++) {
        uint64_t reference = number - 1;
        struct imap_thread_message message = {.number = number,
                                              .date = number,
                                              .subject = 1,
                                              .is_reply = number > 1,
                                              .has_id = true,
                                              .id = number,
                                              .references = &reference,
                                              .reference_count = number > 1};
        assert_int_equal(imap_threads_add(&threads, &message), 0);
    }
    assert_int_equal(imap_threads_link(&threads), 0);
    assert_int_equal(imap_threads_write(&threads, &out), 0);
    imap_threads_deinit(&threads);
    size_t numbers = 0;
    span_t text = buf_span(&out);
    for (size_t i = 0; i < text.len; i++)
        numbers += ascii_is_digit(text.at[i]) && (i + 1 == text.len || !ascii_is_digit(text.at[i + 1]));
    assert_int_equal(numbers, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_stand_below_what_they_answer),
        cmocka_unit_test(circles_are_cut),
        cmocka_unit_test(what_is_not_there_holds_its_answers_together),
        cmocka_unit_test(threads_of_one_subject_become_one),
        cmocka_unit_test(a_second_message_of_an_id_is_one_of_its_own),
        cmocka_unit_test(a_chain_may_be_of_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
