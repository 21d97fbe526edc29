#pragma once

#include "vault/vault.h"

/*
 * An email in a mailbox: UID, flags, modification sequence. These rows are narrow, so that a client that lists the
 * flags, UIDs and sizes of a hundred thousand messages reads nothing else.
 */
#define VAULT_SEEN UINT64_C(1)
#define VAULT_ANSWERED UINT64_C(2)
#define VAULT_FLAGGED UINT64_C(4)
#define VAULT_DELETED UINT64_C(8)
#define VAULT_DRAFT UINT64_C(16)
/* Bits 8 and up: keywords (keyword.h). */

struct vault_member {
    uint32_t uid;
    uint64_t flags;
    uint64_t modseq;
    uint64_t size;    /* RFC822.SIZE */
    int64_t received; /* INTERNALDATE */
    int64_t saved;    /* when it came into this mailbox (RFC 8514) */
    uint64_t email;
};

/* UIDs first to last, both included. Arrays of ranges are in rising order and do not overlap. */
struct vault_range {
    uint32_t first;
    uint32_t last;
};
#define VAULT_RANGE_ALL ((struct vault_range){1, UINT32_MAX})

/*
 * A result other than 0 ends the walk and is returned. Rows are read some hundred at a time: a callback may use and
 * change the vault, and members that are added meanwhile may be met or not.
 */
typedef int (*vault_member_fn)(void *arg, const struct vault_member *member);
typedef int (*vault_uid_fn)(void *arg, uint32_t uid, uint64_t modseq);

/* All members of a mailbox in the range, in order of UID. */
MUST_USE int vault_member_scan(struct vault *vault, uint64_t mailbox, struct vault_range range, vault_member_fn fn,
                               void *arg);
/* Those of one email, from a UID on. */
MUST_USE int vault_member_scan_email(struct vault *vault, uint64_t mailbox, uint64_t email, uint32_t first,
                                     vault_member_fn fn, void *arg);
/* Only those whose modseq is above `since` (RFC 7162 §3.1.4); costs nothing where the mailbox has not changed. */
MUST_USE int vault_member_changes(struct vault *vault, uint64_t mailbox, struct vault_range range, uint64_t since,
                                  vault_member_fn fn, void *arg);
/*
 * The UIDs expunged after `since`, in order of UID (RFC 7162 §3.2.10). The vault remembers the last
 * VAULT_EXPUNGES_MAX of a mailbox, and some more; where that does not reach back to `since`, fn is told of every UID in
 * the range that the mailbox has not, as RFC 7162 §3.2.7 allows.
 */
#define VAULT_EXPUNGES_MAX 50000U
#define VAULT_EXPUNGES_SLACK 10000U
MUST_USE int vault_member_expunged(struct vault *vault, uint64_t mailbox, struct vault_range range, uint64_t since,
                                   vault_uid_fn fn, void *arg);

enum vault_flag_mode { VAULT_FLAGS_REPLACE, VAULT_FLAGS_ADD, VAULT_FLAGS_REMOVE };

struct vault_flag_change {
    enum vault_flag_mode mode;
    uint64_t flags;
    uint64_t unchanged_since; /* UINT64_MAX: no condition (RFC 7162 §3.1.3) */
    /*
     * Called while the change is made, before it is committed; either may be NULL. A result other than 0 undoes all.
     * What the vault says of these members meanwhile is old or new.
     */
    vault_member_fn on_done;    /* each member in the ranges that was allowed, as it is now, changed or not */
    vault_member_fn on_refused; /* each that has a higher modseq than unchanged_since */
    void *arg;
};

/*
 * VAULT_NOT_FOUND: no such mailbox (here and below). Changes flags; members that would stay as they are keep their
 * modseq. All that change get one new modseq.
 */
MUST_USE int vault_member_store(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                                const struct vault_flag_change *change);

/* Told of each member that was copied or moved (RFC 4315 §3, COPYUID), in order of source UID. */
typedef int (*vault_copied_fn)(void *arg, uint32_t source_uid, uint32_t target_uid);

/* Where emails are filed, and when; saved 0: they keep what they have (RFC 8514 §4.1). */
struct vault_target {
    uint64_t mailbox;
    int64_t saved;
};

/*
 * Files the emails in another mailbox too (copy), or instead (move, RFC 6851): flags and INTERNALDATE stay, the bytes
 * stay where they are. All or nothing. VAULT_NOT_FOUND: no such target. Copying into the same mailbox gives a second
 * UID.
 */
MUST_USE int vault_member_copy(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                               struct vault_target target, vault_copied_fn fn, void *arg);
MUST_USE int vault_member_move(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                               struct vault_target target, vault_copied_fn fn, void *arg);

/*
 * Takes the members out of the mailbox for good. An email that is in no mailbox any more is to be forgotten
 * (leaving.h). fn (may be NULL) is told each UID, in rising order.
 */
enum vault_expunge { VAULT_EXPUNGE_DELETED, VAULT_EXPUNGE_ALL }; /* those with \Deleted only (RFC 4315 §2.1), or all */
MUST_USE int vault_member_expunge(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                                  enum vault_expunge which, vault_uid_fn fn, void *arg);
