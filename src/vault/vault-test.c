#include "base/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "vault/email.h"
#include "vault/keyword.h"
#include "vault/mailbox.h"
#include "vault/member.h"
#include "vault/outbox.h"
#include "vault/vault.h"

#define NOW 1700000000U

struct place {
    char folder[64];
    struct vault *vault;
};

static const uint8_t key[32] = {9};

static int open_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/waxwing-vault-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    assert_int_equal(vault_open(place->folder, key, NOW, &place->vault), 0);
    *state = place;
    return 0;
}

static void reopen(struct place *place)
{
    vault_free(place->vault);
    place->vault = NULL;
    assert_int_equal(vault_open(place->folder, key, NOW, &place->vault), 0);
}

/* Whatever a test did, the vault must be sound after it. */
static int close_place(void **state)
{
    struct place *place = *state;
    if (place->vault != NULL)
        assert_int_equal(vault_check(place->vault), 0);
    vault_free(place->vault);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/vault.db", place->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/vault.db-wal", place->folder);
    (void)unlink(path);
    assert_int_equal(rmdir(place->folder), 0);
    free(place);
    return 0;
}

static int add_to(struct vault *vault, uint64_t mailbox, uint64_t record, uint64_t flags, uint64_t *ret_id)
{
    struct vault_filing filing = {mailbox, flags};
    struct vault_new_email email = {
        .place = {.record = record, .segment = 1, .offset = record * 4096, .length = 4096, .key = {(uint8_t)record}},
        .size = 100 + record,
        .received = (int64_t)record * 1000000,
        .header_size = 50,
        .envelope = SPAN("envelope"),
        .filings = &filing,
        .filing_count = 1,
    };
    return vault_email_add(vault, &email, ret_id, NULL);
}

static uint64_t add(struct place *place, uint64_t mailbox, uint64_t record, uint64_t flags)
{
    uint64_t id = 0;
    assert_int_equal(add_to(place->vault, mailbox, record, flags, &id), 0);
    return id;
}

static struct vault_mailbox status(struct place *place, uint64_t id)
{
    struct vault_mailbox mailbox;
    assert_int_equal(vault_mailbox_get(place->vault, id, &mailbox), 0);
    return mailbox;
}

static uint64_t make(struct place *place, const char *name)
{
    uint64_t id = 0;
    assert_int_equal(vault_mailbox_create(place->vault, span_of_text(name), NOW, &id), 0);
    return id;
}

struct seen {
    size_t count;
    struct vault_member members[64];
    uint32_t uids[64];
    uint32_t others[64];
};

static int see(void *arg, const struct vault_member *member)
{
    struct seen *seen = arg;
    if (seen->count < 64)
        seen->members[seen->count] = *member;
    seen->count++;
    return 0;
}

static int see_uid(void *arg, uint32_t uid, uint64_t modseq)
{
    struct seen *seen = arg;
    (void)modseq;
    seen->uids[seen->count++] = uid;
    return 0;
}

static int see_copy(void *arg, uint32_t source, uint32_t target)
{
    struct seen *seen = arg;
    seen->uids[seen->count] = source;
    seen->others[seen->count++] = target;
    return 0;
}

static int stop_at_second(void *arg, const struct vault_member *member)
{
    struct seen *seen = arg;
    (void)member;
    return ++seen->count == 2 ? 77 : 0;
}

static const struct vault_range all = {1, UINT32_MAX};

