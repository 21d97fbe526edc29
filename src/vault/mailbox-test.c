#include "vault/fixture.h"

static int collect_name(void *arg, const struct vault_mailbox *mailbox)
{
    char *names = arg;
    size_t len = strlen(names);
    (void)snprintf(names + len, 512 - len, "%s%s", mailbox->name, mailbox->selectable ? " " : "! ");
    return 0;
}

static int collect_subscription(void *arg, const char *name)
{
    char *names = arg;
    (void)strncat(names, name, 500 - strlen(names));
    (void)strncat(names, " ", 500 - strlen(names));
    return 0;
}

static void a_new_vault_has_its_mailboxes(void **state)
{
    struct place *place = *state;
    char names[512] = "";
    assert_int_equal(vault_mailbox_list(place->vault, collect_name, names), 0);
    assert_string_equal(names, "INBOX Archive Drafts Junk Sent Trash ");
    struct vault_mailbox mailbox;
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("iNbOx"), &mailbox), 0);
    assert_int_equal(mailbox.id, VAULT_INBOX);
    assert_int_equal(mailbox.uidnext, 1);
    assert_true(mailbox.uidvalidity >= NOW);
    assert_true(mailbox.subscribed);
    assert_int_equal(vault_mailbox_find_role(place->vault, VAULT_ROLE_JUNK, &mailbox), 0);
    assert_string_equal(mailbox.name, "Junk");
    uint64_t modseq = vault_modseq(place->vault);
    reopen(place);
    assert_int_equal(vault_modseq(place->vault), modseq);
}

static void mailbox_names_are_checked(void **state)
{
    struct place *place = *state;
    char long_name[VAULT_NAME_MAX + 2];
    char deep_name[2 * VAULT_DEPTH_MAX + 2];
    memset(long_name, 'x', sizeof(long_name));
    for (size_t i = 0; i < sizeof(deep_name); i++)
        deep_name[i] = i % 2 == 0 ? 'd' : '/';
    const struct {
        span_t name;
        int outcome;
    } rows[] = {
        {SPAN("a"), 0},
        {SPAN("a"), VAULT_EXISTS},
        {SPAN("a/"), VAULT_EXISTS},
        {SPAN("inbox"), VAULT_EXISTS},
        {SPAN("InBox/below"), 0},
        {SPAN("INBOX/below"), VAULT_EXISTS},
        {SPAN(""), VAULT_NAME_BAD},
        {SPAN("/"), VAULT_NAME_BAD},
        {SPAN("/a"), VAULT_NAME_BAD},
        {SPAN("a//b"), VAULT_NAME_BAD},
        {SPAN("a\x01"), VAULT_NAME_BAD},
        {SPAN("\xff"), VAULT_NAME_BAD},
        {SPAN("\xc0\xaf"), VAULT_NAME_BAD},
        {SPAN("\xed\xa0\x80"), VAULT_NAME_BAD},
        {SPAN("\xe2\x98"), VAULT_NAME_BAD},
        {SPAN("\xe2\x98\x83/\xf0\x9f\x90\xa6"), 0},
        {span_of(long_name, VAULT_NAME_MAX), 0},
        {span_of(long_name, VAULT_NAME_MAX + 1), VAULT_LIMIT},
        {span_of(deep_name, 2 * VAULT_DEPTH_MAX - 1), 0},
        {span_of(deep_name, 2 * VAULT_DEPTH_MAX + 1), VAULT_LIMIT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t id = 0;
        assert_int_equal(vault_mailbox_create(place->vault, rows[i].name, NOW, &id), rows[i].outcome);
    }
}

static void renaming_takes_the_children_along(void **state)
{
    struct place *place = *state;
    (void)make(place, "a/b/c");
    (void)make(place, "ab");
    (void)make(place, "a0");
    uint64_t b = make(place, "a/b2");
    add(place, b, 1, 0);
    assert_int_equal(vault_mailbox_rename(place->vault, SPAN("a"), SPAN("new/place"), NOW), 0);
    struct vault_mailbox mailbox;
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("new/place/b/c"), &mailbox), 0);
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("new/place/b2"), &mailbox), 0);
    assert_int_equal(mailbox.id, b);
    assert_int_equal(mailbox.total, 1);
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("a"), &mailbox), VAULT_NOT_FOUND);
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("ab"), &mailbox), 0);
    assert_int_equal(vault_mailbox_rename(place->vault, SPAN("new"), SPAN("ab"), NOW), VAULT_EXISTS);
    assert_int_equal(vault_mailbox_rename(place->vault, SPAN("new"), SPAN("new/x"), NOW), VAULT_CONFLICT);
    assert_int_equal(vault_mailbox_rename(place->vault, SPAN("nope"), SPAN("x"), NOW), VAULT_NOT_FOUND);
    char name[VAULT_NAME_MAX];
    memset(name, 'x', sizeof(name));
    assert_int_equal(vault_mailbox_rename(place->vault, SPAN("new"), span_of(name, sizeof(name)), NOW), VAULT_LIMIT);
}

