#pragma once

#include "role/session/client.h"

/*
 * The commands of a logged-in client: one handler each, one file for each group. imap.c has the table.
 *
 * A handler appends untagged responses to client->out (client_drain where they are many) and says with run_ok, run_no
 * or run_bad how it ended; the tagged response is written behind what else has changed. It returns 0, or a fault: one
 * of the connection ends that, any other becomes a NO.
 */
struct run {
    struct client *client;
    struct session *session;
    struct vault *vault;
    struct imap_command *command;
    struct arena *arena; /* until the end of the command */
    struct buf reply;    /* status and text */
    bool bye;            /* the connection ends after this */
    int64_t told;        /* progress.c: when it was said last that this goes on */
};

int imap_run(struct task *task, struct client *client, struct imap_command *command, struct arena *arena);

/* The end of a command. text may start with a response code (RFC 3501 §7.1, RFC 5530). They return 0. */
int run_ok(struct run *run, const char *text);
int run_no(struct run *run, const char *text);
int run_bad(struct run *run, const char *text);

/* Transactions of a handler: what it begins it ends with one of these, without suspending in between. */
MUST_USE int run_begin(struct run *run);
MUST_USE int run_begin_relaxed(struct run *run);
/* Commits where result is 0, rolls back otherwise; returns the result, or the fault of the commit. Tells the others. */
MUST_USE int run_end(struct run *run, int result);

/* NO with what the vault's positive outcome means (vault/vault.h). */
int run_refuse(struct run *run, int outcome);

/* The mailbox of the command, one that can be selected; false: NO was said, *ret_result is to be returned. */
MUST_USE bool run_find_mailbox(struct run *run, span_t name, const char *code, struct vault_mailbox *ret_mailbox,
                               int *ret_result);

/* Puts the UIDs of the saved result for "$" (RFC 5182 §2.1), where the set is that. */
MUST_USE int run_saved_set(struct run *run, struct imap_set *set);

/* The ranges of the command's set; false: BAD was said or there was a fault, *ret_result is to be returned. */
MUST_USE bool run_ranges(struct run *run, struct vault_range **ret_ranges, size_t *ret_count, int *ret_result);

/* expunge.c: takes what has \Deleted out of the ranges, which are used up; others are served meanwhile. A positive
 * outcome is the vault's. */
MUST_USE int run_expunge(struct task *task, struct run *run, struct vault_range *ranges, size_t count);

bool run_is_enabled(const struct run *run, enum imap_enable what);
/* What the client has enabled decides how the view speaks. */
void run_dress_view(const struct run *run, struct view *view);
/* A mailbox's name, as this client wants it. */
void run_write_mailbox(const struct run *run, struct buf *out, span_t name);
/* OK with HIGHESTMODSEQ, where the client resynchronizes by it (RFC 7162 §3.2.7, §3.2.8). */
int run_ok_modseq(struct run *run, uint64_t mailbox, const char *text);
/* OK with this one. */
int run_say_modseq(struct run *run, uint64_t modseq, const char *text);

/* quota.c: whether so many bytes more are within the account's quota; and what is said where not. */
MUST_USE int run_quota_has_room(struct run *run, uint64_t bytes, bool *ret_has);
int run_quota_refuse(struct run *run);

/*
 * catenate.c: the message these parts make (RFC 4469 §3), of at most max bytes, appended to *body. The bytes of TEXT
 * parts are gone from the command after that. CATENATE_REFUSED: NO was said.
 */
enum { CATENATE_REFUSED = 1 };
MUST_USE int catenate(struct task *task, struct run *run, const struct imap_new_message *message, uint64_t max,
                      struct buf *body);

/* progress.c: in a command that takes long, once in a while, when no response is half written. goal 0: not known. */
MUST_USE int run_progress(struct task *task, struct run *run, uint64_t done, uint64_t goal);