static int collect_name(void *arg, const struct vault_mailbox *mailbox)
{
    char *names = arg;
    size_t len = strlen(names);
    (void)snprintf(names + len, 512 - len, "%s%s", mailbox->name, mailbox->selectable ? " " : "! ");
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
    assert_int_equal(make(place, "top"), top.id);
    assert_true(status(place, top.id).uidvalidity > validity);
    assert_int_equal(vault_mailbox_delete(place->vault, child), 0);
    assert_int_equal(vault_mailbox_delete(place->vault, child), VAULT_NOT_FOUND);
    assert_int_equal(vault_mailbox_delete(place->vault, VAULT_INBOX), VAULT_PROTECTED);
    uint64_t records[4];
    size_t count = 0;
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

static int collect_subscription(void *arg, const char *name)
{
    char *names = arg;
    (void)strncat(names, name, 500 - strlen(names));
    (void)strncat(names, " ", 500 - strlen(names));
    return 0;
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

static void a_message_is_filed_with_uids_and_counters(void **state)
{
    struct place *place = *state;
    struct vault_mailbox sent;
    assert_int_equal(vault_mailbox_find_role(place->vault, VAULT_ROLE_SENT, &sent), 0);
    struct vault_filing filings[] = {{VAULT_INBOX, 0}, {sent.id, VAULT_SEEN}};
    struct vault_new_email email = {
        .place = {.record = 5, .segment = 2, .offset = 4096, .length = 9000, .key = {1, 2, 3}},
        .size = 8000,
        .received = 123456789,
        .sent = 42,
        .message_id = SPAN("<one@example>"),
        .header_size = 300,
        .envelope = SPAN("ENV"),
        .structure = SPAN("STRUCT"),
        .filings = filings,
        .filing_count = 2,
    };
    add(place, VAULT_INBOX, 1, 0);
    uint64_t id = 0;
    struct vault_filed filed[2];
    assert_int_equal(vault_email_add(place->vault, &email, &id, filed), 0);
    assert_int_equal(filed[0].uid, 2);
    assert_int_equal(filed[1].uid, 1);
    assert_int_equal(filed[1].uidvalidity, sent.uidvalidity);
    uint64_t again = 0;
    assert_int_equal(vault_email_add(place->vault, &email, &again, filed), VAULT_EXISTS);
    assert_int_equal(again, id);
    reopen(place);
    struct vault_mailbox inbox = status(place, VAULT_INBOX);
    assert_int_equal(inbox.total, 2);
    assert_int_equal(inbox.unseen, 2);
    assert_int_equal(inbox.uidnext, 3);
    assert_int_equal(inbox.bytes, 8101);
    assert_int_equal(inbox.highest_modseq, id);
    assert_int_equal(status(place, sent.id).unseen, 0);
    struct vault_email got;
    assert_int_equal(vault_email_get(place->vault, id, &got), 0);
    assert_memory_equal(&got.place, &email.place, sizeof(got.place));
    assert_int_equal(got.sent, 42);
    assert_int_equal(got.header_size, 300);
    span_t envelope;
    span_t structure;
    assert_int_equal(vault_email_get_cache(place->vault, id, &envelope, &structure), 0);
    assert_true(span_equal(envelope, SPAN("ENV")));
    assert_true(span_equal(structure, SPAN("STRUCT")));
    assert_int_equal(vault_email_put_cache(place->vault, id, SPAN("NEW"), SPAN_NONE), 0);
    assert_int_equal(vault_email_get_cache(place->vault, id, &envelope, &structure), 0);
    assert_true(span_equal(envelope, SPAN("NEW")));
    assert_int_equal(structure.len, 0);
    assert_int_equal(vault_email_put_cache(place->vault, 999, SPAN("NEW"), SPAN_NONE), VAULT_NOT_FOUND);
    filings[1].mailbox = 999;
    email.place.record = 6;
    assert_int_equal(vault_email_add(place->vault, &email, &id, NULL), VAULT_NOT_FOUND);
    assert_int_equal(vault_email_find_record(place->vault, 6, &id), VAULT_NOT_FOUND);
    uint64_t count = 0;
    uint64_t bytes = 0;
    assert_int_equal(vault_email_usage(place->vault, &count, &bytes), 0);
    assert_int_equal(count, 2);
    assert_int_equal(bytes, 8101);
}

static uint64_t thread_of(struct place *place, uint64_t record, const char *id, const char *one, const char *other)
{
    span_t references[2] = {span_of_text(one), span_of_text(other)};
    struct vault_filing filing = {VAULT_INBOX, 0};
    struct vault_new_email email = {.place.record = record,
                                    .size = 1,
                                    .message_id = span_of_text(id),
                                    .references = references,
                                    .reference_count = 2,
                                    .filings = &filing,
                                    .filing_count = 1};
    uint64_t added = 0;
    assert_int_equal(vault_email_add(place->vault, &email, &added, NULL), 0);
    struct vault_email got;
    assert_int_equal(vault_email_get(place->vault, added, &got), 0);
    return got.thread;
}

static void threads_follow_references_in_any_order(void **state)
{
    struct place *place = *state;
    uint64_t reply = thread_of(place, 1, "<b@x>", "<a@x>", NULL);
    assert_int_equal(thread_of(place, 2, "<a@x>", NULL, NULL), reply);
    assert_int_equal(thread_of(place, 3, "<c@x>", "<a@x>", "<b@x>"), reply);
    assert_int_not_equal(thread_of(place, 4, "<d@x>", NULL, NULL), reply);
    assert_int_not_equal(thread_of(place, 5, NULL, NULL, NULL), thread_of(place, 6, NULL, NULL, NULL));
    assert_int_equal(thread_of(place, 7, " <e@x> ", "c@x", NULL), reply);
}

static void threads_are_found_after_the_references_were_merged(void **state)
{
    struct place *place = *state;
    uint64_t first = thread_of(place, 1, "<root@x>", NULL, NULL);
    assert_int_equal(vault_begin(place->vault, VAULT_RELAXED), 0);
    for (uint64_t record = 2; record < 9000; record++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "<%d@x>", (int)record);
        (void)thread_of(place, record, id, NULL, NULL);
    }
    assert_int_equal(vault_commit(place->vault), 0);
    assert_int_equal(thread_of(place, 9001, "<late@x>", "<root@x>", NULL), first);
    reopen(place);
    assert_int_equal(thread_of(place, 9002, "<later@x>", "<late@x>", NULL), first);
}

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
    assert_int_equal(vault_modseq(place->vault), before + 1);
    done.count = 0;
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, ranges, 2, &change), 0);
    assert_int_equal(vault_modseq(place->vault), before + 1);
    change = (struct vault_flag_change){VAULT_FLAGS_REPLACE, VAULT_DELETED | VAULT_DRAFT, UINT64_MAX, NULL, NULL, NULL};
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, &all, 1, &change), 0);
    assert_int_equal(status(place, VAULT_INBOX).deleted, 5);
    assert_int_equal(status(place, VAULT_INBOX).unseen, 5);
    change.mode = VAULT_FLAGS_REMOVE;
    change.flags = VAULT_DELETED;
    assert_int_equal(vault_member_store(place->vault, VAULT_INBOX, &all, 1, &change), 0);
    assert_int_equal(status(place, VAULT_INBOX).deleted, 0);
    assert_int_equal(vault_member_store(place->vault, 999, &all, 1, &change), VAULT_NOT_FOUND);
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
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &all, 1, target, see_copy, &seen), 0);
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
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &all, 1, 999, NULL, NULL), VAULT_NOT_FOUND);
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &all, 1, VAULT_INBOX, NULL, NULL), 0);
    assert_int_equal(status(place, VAULT_INBOX).total, 4);
}

