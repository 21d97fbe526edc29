#pragma once

/* What the tests of the vault stand on: a vault in a folder of its own, mail to put in it, and what walks show. */
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vault/email.h"
#include "vault/keyword.h"
#include "vault/leaving.h"
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

static inline int open_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/waxwing-vault-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    assert_int_equal(vault_open(place->folder, key, NOW, &place->vault), 0);
    *state = place;
    return 0;
}

static inline void reopen(struct place *place)
{
    vault_free(place->vault);
    place->vault = NULL;
    assert_int_equal(vault_open(place->folder, key, NOW, &place->vault), 0);
}

/* Whatever a test did, the vault must be sound after it. */
static inline int close_place(void **state)
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

static inline int add_to(struct vault *vault, uint64_t mailbox, uint64_t record, uint64_t flags, uint64_t *ret_id)
{
    struct vault_filing filing = {.mailbox = mailbox, .flags = flags};
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

static inline uint64_t add(struct place *place, uint64_t mailbox, uint64_t record, uint64_t flags)
{
    uint64_t id = 0;
    assert_int_equal(add_to(place->vault, mailbox, record, flags, &id), 0);
    return id;
}

/* Until all that has left is forgotten. */
static inline void settle(struct place *place)
{
    for (bool more = true; more;)
        assert_int_equal(vault_leaving_settle(place->vault, 7, &more), 0);
}

static inline struct vault_target to(uint64_t mailbox)
{
    return (struct vault_target){.mailbox = mailbox};
}

static inline struct vault_mailbox status(struct place *place, uint64_t id)
{
    struct vault_mailbox mailbox;
    assert_int_equal(vault_mailbox_get(place->vault, id, &mailbox), 0);
    return mailbox;
}

static inline uint64_t make(struct place *place, const char *name)
{
    uint64_t id = 0;
    assert_int_equal(vault_mailbox_create(place->vault, span_of_text(name), NOW, &id), 0);
    return id;
}

struct seen {
    size_t count;
    struct vault_member members[48];
    uint32_t uids[64];
    uint32_t others[64];
};

static inline int see(void *arg, const struct vault_member *member)
{
    struct seen *seen = arg;
    if (seen->count < 48)
        seen->members[seen->count] = *member;
    seen->count++;
    return 0;
}

static inline int see_uid(void *arg, uint32_t uid, uint64_t modseq)
{
    struct seen *seen = arg;
    (void)modseq;
    seen->uids[seen->count++] = uid;
    return 0;
}

static inline int see_copy(void *arg, uint32_t source, uint32_t target)
{
    struct seen *seen = arg;
    seen->uids[seen->count] = source;
    seen->others[seen->count++] = target;
    return 0;
}

static inline int stop_at_second(void *arg, const struct vault_member *member)
{
    struct seen *seen = arg;
    (void)member;
    return ++seen->count == 2 ? 77 : 0;
}

static const struct vault_range all = {1, UINT32_MAX};

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, open_place, close_place)