/* Tells all that has changed but expunges, now and without suspending; for what changes flags itself right after. */
MUST_USE int run_tell_now(struct run *run);

/* idle.c: what comes while a client waits in IDLE; ends it, with the tagged response. */
enum imap_idle { IMAP_IDLE_GOES_ON = 1 };
MUST_USE int imap_idle_input(struct task *task, struct client *client);

/*
 * unauthenticate.c: says what is to be said still, and gives the client back to the gate with all that it has said
 * behind its command (role/gate/gate.h). 0 when that is done: the stream is of no use any more.
 */
MUST_USE int imap_give_back(struct task *task, struct client *client);

typedef int imap_handler(struct task *task, struct run *run);
imap_handler imap_do_capability, imap_do_noop, imap_do_logout, imap_do_id, imap_do_enable; /* basic.c */
imap_handler imap_do_compress;                                                             /* compress.c */
imap_handler imap_do_unauthenticate;                                                       /* unauthenticate.c */
imap_handler imap_do_namespace;                                                            /* basic.c */
imap_handler imap_do_select, imap_do_close, imap_do_unselect;                              /* select.c */
imap_handler imap_do_create, imap_do_delete, imap_do_rename;                               /* mailbox.c */
imap_handler imap_do_subscribe, imap_do_unsubscribe;                                       /* mailbox.c */
imap_handler imap_do_list, imap_do_lsub;                                                   /* list.c */
imap_handler imap_do_status;                                                               /* status.c */
imap_handler imap_do_getquota, imap_do_getquotaroot, imap_do_setquota;                     /* quota.c */
imap_handler imap_do_setacl, imap_do_getacl, imap_do_listrights, imap_do_myrights;         /* acl.c */
imap_handler imap_do_getmetadata, imap_do_setmetadata;                                     /* metadata.c */
imap_handler imap_do_append, imap_do_replace;                                              /* append.c */
imap_handler imap_do_idle;                                                                 /* idle.c */
imap_handler imap_do_notify;                                                               /* notify.c */
imap_handler imap_do_cancelupdate;                                                         /* context.c */
imap_handler imap_do_uidbatches;                                                           /* batches.c */
imap_handler imap_do_expunge;                                                              /* expunge.c */
imap_handler imap_do_search;                                                               /* answer.c */
imap_handler imap_do_esearch;                                                              /* esearch.c */
imap_handler imap_do_sort, imap_do_thread;                                                 /* sort.c, thread.c */
imap_handler imap_do_fetch;                                                                /* fetch.c */
imap_handler imap_do_store;                                                                /* store.c */
imap_handler imap_do_copy, imap_do_move;                                                   /* copy.c */

/* How ids are shown (RFC 8474 §7): a letter, and what the vault calls it. */
#define IMAP_MAILBOX_ID "F%llu"
#define IMAP_EMAIL_ID "M%llu"
#define IMAP_THREAD_ID "T%llu"

/* basic.c: after login, without "CAPABILITY" itself. */
void imap_write_capabilities(const struct session *session, struct buf *out);

/* status.c: `(MESSAGES 3 …)` */
void status_write(struct run *run, const struct vault_mailbox *mailbox, unsigned items);

/* list.c: `* LIST` of one name, with all attributes, whether there is such a mailbox or not, and with OLDNAME where
 * there is an old name (RFC 5465 §5.4). */
MUST_USE int list_write_one(struct run *run, span_t name, span_t old_name);

/* metadata.c: `* METADATA` of a mailbox of that name, where there is something to say */
MUST_USE int metadata_write(struct run *run, span_t name, struct imap_metadata *metadata);

/* acl.c: `* MYRIGHTS` of a mailbox of that name */
void acl_write_rights(struct run *run, span_t name);

/* mailbox.c: "\Sent" and its like (RFC 6154 §2). NULL and VAULT_ROLE_NONE where there is none. */
const char *imap_use_name(enum vault_role role);
enum vault_role imap_use_find(span_t name);
