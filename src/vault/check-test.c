#include "vault/fixture.h"

#include <errno.h>

#include "vault/check.h"
#include "vault/engine.h"

/*
 * Each rule is broken by a statement of its own in a vault that is sound otherwise, found by its name and at its place,
 * and repaired; after that the vault is sound again, which the fixture looks at as well.
 */
struct found {
    size_t count;
    const char *name;
    char mailbox[64];
    char text[256];
    uint32_t uid;
};

static int note(void *arg, const struct vault_finding *finding)
{
    struct found *found = arg;
    found->count++;
    (void)snprintf(found->mailbox, sizeof(found->mailbox), "%s", finding->mailbox == NULL ? "" : finding->mailbox);
    (void)snprintf(found->text, sizeof(found->text), "%s", finding->text);
    found->uid = finding->uid;
    return 0;
}

/* All rules; the first one that is broken is told. */
static struct found look(struct vault *vault)
{
    struct found first = {0};
    for (size_t rule = 0; rule < vault_rule_count(); rule++) {
        struct found found = {.name = vault_rule_name(rule)};
        assert_int_equal(vault_rule_check(vault, rule, note, &found), 0);
        if (first.count == 0 && found.count > 0)
            first = found;
    }
    return first;
}

/* As `waxwing check --repair` does: each rule in its turn. */
static void repair(struct vault *vault)
{
    for (size_t rule = 0; rule < vault_rule_count(); rule++) {
        struct found found = {0};
        assert_int_equal(vault_rule_check(vault, rule, note, &found), 0);
        if (found.count > 0)
            assert_int_equal(vault_rule_repair(vault, rule), 0);
    }
}

/* INBOX: UIDs 1 to 3, UID 2 expunged; Archive: a copy of INBOX 3. */
static void furnish(struct place *place)
{
    struct vault_mailbox archive;
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("Archive"), &archive), 0);
    for (uint64_t record = 1; record <= 3; record++)
        (void)add(place, VAULT_INBOX, record, record == 1 ? VAULT_SEEN : 0);
    const struct vault_range second = {2, 2};
    const struct vault_range third = {3, 3};
    assert_int_equal(vault_member_expunge(place->vault, VAULT_INBOX, &second, 1, VAULT_EXPUNGE_ALL, NULL, NULL), 0);
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &third, 1, to(archive.id), NULL, NULL), 0);
    assert_int_equal(look(place->vault).count, 0);
}

static const struct {
    const char *break_it;
    const char *name;
    const char *mailbox;
    uint32_t uid;
} breaks[] = {
    {"UPDATE mailbox SET total = total + 1 WHERE id = 1", "counts", "INBOX", 0},
    {"UPDATE mailbox SET unseen = 0 WHERE id = 1", "counts", "INBOX", 0},
    {"UPDATE mailbox SET deleted = 5 WHERE name = 'Sent'", "counts", "Sent", 0},
    {"UPDATE mailbox SET bytes = bytes - 1 WHERE name = 'Archive'", "counts", "Archive", 0},
    {"UPDATE mailbox SET uidnext = 3 WHERE id = 1", "uidnext", "INBOX", 0},
    {"UPDATE mailbox SET recent_from = uidnext + 1 WHERE id = 1", "recent", "INBOX", 0},
    {"UPDATE mailbox SET modseq = 1 WHERE id = 1", "modseq", "INBOX", 0},
    {"UPDATE member SET email = 1000 WHERE mailbox = 1 AND uid = 3", "member", "INBOX", 3},
    {"UPDATE member SET mailbox = 999 WHERE mailbox = 1 AND uid = 1;"
     "UPDATE mailbox SET total = 1, unseen = 1, bytes = 103 WHERE id = 1",
     "mailbox", "", 1},
    {"DELETE FROM member WHERE mailbox = 1 AND uid = 1; UPDATE mailbox SET total = 1, bytes = 103 WHERE id = 1",
     "unfiled", "", 0},
    {"UPDATE member SET received = 5 WHERE mailbox = 1 AND uid = 3", "size", "INBOX", 3},
    {"UPDATE member SET flags = flags | (1 << 40) WHERE mailbox = 1 AND uid = 3", "keyword", "INBOX", 3},
    {"INSERT INTO expunged(mailbox, uid, modseq) VALUES(1, 3, 1)", "expunged", "INBOX", 3},
    {"INSERT INTO expunged(mailbox, uid, modseq) VALUES(999, 7, 1)", "expunged", "", 7},
    {"UPDATE email SET thread = id + 1 WHERE record = 3", "thread", "", 0},
    {"INSERT INTO reference(hash, thread) VALUES(5, 0)", "thread", "", 0},
    {"INSERT INTO cache(email, envelope, structure) VALUES(1000, 'x', 'y')", "cache", "", 0},
    {"INSERT INTO outbox(record) VALUES(3)", "release", "", 0},
    {"INSERT INTO departed SELECT id, record, segment, offset, length, content_key FROM email WHERE record = 3",
     "release", "", 0},
};

