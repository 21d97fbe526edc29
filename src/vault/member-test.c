#include "vault/engine.h"
#include "vault/fixture.h"

static void flags_change_only_where_they_differ(void **state)
{
    struct place *place = *state;
    for (uint64_t record = 1; record <= 5; record++)
        add(place, VAULT_INBOX, record, record == 3 ? VAULT_SEEN : 0);
    uint64_t before = vault_modseq(place->vault);
    struct seen done = {0};
    struct vault_flag_change change = {VAULT_FLAGS_ADD, VAULT_SEEN, UINT64_MAX, see, NULL, &done};
    const struct vault_range ranges[] = {{1, 1}, {3, 4}};
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, ranges, 2, &change), 0);
    assert_int_equal(done.count, 3);
    assert_int_equal(done.members[0].modseq, before + 1);
    assert_true(done.members[1].modseq < before + 1);
    assert_int_equal(done.members[2].modseq, before + 1);
    assert_int_equal(status(place, VAULT_INBOX).unseen, 2);
    assert_int_equal(status(place, VAULT_INBOX).flags_modseq, before + 1);
    assert_int_equal(vault_modseq(place->vault), before + 1);
    done.count = 0;
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, ranges, 2, &change), 0);
    assert_int_equal(vault_modseq(place->vault), before + 1);
    (void)add(place, VAULT_INBOX, 6, VAULT_SEEN);
    assert_int_equal(status(place, VAULT_INBOX).flags_modseq, before + 1);
    assert_int_equal(status(place, VAULT_INBOX).highest_modseq, before + 2);
    change = (struct vault_flag_change){VAULT_FLAGS_REPLACE, VAULT_DELETED | VAULT_DRAFT, UINT64_MAX, NULL, NULL, NULL};
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, &all, 1, &change), 0);
    assert_int_equal(status(place, VAULT_INBOX).deleted, 6);
    assert_int_equal(status(place, VAULT_INBOX).unseen, 6);
    change.mode = VAULT_FLAGS_REMOVE;
    change.flags = VAULT_DELETED;
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, &all, 1, &change), 0);
    assert_int_equal(status(place, VAULT_INBOX).deleted, 0);
    assert_int_equal(vault_member_store(place->vault, 999, &all, 1, &change), VAULT_NOT_FOUND);
}

/* Flags and modseqs of the UIDs from 1 to 100, as they are to be. */
struct expected {
    uint64_t flags[101];
    uint64_t modseqs[101];
};

static void expect_change(struct expected *expected, struct vault_range range, const struct vault_flag_change *change,
                          uint64_t modseq)
{
    for (uint32_t uid = range.first; uid <= range.last && uid <= 100; uid++) {
        uint64_t old = expected->flags[uid];
        uint64_t now = change->mode == VAULT_FLAGS_ADD      ? old | change->flags
                       : change->mode == VAULT_FLAGS_REMOVE ? old & ~change->flags
                                                            : change->flags;
        if (expected->modseqs[uid] > change->unchanged_since || now == old)
            continue;
        expected->flags[uid] = now;
        expected->modseqs[uid] = modseq;
    }
}

static int is_as_expected(void *arg, const struct vault_member *member)
{
    const struct expected *expected = arg;
    assert_int_equal(member->flags, expected->flags[member->uid]);
    assert_int_equal(member->modseq, expected->modseqs[member->uid]);
    return 0;
}

static void a_store_of_many_is_as_one_of_each(void **state)
{
    struct place *place = *state;
    struct expected expected = {{0}, {0}};
    static const struct vault_range sets[][5] = {{{10, 10}, {20, 24}, {30, 30}, {38, 39}, {60, 61}},
                                                 {{2, 2}, {5, 40}, {41, 41}, {43, 44}, {50, 200}}};
    static const struct vault_range gone[] = {{7, 9}, {50, 52}};
    for (uint32_t uid = 1; uid <= 100; uid++) {
        expected.flags[uid] = (uid % 3 == 0 ? VAULT_SEEN : 0) | (uid % 5 == 0 ? VAULT_FLAGGED : 0);
        (void)add(place, VAULT_INBOX, uid, expected.flags[uid]);
        expected.modseqs[uid] = vault_modseq(place->vault);
    }
    uint64_t then = vault_modseq(place->vault);
    const struct vault_flag_change changes[] = {
        {VAULT_FLAGS_ADD, VAULT_ANSWERED, UINT64_MAX, NULL, NULL, NULL},
        {VAULT_FLAGS_ADD, VAULT_SEEN | VAULT_DELETED, then, NULL, NULL, NULL},
        {VAULT_FLAGS_REMOVE, VAULT_SEEN, UINT64_MAX, NULL, NULL, NULL},
        {VAULT_FLAGS_REPLACE, VAULT_FLAGGED, UINT64_MAX, NULL, NULL, NULL},
    };
    assert_int_equal(vault_member_expunge(place->vault, VAULT_INBOX, gone, 2, VAULT_EXPUNGE_ALL, NULL, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        const struct vault_range *ranges = sets[i == 0 ? 0 : 1];
        for (size_t range = 0; range < 5; range++)
            expect_change(&expected, ranges[range], &changes[i], vault_modseq(place->vault) + 1);
        assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, ranges, 5, &changes[i]), 0);
        assert_int_equal(vault_member_scan(place->vault, VAULT_INBOX, all, is_as_expected, &expected), 0);
        assert_int_equal(vault_check(place->vault), 0);
    }
}