static void the_last_expunge_releases_the_record(void **state)
{
    struct place *place = *state;
    uint64_t target = make(place, "other");
    uint64_t id = add(place, VAULT_INBOX, 11, VAULT_DELETED);
    add(place, VAULT_INBOX, 12, 0);
    assert_int_equal(vault_member_copy(place->vault, VAULT_INBOX, &(struct vault_range){1, 1}, 1, target, NULL, NULL),
                     0);
    uint64_t before = vault_modseq(place->vault);
    struct seen seen = {0};
    assert_int_equal(vault_member_expunge(place->vault, VAULT_INBOX, &all, 1, VAULT_EXPUNGE_DELETED, see_uid, &seen),
                     0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.uids[0], 1);
    uint64_t records[4];
    size_t count = 9;
    assert_int_equal(vault_outbox_list(place->vault, records, 4, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(vault_member_expunge(place->vault, target, &all, 1, VAULT_EXPUNGE_ALL, NULL, NULL), 0);
    struct vault_email email;
    assert_int_equal(vault_email_get(place->vault, id, &email), VAULT_NOT_FOUND);
    reopen(place);
    assert_int_equal(vault_outbox_list(place->vault, records, 4, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(records[0], 11);
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
    assert_int_equal(vault_member_move(place->vault, VAULT_INBOX, &all, 1, target, see_copy, &seen), 0);
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

static void a_rollback_undoes_everything(void **state)
{
    struct place *place = *state;
    uint64_t before = vault_modseq(place->vault);
    assert_int_equal(vault_begin(place->vault, VAULT_DURABLE), 0);
    assert_true(vault_in_transaction(place->vault));
    add(place, VAULT_INBOX, 1, 0);
    (void)make(place, "gone");
    vault_rollback(place->vault);
    assert_int_equal(vault_modseq(place->vault), before);
    assert_int_equal(status(place, VAULT_INBOX).total, 0);
    struct vault_mailbox mailbox;
    assert_int_equal(vault_mailbox_find(place->vault, SPAN("gone"), &mailbox), VAULT_NOT_FOUND);
}

static void settings_are_kept(void **state)
{
    struct place *place = *state;
    AUTO_FREE uint8_t *value = NULL;
    size_t len = 0;
    assert_int_equal(vault_setting_get(place->vault, "mark", &value, &len), VAULT_NOT_FOUND);
    assert_int_equal(vault_setting_put(place->vault, "mark", SPAN("one")), 0);
    assert_int_equal(vault_setting_put(place->vault, "mark", SPAN("other")), 0);
    assert_int_equal(vault_rest(place->vault), 0);
    assert_int_equal(vault_setting_get(place->vault, "mark", &value, &len), 0);
    assert_int_equal(len, 5);
    assert_memory_equal(value, "other", 5);
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
    assert_int_equal(vault_member_move(place->vault, VAULT_INBOX, &all, 1, target, NULL, NULL), 0);
    assert_int_equal(status(place, target).total, 3000);
    assert_int_equal(vault_mailbox_delete(place->vault, target), 0);
    size_t count = 0;
    uint64_t records[8];
    assert_int_equal(vault_outbox_list(place->vault, records, 8, &count), 0);
    assert_int_equal(count, 8);
}

static void failed_allocations_leave_it_sound(void **state)
{
    struct place *place = *state;
    uint64_t target = make(place, "target");
    uint64_t record = 1;
    for (uint64_t nth = 1; nth < 20; nth++) {
        uint64_t id = 0;
        uint64_t mask = 0;
        char name[16];
        (void)snprintf(name, sizeof(name), "k%d", (int)nth);
        mem_fail_after(nth);
        int added = add_to(place->vault, VAULT_INBOX, record, 0, &id);
        int moved = vault_member_move(place->vault, VAULT_INBOX, &all, 1, target, NULL, NULL);
        int used = vault_keyword_use(place->vault, span_of_text(name), &mask);
        mem_fail_after(0);
        assert_true(added == 0 || added == -ENOMEM);
        assert_true(moved == 0 || moved == -ENOMEM);
        assert_true(used == 0 || used == -ENOMEM);
        record += added == 0;
        assert_int_equal(vault_check(place->vault), 0);
    }
    vault_free(place->vault);
    place->vault = NULL;
    int result = -ENOMEM;
    for (uint64_t nth = 1; result == -ENOMEM; nth++) {
        mem_fail_after(nth);
        result = vault_open(place->folder, key, NOW, &place->vault);
        mem_fail_after(0);
    }
    assert_int_equal(result, 0);
}

static void wrong_keys_open_nothing(void **state)
{
    struct place *place = *state;
    static const uint8_t wrong[32] = {8};
    vault_free(place->vault);
    place->vault = NULL;
    struct vault *vault = NULL;
    assert_int_equal(vault_open(place->folder, wrong, NOW, &vault), -EBADMSG);
    assert_null(vault);
}

/* Adds, flags, moves and expunges until killed; tells each committed record through the pipe. */
static void work_until_killed(const char *folder, int told)
{
    struct vault *vault = NULL;
    if (vault_open(folder, key, NOW, &vault) != 0)
        _exit(1);
    uint64_t record = vault_modseq(vault) * 1000;
    struct vault_mailbox trash;
    if (vault_mailbox_find_role(vault, VAULT_ROLE_TRASH, &trash) != 0)
        _exit(1);
    for (uint32_t round = 0;; round++) {
        uint64_t id = 0;
        struct vault_mailbox inbox;
        int result = add_to(vault, VAULT_INBOX, ++record, 0, &id);
        if (result == 0 && write(told, &record, sizeof(record)) != sizeof(record))
            _exit(2);
        if (result == 0)
            result = vault_mailbox_get(vault, VAULT_INBOX, &inbox);
        struct vault_range some = {1, inbox.uidnext - 20 > inbox.uidnext ? 1 : inbox.uidnext - 20};
        if (result == 0 && round % 7 == 0)
            result = vault_member_move(vault, VAULT_INBOX, &some, 1, trash.id, NULL, NULL);
        if (result != 0)
            _exit(3);
    }
}

static void a_killed_session_loses_nothing_it_acknowledged(void **state)
{
    struct place *place = *state;
    for (int round = 0; round < 12; round++) {
        vault_free(place->vault);
        place->vault = NULL;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            (void)close(ends[0]);
            work_until_killed(place->folder, ends[1]);
        }
        (void)close(ends[1]);
        uint64_t last = 0;
        for (int told = 0; told < 3 + round * 5; told++)
            assert_int_equal(read(ends[0], &last, sizeof(last)), sizeof(last));
        assert_int_equal(kill(child, SIGKILL), 0);
        int how = 0;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
        while (read(ends[0], &last, sizeof(last)) == sizeof(last))
            continue;
        (void)close(ends[0]);
        assert_int_equal(vault_open(place->folder, key, NOW, &place->vault), 0);
        assert_int_equal(vault_check(place->vault), 0);
        uint64_t id = 0;
        assert_int_equal(vault_email_find_record(place->vault, last, &id), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, open_place, close_place)
        IN_PLACE(a_new_vault_has_its_mailboxes),
        IN_PLACE(mailbox_names_are_checked),
        IN_PLACE(renaming_takes_the_children_along),
        IN_PLACE(renaming_inbox_moves_its_messages),
        IN_PLACE(deleting_keeps_what_is_above_children),
        IN_PLACE(a_mailbox_made_again_has_a_higher_uidvalidity),
        IN_PLACE(subscriptions_are_names),
        IN_PLACE(a_message_is_filed_with_uids_and_counters),
        IN_PLACE(threads_follow_references_in_any_order),
        IN_PLACE(threads_are_found_after_the_references_were_merged),
        IN_PLACE(flags_change_only_where_they_differ),
        IN_PLACE(a_conditional_store_refuses_what_changed_since),
        IN_PLACE(a_callback_that_stops_undoes_the_change),
        IN_PLACE(copies_share_the_email),
        IN_PLACE(the_last_expunge_releases_the_record),
        IN_PLACE(moving_keeps_the_email),
        IN_PLACE(keywords_have_bits_until_none_is_left),
        IN_PLACE(recent_is_claimed_once),
        IN_PLACE(a_rollback_undoes_everything),
        IN_PLACE(settings_are_kept),
        IN_PLACE(long_mailboxes_are_walked_whole),
        IN_PLACE(failed_allocations_leave_it_sound),
        IN_PLACE(wrong_keys_open_nothing),
        IN_PLACE(a_killed_session_loses_nothing_it_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