static void break_and_repair(size_t which)
{
    void *state = NULL;
    assert_int_equal(open_place(&state), 0);
    struct place *place = state;
    furnish(place);
    assert_int_equal(engine_execute(place->vault, breaks[which].break_it), 0);
    struct found found = look(place->vault);
    if (found.name == NULL || strcmp(found.name, breaks[which].name) != 0)
        fail_msg("%s: found %s: %s", breaks[which].break_it, found.name == NULL ? "nothing" : found.name, found.text);
    assert_string_equal(found.mailbox, breaks[which].mailbox);
    assert_int_equal(found.uid, breaks[which].uid);
    assert_int_equal(vault_check(place->vault), -EBADMSG);
    repair(place->vault);
    found = look(place->vault);
    if (found.count != 0)
        fail_msg("%s: left %s: %s", breaks[which].break_it, found.name, found.text);
    assert_int_equal(close_place(&state), 0);
}

static void every_broken_rule_is_found_and_repaired(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(breaks); i++)
        break_and_repair(i);
}

/* Somebody's mail must come out of every repair. */
static void what_is_filed_nowhere_goes_to_inbox(void **state)
{
    struct place *place = *state;
    furnish(place);
    uint32_t uidnext = status(place, VAULT_INBOX).uidnext;
    assert_int_equal(engine_execute(place->vault, "UPDATE member SET mailbox = 999 WHERE mailbox <> 1"), 0);
    assert_int_equal(engine_execute(place->vault, "DELETE FROM member WHERE mailbox = 1 AND uid = 1"), 0);
    repair(place->vault);
    struct vault_mailbox inbox = status(place, VAULT_INBOX);
    assert_int_equal(inbox.total, 3);
    assert_int_equal(inbox.uidnext, uidnext + 2);
    struct seen seen = {0};
    assert_int_equal(
        vault_member_scan(place->vault, VAULT_INBOX, (struct vault_range){uidnext, uidnext + 1}, see, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_true(seen.members[0].modseq <= inbox.highest_modseq);
}

/* A client that asks for changes must hear of it (RFC 7162 §3.2.10). */
static void a_member_without_a_message_is_expunged(void **state)
{
    struct place *place = *state;
    furnish(place);
    uint64_t before = vault_modseq(place->vault);
    assert_int_equal(engine_execute(place->vault, "UPDATE member SET email = 1000 WHERE mailbox = 1 AND uid = 3"), 0);
    repair(place->vault);
    struct seen seen = {0};
    assert_int_equal(vault_member_expunged(place->vault, VAULT_INBOX, all, before, see_uid, &seen), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.uids[0], 3);
    assert_true(vault_modseq(place->vault) > before);
    assert_int_equal(status(place, VAULT_INBOX).total, 1);
}

static void an_index_that_does_not_fit_its_table_is_found_and_made_anew(void **state)
{
    struct place *place = *state;
    furnish(place);
    assert_int_equal(engine_execute(place->vault, "CREATE TABLE later(a INT); CREATE INDEX later_a ON later(a);"
                                                  "INSERT INTO later(a) VALUES(1), (2); PRAGMA writable_schema = ON;"
                                                  "UPDATE sqlite_schema SET sql = 'CREATE INDEX later_a ON later(a+1)'"
                                                  " WHERE name = 'later_a'; PRAGMA writable_schema = OFF"),
                     0);
    reopen(place);
    assert_string_equal(look(place->vault).name, "pages");
    repair(place->vault);
    assert_int_equal(look(place->vault).count, 0);
}

/* What was given out before the damage must not be given out again. */
static void numbers_go_on_above_what_was_repaired(void **state)
{
    struct place *place = *state;
    furnish(place);
    uint64_t modseq = vault_modseq(place->vault);
    assert_int_equal(engine_execute(place->vault, "UPDATE mailbox SET modseq = 1, uidnext = 1"), 0);
    reopen(place);
    assert_true(vault_modseq(place->vault) < modseq);
    repair(place->vault);
    assert_int_equal(vault_modseq(place->vault), modseq);
    uint64_t id = add(place, VAULT_INBOX, 9, 0);
    assert_true(id > modseq);
    struct seen seen = {0};
    assert_int_equal(vault_member_scan(place->vault, VAULT_INBOX, (struct vault_range){4, 4}, see, &seen), 0);
    assert_int_equal(seen.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_broken_rule_is_found_and_repaired),
        IN_PLACE(what_is_filed_nowhere_goes_to_inbox),
        IN_PLACE(a_member_without_a_message_is_expunged),
        IN_PLACE(an_index_that_does_not_fit_its_table_is_found_and_made_anew),
        IN_PLACE(numbers_go_on_above_what_was_repaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
