#include "vault/fixture.h"
#include "vault/origin.h"

static void an_origin_is_remembered_with_its_transaction(void **state)
{
    struct place *place = *state;
    uint64_t count = 9;
    assert_int_equal(vault_origin_find(place->vault, SPAN("one")), VAULT_NOT_FOUND);
    assert_int_equal(vault_begin(place->vault, VAULT_DURABLE), 0);
    assert_int_equal(vault_origin_add(place->vault, SPAN("one"), 0, 0), 0);
    vault_rollback(place->vault);
    assert_int_equal(vault_origin_find(place->vault, SPAN("one")), VAULT_NOT_FOUND);
    assert_int_equal(vault_origin_add(place->vault, SPAN("one"), 0, 0), 0);
    assert_int_equal(vault_origin_add(place->vault, SPAN("one"), 0, 0), 0);
    assert_int_equal(vault_origin_add(place->vault, SPAN("two"), 0, 0), 0);
    reopen(place);
    assert_int_equal(vault_origin_find(place->vault, SPAN("one")), 0);
    assert_int_equal(vault_origin_find(place->vault, SPAN("three")), VAULT_NOT_FOUND);
    assert_int_equal(vault_origin_count(place->vault, &count), 0);
    assert_int_equal(count, 2);
}

static uint64_t flags_of(struct place *place, uint64_t mailbox)
{
    struct seen seen = {0};
    assert_int_equal(vault_member_scan(place->vault, mailbox, all, see, &seen), 0);
    assert_int_equal(seen.count, 1);
    return seen.members[0].flags;
}

static void what_changes_at_the_source_changes_here(void **state)
{
    struct place *place = *state;
    bool changed = false;
    uint64_t copies = make(place, "copies");
    uint64_t id = add(place, VAULT_INBOX, 1, VAULT_SEEN);
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &all, 1, to(copies), NULL, NULL), 0);
    assert_int_equal(vault_origin_add(place->vault, SPAN("one"), id, VAULT_SEEN), 0);
    assert_int_equal(vault_origin_follow(place->vault, SPAN("one"), VAULT_SEEN, &changed), 0);
    assert_false(changed);
    /* The owner takes \\Seen away and flags it; the source answers it. */
    struct vault_flag_change change = {VAULT_FLAGS_REPLACE, VAULT_FLAGGED, UINT64_MAX, NULL, NULL, NULL};
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, &all, 1, &change), 0);
    assert_int_equal(vault_origin_follow(place->vault, SPAN("one"), VAULT_SEEN | VAULT_ANSWERED, &changed), 0);
    assert_true(changed);
    assert_int_equal(flags_of(place, VAULT_INBOX), VAULT_FLAGGED | VAULT_ANSWERED);
    assert_int_equal(flags_of(place, copies), VAULT_SEEN | VAULT_ANSWERED);
    assert_int_equal(vault_origin_follow(place->vault, SPAN("one"), 0, &changed), 0);
    assert_int_equal(flags_of(place, VAULT_INBOX), VAULT_FLAGGED);
    assert_int_equal(flags_of(place, copies), 0);
    assert_int_equal(vault_origin_follow(place->vault, SPAN("two"), 0, &changed), VAULT_NOT_FOUND);
    /* Expunged here: nothing comes back. */
    assert_int_equal(vault_member_expunge(place->vault, VAULT_INBOX, &all, 1, VAULT_EXPUNGE_ALL, NULL, NULL), 0);
    assert_int_equal(vault_member_expunge(place->vault, copies, &all, 1, VAULT_EXPUNGE_ALL, NULL, NULL), 0);
    assert_int_equal(vault_origin_follow(place->vault, SPAN("one"), VAULT_SEEN, &changed), 0);
    assert_false(changed);
    assert_int_equal(status(place, VAULT_INBOX).total, 0);
    /* Brought in before it was remembered what it became. */
    assert_int_equal(vault_origin_add(place->vault, SPAN("old"), 0, 0), 0);
    assert_int_equal(vault_origin_follow(place->vault, SPAN("old"), VAULT_SEEN, &changed), 0);
    assert_false(changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_origin_is_remembered_with_its_transaction, open_place, close_place),
        cmocka_unit_test_setup_teardown(what_changes_at_the_source_changes_here, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
