#pragma once

#include "base/buf.h"
#include "proto/imap/set.h"
#include "role/session/session.h"
#include "role/session/uids.h"
#include "vault/mailbox.h"
#include "vault/member.h"

/*
 * A selected mailbox as one connection knows it: which UID has which sequence number, and up to which change the
 * client has been told (RFC 3501 §2.3.1.2, §5.5, §7.4.1).
 */
struct view {
    struct session *session;
    uint64_t mailbox;
    uint32_t uidvalidity;
    struct uids uids;          /* sequence number = place + 1 */
    struct imap_range *recent; /* UIDs that are \Recent here */
    size_t recent_count;
    size_t recent_room;
    uint32_t uidnext;       /* the mailbox's when it was last read */
    uint64_t flags_seen;    /* modseq up to which flags were told */
    uint64_t expunged_seen; /* and up to which expunges were */
    uint64_t expunged_aim;  /* while some are still to be told: up to which these are, */
    uint32_t expunged_next; /* and the UID to go on from; else 0 */
    uint32_t shown;         /* UID up to which new messages were told with what the client wants to know of them */
    unsigned keywords;      /* how many the client knows */
    bool read_only;
    bool resyncs;  /* VANISHED instead of EXPUNGE, and UID in each FETCH (RFC 7162 §3.2.10) */
    bool uid_only; /* UIDFETCH, and nothing with a sequence number (RFC 9586 §3) */
    bool rev2;     /* without \Recent (RFC 9051 §A) */
    bool is_gone;  /* the mailbox was deleted */
    /* Before expunges are told: their UIDs, rising; may write responses. NULL: nobody wants to know. */
    void (*on_gone)(void *arg, const uint32_t *uids, size_t count);
    void *gone_arg;
};

enum view_outcome { VIEW_GONE = 1, VIEW_HOLDS_BACK };

/* VIEW_GONE: no such mailbox. With read_only nothing loses \Recent. */
MUST_USE int view_new(struct session *session, uint64_t mailbox, bool read_only, struct view **ret_view);
void view_free(struct view *view);
SCOPE_OF(view)

uint32_t view_last_uid(const struct view *view); /* 0 when empty */
/* Whether it has exactly the messages that the mailbox has now. */
MUST_USE bool view_is_current(const struct view *view, const struct vault_mailbox *mailbox);
/* Of the messages in it; the client's, so it may lag behind. */
size_t view_count(const struct view *view);
uint32_t view_uid(const struct view *view, size_t place);
/* Place of the first UID not below this one; the count where there is none. */
size_t view_find(const struct view *view, uint32_t uid);
/* The sequence number of a UID, or 0. */
size_t view_number(const struct view *view, uint32_t uid);
bool view_is_recent(const struct view *view, uint32_t uid);
size_t view_count_recent(const struct view *view);

/*
 * Turns a command's set into UID ranges that stand in the view, in rising order. *ret_beyond: it named sequence
 * numbers that do not exist (RFC 3501 §9: that is BAD). -ENOMEM.
 */
MUST_USE int view_ranges(const struct view *view, struct imap_set *set, bool by_uid, struct arena *arena,
                         struct vault_range **ret_ranges, size_t *ret_count, bool *ret_beyond);

/*
 * Tells what has changed, appending untagged responses. At most VIEW_STEP at a time: call again while *ret_more, after
 * having sent what is there. VIEW_GONE: the mailbox was deleted.
 */
#define VIEW_STEP 2000U
enum view_expunge { VIEW_KEEP_EXPUNGED, VIEW_TELL_EXPUNGED };
enum view_uid { VIEW_PLAIN, VIEW_WITH_UID };
struct view_format {
    enum view_expunge expunge;
    bool modseq;      /* CONDSTORE is on: FETCH has MODSEQ (RFC 7162 §3.2) */
    bool uid;         /* with UID in each FETCH */
    bool is_blind;    /* new messages and flags are not told (RFC 5465 §3.1) */
    bool is_flagless; /* only flags are not */
};
MUST_USE int view_tell(struct view *view, struct view_format format, struct buf *out, bool *ret_more);

/* Everything up to now that is a change of flags is known to this client: it was told while it was done. */
void view_skip_flags(struct view *view);

/* VIEW_HOLDS_BACK: there are expunges that the client was not told of yet; the mailbox's modseq before the first of
 * them is not below view->expunged_seen. */
MUST_USE int view_holds_back(struct view *view);

/* `* 3 FETCH (`, or `* 312 UIDFETCH (` (RFC 9586 §3.3). */
void view_begin_fetch(const struct view *view, size_t number, uint32_t uid, struct buf *out);

/* `* n EXISTS`, and where there is such a thing `* n RECENT` (RFC 3501 §7.3). */
void view_write_counts(const struct view *view, struct buf *out);

/* `* FLAGS (…)` and the PERMANENTFLAGS that goes with it (RFC 3501 §7.2.6). */
void view_write_flags(struct view *view, struct buf *out);