static void a_conditional_store_refuses_what_changed_since(void **state)
{
    struct place *place = *state;
    add(place, VAULT_INBOX, 1, 0);
    uint64_t middle = vault_modseq(place->vault);
    add(place, VAULT_INBOX, 2, 0);
    struct seen seen = {0};
    struct vault_flag_change change = {VAULT_FLAGS_ADD, VAULT_FLAGGED, middle, NULL, see, &seen};
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, &all, 1, &change), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.members[0].uid, 2);
    assert_int_equal(seen.members[0].flags, 0);
    struct seen changed = {0};
    assert_int_equal(
        vault_member_changes(place->vault, VAULT_INBOX, all, vault_modseq(place->vault) - 1, see, &changed), 0);
    assert_int_equal(changed.count, 1);
    assert_int_equal(changed.members[0].uid, 1);
    changed.count = 0;
    assert_int_equal(vault_member_changes(place->vault, VAULT_INBOX, all, vault_modseq(place->vault), see, &changed),
                     0);
    assert_int_equal(changed.count, 0);
}

static void a_callback_that_stops_undoes_the_change(void **state)
{
    struct place *place = *state;
    for (uint64_t record = 1; record <= 3; record++)
        add(place, VAULT_INBOX, record, 0);
    uint64_t before = vault_modseq(place->vault);
    struct seen seen = {0};
    struct vault_flag_change change = {VAULT_FLAGS_ADD, VAULT_SEEN, UINT64_MAX, stop_at_second, NULL, &seen};
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, &all, 1, &change), 77);
    assert_int_equal(status(place, VAULT_INBOX).unseen, 3);
    assert_int_equal(vault_modseq(place->vault), before);
    /* The same inside a transaction, of which the rest stays. */
    seen.count = 0;
    assert_int_equal(vault_begin(place->vault, VAULT_RELAXED), 0);
    add(place, VAULT_INBOX, 4, 0);
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, &all, 1, &change), 77);
    assert_int_equal(vault_commit(place->vault), 0);
    assert_int_equal(status(place, VAULT_INBOX).unseen, 4);
}

static void copies_share_the_email(void **state)
{
    struct place *place = *state;
    uint64_t target = make(place, "copies");
    uint64_t id = add(place, VAULT_INBOX, 1, VAULT_FLAGGED);
    add(place, VAULT_INBOX, 2, VAULT_SEEN);
    add(place, target, 3, 0);
    struct seen seen = {0};
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &all, 1, to(target), see_copy, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.uids[0], 1);
    assert_int_equal(seen.others[0], 2);
    assert_int_equal(seen.others[1], 3);
    assert_int_equal(status(place, target).total, 3);
    assert_int_equal(status(place, target).unseen, 2);
    seen.count = 0;
    assert_int_equal(vault_member_scan(place->vault, target, (struct vault_range){2, 2}, see, &seen), 0);
    assert_int_equal(seen.members[0].email, id);
    assert_int_equal(seen.members[0].flags, VAULT_FLAGGED);
    assert_int_equal(seen.members[0].received, 1000000);
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &all, 1, to(999), NULL, NULL), VAULT_NOT_FOUND);
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &all, 1, to(VAULT_INBOX), NULL, NULL), 0);
    assert_int_equal(status(place, VAULT_INBOX).total, 4);
}

static int64_t saved_of(struct place *place, uint64_t mailbox, uint32_t uid)
{
    struct seen seen = {0};
    assert_int_equal(vault_member_scan(place->vault, mailbox, (struct vault_range){uid, uid}, see, &seen), 0);
    assert_int_equal(seen.count, 1);
    return seen.members[0].saved;
}

