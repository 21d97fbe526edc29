#include "vault/sorting.h"

#include <errno.h>

#include "vault/engine.h"
#include "vault/fixture.h"

#define EMAILS 100U
#define CUT 3U /* every third one is deleted */

static span_t key_of(uint64_t record, uint8_t room[VAULT_SORTING_MAX])
{
    size_t len = record % 7 == 0 ? VAULT_SORTING_MAX : 1 + (size_t)record % 60;
    memset(room, (int)record, len);
    return span_of(room, len);
}

static uint64_t add_sorted(struct vault *vault, uint64_t record)
{
    uint8_t room[VAULT_SORTING_MAX];
    uint64_t id = 0;
    struct vault_filing filing = {.mailbox = VAULT_INBOX, .flags = record % CUT == 0 ? VAULT_DELETED : 0};
    struct vault_new_email email = {.place = {.record = record},
                                    .size = 1,
                                    .received = 1,
                                    .sorting = key_of(record, room),
                                    .filings = &filing,
                                    .filing_count = 1};
    assert_int_equal(vault_email_add(vault, &email, &id, NULL), 0);
    return id;
}

struct heard {
    uint64_t records[EMAILS]; /* whose key is expected; 0: none */
    size_t count;
};

static int hear(void *arg, size_t index, span_t bytes)
{
    struct heard *heard = arg;
    uint8_t room[VAULT_SORTING_MAX];
    assert_int_equal(index, heard->count++);
    if (heard->records[index] == 0)
        assert_null(bytes.at);
    else
        assert_true(span_equal(bytes, key_of(heard->records[index], room)));
    return 0;
}

static void expect(struct vault *vault, const uint64_t *ids, struct heard *heard)
{
    heard->count = 0;
    assert_int_equal(vault_sorting_read(vault, ids, EMAILS, hear, heard), 0);
    assert_int_equal(heard->count, EMAILS);
}

static void fill(struct vault *vault, uint64_t *ids, struct heard *heard)
{
    assert_int_equal(vault_begin(vault, VAULT_DURABLE), 0);
    for (uint64_t i = 0; i < EMAILS; i++) {
        ids[i] = add_sorted(vault, i + 1);
        heard->records[i] = i + 1;
    }
    expect(vault, ids, heard); /* before it is committed, too */
    assert_int_equal(vault_commit(vault), 0);
}

static void every_email_has_its_key_until_it_goes(void **state)
{
    struct place *place = *state;
    uint64_t ids[EMAILS];
    struct heard heard = {.count = 0};
    fill(place->vault, ids, &heard);
    reopen(place);
    expect(place->vault, ids, &heard);
    assert_int_equal(vault_member_expunge(place->vault, VAULT_INBOX, &all, 1, VAULT_EXPUNGE_DELETED, NULL, NULL), 0);
    settle(place);
    for (uint64_t i = 0; i < EMAILS; i++)
        heard.records[i] = (i + 1) % CUT == 0 ? 0 : i + 1;
    expect(place->vault, ids, &heard);
    assert_int_equal(vault_member_expunge(place->vault, VAULT_INBOX, &all, 1, VAULT_EXPUNGE_ALL, NULL, NULL), 0);
    settle(place);
    memset(heard.records, 0, sizeof(heard.records));
    expect(place->vault, ids, &heard);
    int64_t rows = 0;
    assert_int_equal(engine_ask_once(place->vault, "SELECT count(*) FROM sorting", &rows), 0);
    assert_int_equal(rows, 0);
}

static void what_is_rolled_back_leaves_no_key(void **state)
{
    struct place *place = *state;
    uint64_t ids[EMAILS];
    struct heard heard = {.count = 0};
    fill(place->vault, ids, &heard);
    assert_int_equal(vault_begin(place->vault, VAULT_DURABLE), 0);
    uint64_t late = add_sorted(place->vault, EMAILS + 1);
    assert_int_equal(vault_member_expunge(place->vault, VAULT_INBOX, &all, 1, VAULT_EXPUNGE_ALL, NULL, NULL), 0);
    settle(place);
    vault_rollback(place->vault);
    expect(place->vault, ids, &heard);
    struct heard none = {.count = 0};
    assert_int_equal(vault_sorting_read(place->vault, &late, 1, hear, &none), 0);
    assert_int_equal(none.count, 1);
}

static void a_step_that_fails_keeps_what_came_before_it(void **state)
{
    struct place *place = *state;
    uint64_t ids[EMAILS];
    struct heard heard = {.count = 0};
    fill(place->vault, ids, &heard);
    assert_int_equal(vault_begin(place->vault, VAULT_DURABLE), 0);
    uint64_t late = add_sorted(place->vault, EMAILS + 1);
    assert_int_equal(vault_sorting_put(place->vault, 999999, SPAN("x")), VAULT_NOT_FOUND);
    assert_int_equal(vault_sorting_put(place->vault, ids[0], SPAN_NONE), -EINVAL);
    assert_int_equal(vault_commit(place->vault), 0);
    struct heard one = {.records = {EMAILS + 1}};
    assert_int_equal(vault_sorting_read(place->vault, &late, 1, hear, &one), 0);
    expect(place->vault, ids, &heard);
}

static void an_older_vault_is_filled_from_the_newest_on(void **state)
{
    struct place *place = *state;
    uint64_t ids[EMAILS];
    uint64_t pending[8];
    size_t count = 0;
    struct heard heard = {.count = 0};
    fill(place->vault, ids, &heard);
    assert_int_equal(vault_sorting_pending(place->vault, pending, COUNT_OF(pending), &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(vault_sorting_reset(place->vault), 0);
    struct heard none = {.count = 0};
    expect(place->vault, ids, &none);
    for (size_t left = EMAILS; left > 0; left -= count) {
        assert_int_equal(vault_sorting_pending(place->vault, pending, COUNT_OF(pending), &count), 0);
        assert_true(count > 0 && count <= left);
        for (size_t i = 0; i < count; i++) {
            uint8_t room[VAULT_SORTING_MAX];
            assert_true(pending[i] == ids[left - 1 - i]);
            assert_int_equal(vault_sorting_put(place->vault, pending[i], key_of(left - i, room)), 0);
        }
        assert_int_equal(vault_sorting_done(place->vault, pending[count - 1]), 0);
    }
    assert_int_equal(vault_sorting_pending(place->vault, pending, COUNT_OF(pending), &count), 0);
    assert_int_equal(count, 0);
    reopen(place);
    expect(place->vault, ids, &heard);
}

static void keys_of_emails_far_apart_are_found(void **state)
{
    struct place *place = *state;
    uint64_t ids[3];
    struct heard heard = {.records = {1, 2, 2}};
    ids[0] = add_sorted(place->vault, 1);
    for (unsigned i = 0; i < 1000; i++)
        (void)make(place, (char[]){(char)('a' + i % 26), (char)('a' + i / 26 % 26), (char)('a' + i / 676), '\0'});
    ids[1] = ids[2] = add_sorted(place->vault, 2);
    assert_int_equal(vault_sorting_read(place->vault, ids, 3, hear, &heard), 0);
    assert_int_equal(heard.count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(every_email_has_its_key_until_it_goes),       IN_PLACE(what_is_rolled_back_leaves_no_key),
        IN_PLACE(a_step_that_fails_keeps_what_came_before_it), IN_PLACE(an_older_vault_is_filled_from_the_newest_on),
        IN_PLACE(keys_of_emails_far_apart_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
