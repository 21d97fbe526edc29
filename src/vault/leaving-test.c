#include "base/test.h"

#include "vault/leaving.h"

#include "vault/engine.h"
#include "vault/fixture.h"
#include "vault/index.h"

static bool any(struct place *place)
{
    bool is_any = false;
    assert_int_equal(vault_leaving_any(place->vault, &is_any), 0);
    return is_any;
}

static size_t count_released(struct place *place)
{
    uint64_t records[64];
    size_t count = 0;
    assert_int_equal(vault_outbox_list(place->vault, records, COUNT_OF(records), &count), 0);
    return count;
}

static bool is_there(struct place *place, uint64_t id)
{
    struct vault_email email;
    int result = vault_email_get(place->vault, id, &email);
    assert_true(result == 0 || result == VAULT_NOT_FOUND);
    return result == 0;
}

static void expunge(struct place *place, uint64_t mailbox, uint32_t first, uint32_t last)
{
    const struct vault_range range = {first, last};
    assert_int_equal(vault_member_expunge(place->vault, mailbox, &range, 1, VAULT_EXPUNGE_ALL, NULL, NULL), 0);
    assert_int_equal(vault_check(place->vault), 0);
}

/* Until it is forgotten, and afterwards, it is as good as gone, and does not come back. */
static void what_was_expunged_is_forgotten_later(void **state)
{
    struct place *place = *state;
    uint64_t id = add(place, VAULT_INBOX, 5, 0);
    uint64_t found = 0;
    assert_false(any(place));
    expunge(place, VAULT_INBOX, 1, 1);
    for (int settled = 0; settled < 2; settled++) {
        assert_int_equal(any(place), !settled);
        assert_int_equal(count_released(place), settled);
        assert_int_equal(is_there(place, id), !settled);
        assert_int_equal(vault_email_find_record(place->vault, 5, &found), VAULT_NOT_FOUND);
        assert_int_equal(vault_outbox_find(place->vault, 5), 0);
        assert_int_equal(add_to(place->vault, VAULT_INBOX, 5, 0, &found), VAULT_EXISTS);
        assert_int_equal(vault_check(place->vault), 0);
        reopen(place);
        settle(place);
    }
}

static void what_is_filed_elsewhere_stays(void **state)
{
    struct place *place = *state;
    uint64_t other = make(place, "other");
    uint64_t ids[9];
    for (uint64_t i = 0; i < 9; i++)
        ids[i] = add(place, VAULT_INBOX, i + 1, 0);
    const struct vault_range copied = {3, 4};
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &copied, 1, to(other), NULL, NULL), 0);
    expunge(place, VAULT_INBOX, 2, 6);
    settle(place);
    assert_int_equal(count_released(place), 3);
    for (uint64_t i = 0; i < 9; i++)
        assert_int_equal(is_there(place, ids[i]), i == 0 || i == 2 || i == 3 || i > 5);
    expunge(place, other, 1, 2);
    settle(place);
    assert_int_equal(count_released(place), 5);
    assert_false(is_there(place, ids[2]));
}

/* It left one mailbox, and the other one is gone before anybody has looked: both runs are true. */
static void runs_may_overlap(void **state)
{
    struct place *place = *state;
    uint64_t other = make(place, "other");
    for (uint64_t i = 0; i < 30; i++)
        (void)add(place, VAULT_INBOX, i + 1, i % 2 == 0 ? VAULT_DELETED : 0);
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &all, 1, to(other), NULL, NULL), 0);
    assert_int_equal(vault_member_expunge(place->vault, VAULT_INBOX, &all, 1, VAULT_EXPUNGE_DELETED, NULL, NULL), 0);
    assert_int_equal(status(place, VAULT_INBOX).total, 15);
    assert_int_equal(status(place, VAULT_INBOX).deleted, 0);
    expunge(place, VAULT_INBOX, 1, 30);
    expunge(place, other, 1, 30);
    bool more = false;
    assert_int_equal(vault_leaving_settle(place->vault, 4, &more), 0);
    assert_true(more);
    assert_int_equal(count_released(place), 4);
    assert_int_equal(vault_check(place->vault), 0);
    settle(place);
    assert_int_equal(count_released(place), 30);
    assert_false(any(place));
}

static void what_was_moved_has_not_left(void **state)
{
    struct place *place = *state;
    uint64_t other = make(place, "other");
    for (uint64_t i = 0; i < 20; i++)
        (void)add(place, VAULT_INBOX, i + 1, i % 3 == 0 ? VAULT_DELETED : 0);
    static const struct vault_range ranges[] = {{2, 5}, {6, 6}, {9, 12}};
    struct seen seen = {0};
    assert_int_equal(vault_member_move(place->vault, VAULT_INBOX, ranges, 3, to(other), see_copy, &seen), 0);
    assert_int_equal(seen.count, 9);
    seen.count = 0;
    assert_int_equal(vault_member_scan(place->vault, VAULT_INBOX, all, see, &seen), 0);
    assert_int_equal(seen.count, 11);
    seen.count = 0;
    assert_int_equal(vault_member_expunged(place->vault, VAULT_INBOX, all, 0, see_uid, &seen), 0);
    assert_int_equal(seen.count, 9);
    assert_int_equal(seen.uids[8], 12);
    assert_int_equal(status(place, VAULT_INBOX).total, 11);
    assert_int_equal(status(place, other).total, 9);
    assert_int_equal(status(place, VAULT_INBOX).deleted + status(place, other).deleted, 7);
    /* Within its mailbox, too. */
    assert_int_equal(vault_member_move(place->vault, other, &all, 1, to(other), NULL, NULL), 0);
    assert_int_equal(status(place, other).total, 9);
    assert_int_equal(status(place, other).uidnext, 19);
    assert_false(any(place));
    settle(place);
    assert_int_equal(count_released(place), 0);
}

/* Where the index goes on meanwhile, the words are taken out of it, too. */
static void what_came_into_the_index_meanwhile_departs_from_it(void **state)
{
    struct place *place = *state;
    uint64_t first = add(place, VAULT_INBOX, 1, 0);
    (void)add(place, VAULT_INBOX, 2, 0);
    expunge(place, VAULT_INBOX, 1, 2);
    assert_int_equal(vault_index_add(place->vault, first, NULL), 0);
    settle(place);
    struct vault_email email;
    assert_int_equal(vault_index_departed(place->vault, 0, &email), 0);
    assert_int_equal(email.id, first);
    assert_int_equal(count_released(place), 1);
}

static void a_deleted_mailbox_lets_its_emails_go(void **state)
{
    struct place *place = *state;
    uint64_t other = make(place, "other");
    uint64_t kept = add(place, other, 1, 0);
    const struct vault_range first = {1, 1};
    (void)add(place, other, 2, 0);
    (void)add(place, VAULT_INBOX, 3, 0);
    (void)add(place, other, 4, 0);
    assert_int_equal(vault_member_copy(place->vault, other, &first, 1, to(VAULT_INBOX), NULL, NULL), 0);
    assert_int_equal(vault_mailbox_delete(place->vault, other), 0);
    assert_int_equal(vault_check(place->vault), 0);
    settle(place);
    assert_int_equal(count_released(place), 2);
    assert_true(is_there(place, kept));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(what_was_expunged_is_forgotten_later),
        IN_PLACE(what_is_filed_elsewhere_stays),
        IN_PLACE(runs_may_overlap),
        IN_PLACE(what_was_moved_has_not_left),
        IN_PLACE(what_came_into_the_index_meanwhile_departs_from_it),
        IN_PLACE(a_deleted_mailbox_lets_its_emails_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