static void a_save_date_is_that_of_the_last_mailbox(void **state)
{
    struct place *place = *state;
    uint64_t target = make(place, "target");
    struct vault_target then = {.mailbox = target, .saved = 77};
    add(place, VAULT_INBOX, 5, 0);
    assert_int_equal(saved_of(place, VAULT_INBOX, 1), 5000000);
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &all, 1, then, NULL, NULL), 0);
    assert_int_equal(saved_of(place, target, 1), 77);
    assert_int_equal(saved_of(place, VAULT_INBOX, 1), 5000000);
    assert_int_equal(vault_member_move(place->vault, target, &all, 1, to(VAULT_INBOX), NULL, NULL), 0);
    assert_int_equal(saved_of(place, VAULT_INBOX, 2), 77);
    assert_int_equal(vault_mailbox_rename(place->vault, SPAN("INBOX"), SPAN("old"), NOW), 0);
    struct vault_mailbox old;
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("old"), &old), 0);
    assert_int_equal(saved_of(place, old.id, 2), 77);
}

/* Version 6 was the last without the column; what came after it is taken back, too. */
static void what_an_older_vault_has_was_saved_when_it_was_received(void **state)
{
    struct place *place = *state;
    add(place, VAULT_INBOX, 3, 0);
    assert_int_equal(engine_execute(place->vault,
                                    "ALTER TABLE member DROP COLUMN saved; DROP TABLE sorting;"
                                    "DROP TABLE unsorted; DROP TABLE leaving; ALTER TABLE origin DROP COLUMN email;"
                                    "ALTER TABLE origin DROP COLUMN flags; ALTER TABLE mailbox DROP COLUMN flagged;"
                                    "PRAGMA user_version=6"),
                     0);
    reopen(place);
    assert_int_equal(saved_of(place, VAULT_INBOX, 1), 3000000);
}

