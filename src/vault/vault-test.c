#include "vault/fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/mem.h"

static void a_message_is_filed_with_uids_and_counters(void **state)
{
    struct place *place = *state;
    struct vault_mailbox sent;
    assert_int_equal(vault_mailbox_find_role(place->vault, VAULT_ROLE_SENT, &sent), 0);
    struct vault_filing filings[] = {{VAULT_INBOX, 0, 0}, {sent.id, VAULT_SEEN, 0}};
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
    struct vault_filing filing = {VAULT_INBOX, 0, 0};
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
        int moved = vault_member_move(place->vault, VAULT_INBOX, &all, 1, to(target), NULL, NULL);
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

/* A limit on file sizes stands in for a full disk: writes fail, and later they do not. */
static void failed_writes_leave_it_sound(void **state)
{
    struct place *place = *state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    struct rlimit small = {600 * 1024, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    uint64_t record = 0;
    uint64_t id = 0;
    int result = 0;
    while (result == 0 && record < 1000)
        result = add_to(place->vault, VAULT_INBOX, ++record, 0, &id);
    assert_true(result == -EIO || result == -ENOSPC);
    assert_false(vault_in_transaction(place->vault));
    assert_int_equal(vault_begin(place->vault, VAULT_DURABLE), 0);
    for (int i = 0; result != 0 && i < 3; i++)
        (void)add_to(place->vault, VAULT_INBOX, record + (uint64_t)i, 0, &id);
    assert_true(vault_commit(place->vault) < 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status(place, VAULT_INBOX).total, record - 1);
    assert_int_equal(vault_check(place->vault), 0);
    add(place, VAULT_INBOX, record, 0);
    reopen(place);
    assert_int_equal(status(place, VAULT_INBOX).total, record);
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
            result = vault_member_move(vault, VAULT_INBOX, &some, 1, to(trash.id), NULL, NULL);
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
        IN_PLACE(a_message_is_filed_with_uids_and_counters),
        IN_PLACE(threads_follow_references_in_any_order),
        IN_PLACE(threads_are_found_after_the_references_were_merged),
        IN_PLACE(a_rollback_undoes_everything),
        IN_PLACE(settings_are_kept),
        IN_PLACE(failed_allocations_leave_it_sound),
        IN_PLACE(failed_writes_leave_it_sound),
        IN_PLACE(wrong_keys_open_nothing),
        IN_PLACE(a_killed_session_loses_nothing_it_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