static void renaming_inbox_moves_its_messages(void **state)
{
    struct place *place = *state;
    (void)make(place, "INBOX/child");
    add(place, VAULT_INBOX, 1, 0);
    add(place, VAULT_INBOX, 2, VAULT_SEEN);
    assert_int_equal(vault_mailbox_rename(place->vault, SPAN("inbox"), SPAN("old"), NOW), 0);
    assert_int_equal(status(place, VAULT_INBOX).total, 0);
    struct vault_mailbox mailbox;
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("old"), &mailbox), 0);
    assert_int_equal(mailbox.total, 2);
    assert_int_equal(mailbox.unseen, 1);
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("INBOX/child"), &mailbox), 0);
}

static void deleting_keeps_what_is_above_children(void **state)
{
    struct place *place = *state;
    uint64_t child = make(place, "top/child");
    struct vault_mailbox top;
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("top"), &top), 0);
    add(place, top.id, 7, 0);
    uint32_t validity = top.uidvalidity;
    assert_int_equal(vault_mailbox_delete(place->vault, top.id), 0);
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("top"), &top), 0);
    assert_false(top.selectable);
    assert_int_equal(top.total, 0);
    assert_int_equal(vault_mailbox_delete(place->vault, top.id), VAULT_CONFLICT);
    uint64_t again = make(place, "top");
    assert_int_not_equal(again, top.id); /* who has the old one open must not get into the new one */
    assert_true(status(place, again).uidvalidity > validity);
    assert_int_equal(vault_mailbox_delete(place->vault, child), 0);
    assert_int_equal(vault_mailbox_delete(place->vault, child), VAULT_NOT_FOUND);
    assert_int_equal(vault_mailbox_delete(place->vault, VAULT_INBOX), VAULT_PROTECTED);
    uint64_t records[4];
    size_t count = 0;
    settle(place);
    assert_int_equal(vault_outbox_list(place->vault, records, 4, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(records[0], 7);
}

static void a_mailbox_made_again_has_a_higher_uidvalidity(void **state)
{
    struct place *place = *state;
    uint64_t first = make(place, "again");
    uint32_t validity = status(place, first).uidvalidity;
    assert_int_equal(vault_mailbox_delete(place->vault, first), 0);
    reopen(place);
    uint64_t second = make(place, "again");
    assert_true(second > first);
    assert_true(status(place, second).uidvalidity > validity);
}

static void subscriptions_are_names(void **state)
{
    struct place *place = *state;
    assert_int_equal(vault_subscribe(place->vault, SPAN("not/there")), 0);
    assert_int_equal(vault_subscribe(place->vault, SPAN("not/there")), 0);
    assert_int_equal(vault_unsubscribe(place->vault, SPAN("Junk")), 0);
    assert_int_equal(vault_unsubscribe(place->vault, SPAN("Junk")), VAULT_NOT_FOUND);
    char names[512] = "";
    assert_int_equal(vault_subscription_list(place->vault, collect_subscription, names), 0);
    assert_string_equal(names, "INBOX Archive Drafts Sent Trash not/there ");
}

static void recent_is_claimed_once(void **state)
{
    struct place *place = *state;
    uint32_t from = 9;
    assert_int_equal(vault_mailbox_claim_recent(place->vault, VAULT_INBOX, &from), 0);
    assert_int_equal(from, 0);
    add(place, VAULT_INBOX, 1, 0);
    assert_int_equal(vault_mailbox_claim_recent(place->vault, VAULT_INBOX, &from), 0);
    assert_int_equal(from, 1);
    assert_int_equal(vault_mailbox_claim_recent(place->vault, VAULT_INBOX, &from), 0);
    assert_int_equal(from, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(a_new_vault_has_its_mailboxes),
        IN_PLACE(mailbox_names_are_checked),
        IN_PLACE(renaming_takes_the_children_along),
        IN_PLACE(renaming_inbox_moves_its_messages),
        IN_PLACE(deleting_keeps_what_is_above_children),
        IN_PLACE(a_mailbox_made_again_has_a_higher_uidvalidity),
        IN_PLACE(subscriptions_are_names),
        IN_PLACE(recent_is_claimed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