static void the_last_expunge_releases_the_record(void **state)
{
    struct place *place = *state;
    uint64_t target = make(place, "other");
    uint64_t id = add(place, VAULT_INBOX, 11, VAULT_DELETED);
    add(place, VAULT_INBOX, 12, 0);
    assert_int_equal(
        vault_member_copy(place->vault, VAULT_INBOX, &(struct vault_range){1, 1}, 1, to(target), NULL, NULL), 0);
    uint64_t before = vault_modseq(place->vault);
    struct seen seen = {0};
    assert_int_equal(vault_member_expunge(place->vault, VAULT_INBOX, &all, 1, VAULT_EXPUNGE_DELETED, see_uid, &seen),
                     0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.uids[0], 1);
    uint64_t records[4];
    size_t count = 9;
    settle(place);
    assert_int_equal(vault_outbox_list(place->vault, records, 4, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(vault_member_expunge(place->vault, target, &all, 1, VAULT_EXPUNGE_ALL, NULL, NULL), 0);
    struct vault_email email;
    settle(place);
    assert_int_equal(vault_email_get(place->vault, id, &email), VAULT_NOT_FOUND);
    reopen(place);
    assert_int_equal(vault_outbox_list(place->vault, records, 4, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(records[0], 11);
    uint64_t again = 0;
    assert_int_equal(vault_outbox_find(place->vault, 11), 0);
    assert_int_equal(vault_outbox_find(place->vault, 12), VAULT_NOT_FOUND);
    assert_int_equal(add_to(place->vault, VAULT_INBOX, 11, 0, &again), VAULT_EXISTS); /* it does not come back */
    assert_int_equal(vault_outbox_clear(place->vault, records, 1), 0);
    assert_int_equal(vault_outbox_list(place->vault, records, 4, &count), 0);
    assert_int_equal(count, 0);
    seen.count = 0;
    assert_int_equal(vault_member_expunged(place->vault, VAULT_INBOX, all, before, see_uid, &seen), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.uids[0], 1);
    assert_int_equal(vault_member_expunged(place->vault, VAULT_INBOX, all, before + 1, see_uid, &seen), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(status(place, VAULT_INBOX).uidnext, 3);
}

static void moving_keeps_the_email(void **state)
{
    struct place *place = *state;
    uint64_t target = make(place, "moved");
    uint64_t id = add(place, VAULT_INBOX, 1, VAULT_DELETED);
    struct seen seen = {0};
    assert_int_equal(vault_member_move(place->vault, VAULT_INBOX, &all, 1, to(target), see_copy, &seen), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(status(place, VAULT_INBOX).total, 0);
    assert_int_equal(status(place, VAULT_INBOX).deleted, 0);
    assert_int_equal(status(place, target).deleted, 1);
    struct vault_email email;
    assert_int_equal(vault_email_get(place->vault, id, &email), 0);
}

static void keywords_have_bits_until_none_is_left(void **state)
{
    struct place *place = *state;
    uint64_t mask = 0;
    assert_int_equal(vault_keyword_find(place->vault, SPAN("$Forwarded"), &mask), VAULT_NOT_FOUND);
    assert_int_equal(vault_keyword_use(place->vault, SPAN("$Forwarded"), &mask), 0);
    assert_int_equal(mask, 1U << VAULT_KEYWORD_FIRST);
    assert_int_equal(vault_keyword_use(place->vault, SPAN("two words"), &mask), VAULT_NAME_BAD);
    assert_int_equal(vault_begin(place->vault, VAULT_DURABLE), 0);
    assert_int_equal(vault_keyword_use(place->vault, SPAN("undone"), &mask), 0);
    vault_rollback(place->vault);
    assert_int_equal(vault_keyword_find(place->vault, SPAN("undone"), &mask), VAULT_NOT_FOUND);
    for (int i = 1; i < VAULT_KEYWORDS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "k%d", i);
        assert_int_equal(vault_keyword_use(place->vault, span_of_text(name), &mask), 0);
    }
    assert_int_equal(vault_keyword_use(place->vault, SPAN("onemore"), &mask), VAULT_LIMIT);
    reopen(place);
    assert_int_equal(vault_keyword_find(place->vault, SPAN("$FORWARDED"), &mask), 0);
    assert_string_equal(vault_keyword_name(place->vault, VAULT_KEYWORD_FIRST), "$Forwarded");
    assert_null(vault_keyword_name(place->vault, VAULT_KEYWORD_FIRST + VAULT_KEYWORDS_MAX));
}

static void long_mailboxes_are_walked_whole(void **state)
{
    struct place *place = *state;
    assert_int_equal(vault_begin(place->vault, VAULT_RELAXED), 0);
    for (uint64_t record = 1; record <= 3000; record++)
        add(place, VAULT_INBOX, record, 0);
    assert_int_equal(vault_commit(place->vault), 0);
    struct seen seen = {0};
    assert_int_equal(vault_member_scan(place->vault, VAULT_INBOX, all, see, &seen), 0);
    assert_int_equal(seen.count, 3000);
    struct vault_flag_change change = {VAULT_FLAGS_ADD, VAULT_SEEN, UINT64_MAX, NULL, NULL, NULL};
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, &all, 1, &change), 0);
    assert_int_equal(status(place, VAULT_INBOX).unseen, 0);
    uint64_t target = make(place, "target");
    assert_int_equal(vault_member_move(place->vault, VAULT_INBOX, &all, 1, to(target), NULL, NULL), 0);
    assert_int_equal(status(place, target).total, 3000);
    assert_int_equal(vault_mailbox_delete(place->vault, target), 0);
    settle(place);
    size_t count = 0;
    uint64_t records[8];
    assert_int_equal(vault_outbox_list(place->vault, records, 8, &count), 0);
    assert_int_equal(count, 8);
}

static int count_uid(void *arg, uint32_t uid, uint64_t modseq)
{
    (void)uid;
    (void)modseq;
    (*(size_t *)arg)++;
    return 0;
}

static size_t expunged_since(struct place *place, uint64_t mailbox, uint64_t since)
{
    size_t count = 0;
    assert_int_equal(vault_member_expunged(place->vault, mailbox, all, since, count_uid, &count), 0);
    return count;
}

/* One message is filed over and over, and all of that expunged, until there is more history than is kept. */
static void old_history_is_forgotten_and_asked_for_all_the_same(void **state)
{
    struct place *place = *state;
    enum { BATCH = 5000, ROUNDS = (VAULT_EXPUNGES_MAX + 2 * VAULT_EXPUNGES_SLACK) / BATCH };
    uint64_t box = make(place, "box");
    uint64_t early = 0;
    assert_int_equal(vault_begin(place->vault, VAULT_RELAXED), 0);
    (void)add(place, VAULT_INBOX, 1, 0);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < BATCH; i++)
            assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &all, 1, to(box), NULL, NULL), 0);
        assert_int_equal(vault_member_expunge(place->vault, box, &all, 1, VAULT_EXPUNGE_ALL, NULL, NULL), 0);
        early = early == 0 ? vault_modseq(place->vault) : early;
    }
    uint64_t late = vault_modseq(place->vault) - 1;
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &all, 1, to(box), NULL, NULL), 0);
    assert_int_equal(vault_commit(place->vault), 0);
    assert_int_equal(expunged_since(place, box, early), ROUNDS * BATCH); /* older ones too: they are not there */
    assert_int_equal(expunged_since(place, box, late), BATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(flags_change_only_where_they_differ),
        IN_PLACE(a_store_of_many_is_as_one_of_each),
        IN_PLACE(a_conditional_store_refuses_what_changed_since),
        IN_PLACE(a_callback_that_stops_undoes_the_change),
        IN_PLACE(copies_share_the_email),
        IN_PLACE(a_save_date_is_that_of_the_last_mailbox),
        IN_PLACE(what_an_older_vault_has_was_saved_when_it_was_received),
        IN_PLACE(the_last_expunge_releases_the_record),
        IN_PLACE(moving_keeps_the_email),
        IN_PLACE(keywords_have_bits_until_none_is_left),
        IN_PLACE(long_mailboxes_are_walked_whole),
        IN_PLACE(old_history_is_forgotten_and_asked_for_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
