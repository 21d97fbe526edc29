#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "proto/imap/response.h"
#include "proto/imap/section.h"
#include "proto/imap/set.h"

/*
 * IMAP commands (RFC 3501 §6, §9): the bytes of one complete command (proto/imap/reader.h finds where it ends) become a
 * struct imap_command. Pure. All spans of the result point into the bytes or the arena.
 *
 * One table (command.c) has a row for each command: its name, the states it is allowed in, its parser, the clause.
 */
enum imap_verb {
    IMAP_CAPABILITY,
    IMAP_NOOP,
    IMAP_LOGOUT,
    IMAP_ID,
    IMAP_STARTTLS,
    IMAP_AUTHENTICATE,
    IMAP_LOGIN,
    IMAP_ENABLE,
    IMAP_COMPRESS,
    IMAP_UNAUTHENTICATE,
    IMAP_SELECT,
    IMAP_EXAMINE,
    IMAP_CREATE,
    IMAP_DELETE,
    IMAP_RENAME,
    IMAP_SUBSCRIBE,
    IMAP_UNSUBSCRIBE,
    IMAP_LIST,
    IMAP_LSUB,
    IMAP_NAMESPACE,
    IMAP_STATUS,
    IMAP_GETQUOTA,
    IMAP_GETQUOTAROOT,
    IMAP_SETQUOTA,
    IMAP_SETACL,
    IMAP_DELETEACL,
    IMAP_GETACL,
    IMAP_LISTRIGHTS,
    IMAP_MYRIGHTS,
    IMAP_GETMETADATA,
    IMAP_SETMETADATA,
    IMAP_APPEND,
    IMAP_IDLE,
    IMAP_NOTIFY,
    IMAP_CHECK,
    IMAP_CLOSE,
    IMAP_UNSELECT,
    IMAP_EXPUNGE,
    IMAP_SEARCH,
    IMAP_ESEARCH,
    IMAP_CANCELUPDATE,
    IMAP_UIDBATCHES,
    IMAP_SORT,
    IMAP_THREAD,
    IMAP_FETCH,
    IMAP_STORE,
    IMAP_COPY,
    IMAP_MOVE,
    IMAP_REPLACE,
    IMAP_VERB_COUNT,
};

enum imap_flag { /* system flags (RFC 3501 §2.3.2), as bits */
                 IMAP_FLAG_SEEN = 1,
                 IMAP_FLAG_ANSWERED = 2,
                 IMAP_FLAG_FLAGGED = 4,
                 IMAP_FLAG_DELETED = 8,
                 IMAP_FLAG_DRAFT = 16,
                 IMAP_FLAG_RECENT = 32, /* cannot be stored */
};
#define IMAP_KEYWORDS_MAX 128U
#define IMAP_KEYWORD_LEN_MAX 128U

struct imap_flags {
    unsigned system; /* enum imap_flag */
    span_t *keywords;
    size_t count;
};

enum imap_status_item {
    IMAP_STATUS_MESSAGES = 1,
    IMAP_STATUS_RECENT = 2,
    IMAP_STATUS_UIDNEXT = 4,
    IMAP_STATUS_UIDVALIDITY = 8,
    IMAP_STATUS_UNSEEN = 16,
    IMAP_STATUS_HIGHESTMODSEQ = 32,     /* RFC 7162 §3.1.7 */
    IMAP_STATUS_DELETED = 64,           /* RFC 9051 §6.3.11 */
    IMAP_STATUS_SIZE = 128,             /* RFC 8438 §3 */
    IMAP_STATUS_MAILBOXID = 256,        /* RFC 8474 §4.3 */
    IMAP_STATUS_APPENDLIMIT = 512,      /* RFC 7889 §3 */
    IMAP_STATUS_DELETED_STORAGE = 1024, /* RFC 9208 §4.1.4 */
};

enum imap_fetch_item {
    IMAP_FETCH_UID = 1,
    IMAP_FETCH_FLAGS = 2,
    IMAP_FETCH_INTERNALDATE = 4,
    IMAP_FETCH_SIZE = 8,
    IMAP_FETCH_ENVELOPE = 16,
    IMAP_FETCH_BODY = 32, /* without a section: the structure */
    IMAP_FETCH_BODYSTRUCTURE = 64,
    IMAP_FETCH_MODSEQ = 128,
    IMAP_FETCH_EMAILID = 256,   /* RFC 8474 §5.3 */
    IMAP_FETCH_THREADID = 512,  /* RFC 8474 §5.3 */
    IMAP_FETCH_PREVIEW = 1024,  /* RFC 8970 §3 */
    IMAP_FETCH_SAVEDATE = 2048, /* RFC 8514 §4.2 */
};

#define IMAP_SECTIONS_MAX 256U

enum imap_body_form {                    /* how an answer names it (RFC 3501 §6.4.5, §7.4.2) */
                      IMAP_BODY_SECTION, /* BODY[…] */
                      IMAP_BODY_RFC822,
                      IMAP_BODY_RFC822_HEADER,
                      IMAP_BODY_RFC822_TEXT,
                      IMAP_BODY_BINARY, /* RFC 3516 §4.2: the transfer encoding undone */
                      IMAP_BODY_BINARY_SIZE,
};

/* BODY[…]<…>, BODY.PEEK[…]<…>, and RFC822, RFC822.HEADER, RFC822.TEXT as the sections they stand for. */
struct imap_body {
    struct imap_section section;
    enum imap_body_form form;
    bool peek;
};

struct imap_fetch { /* what is asked of a message: fetch-att of RFC 3501 §9 */
    unsigned items; /* enum imap_fetch_item */
    struct imap_body *bodies;
    size_t count;
};

enum imap_search_key_kind {
    IMAP_KEY_ALL,
    IMAP_KEY_SET,     /* sequence numbers */
    IMAP_KEY_UID,     /* UIDs */
    IMAP_KEY_FLAG,    /* number: enum imap_flag, one bit */
    IMAP_KEY_KEYWORD, /* text */
    IMAP_KEY_NEW,     /* RECENT UNSEEN */
    IMAP_KEY_BEFORE,  /* date: number is days since 1970 */
    IMAP_KEY_ON,
    IMAP_KEY_SINCE,
    IMAP_KEY_SAVEDBEFORE, /* RFC 8514 §4.3 */
    IMAP_KEY_SAVEDON,
    IMAP_KEY_SAVEDSINCE,
    IMAP_KEY_SENTBEFORE,
    IMAP_KEY_SENTON,
    IMAP_KEY_SENTSINCE,
    IMAP_KEY_LARGER,   /* number */
    IMAP_KEY_SMALLER,  /* number */
    IMAP_KEY_HEADER,   /* field, text; for FROM, TO, CC, BCC and SUBJECT number is IMAP_HEADER_NAMED */
    IMAP_KEY_BODY,     /* text */
    IMAP_KEY_TEXT,     /* text */
    IMAP_KEY_MODSEQ,   /* number (RFC 7162 §3.1.5) */
    IMAP_KEY_OLDER,    /* number: seconds (RFC 5032 §3) */
    IMAP_KEY_YOUNGER,  /* number: seconds */
    IMAP_KEY_EMAILID,  /* text (RFC 8474 §6) */
    IMAP_KEY_THREADID, /* text */
    IMAP_KEY_NOT,      /* children: one */
    IMAP_KEY_OR,       /* children: two */
    IMAP_KEY_AND,      /* children */
};
#define IMAP_HEADER_NAMED 1U
#define IMAP_SEARCH_KEYS_MAX 1000U
#define IMAP_SEARCH_DEPTH_MAX 30U

struct imap_search_key {
    enum imap_search_key_kind kind;
    struct imap_set set;
    uint64_t number;
    span_t field;
    span_t text;   /* in the command's charset */
    bool is_fuzzy; /* of HEADER, BODY and TEXT: FUZZY stands before it, or around it (RFC 6203 §3) */
    struct imap_search_key *children;
    struct imap_search_key *next; /* the sibling */
};

enum imap_search_return { /* RFC 4731 §3.1 */
                          IMAP_RETURN_MIN = 1,
                          IMAP_RETURN_MAX = 2,
                          IMAP_RETURN_ALL = 4,
                          IMAP_RETURN_COUNT = 8,
                          IMAP_RETURN_EXTENDED = 16,   /* there was a RETURN: answer ESEARCH */
                          IMAP_RETURN_SAVE = 32,       /* RFC 5182 §2.1 */
                          IMAP_RETURN_PARTIAL = 64,    /* RFC 9394 §3.1 */
                          IMAP_RETURN_CONTEXT = 128,   /* RFC 5267 §4.2: a hint, which is not needed */
                          IMAP_RETURN_UPDATE = 256,    /* RFC 5267 §4.3 */
                          IMAP_RETURN_RELEVANCY = 512, /* RFC 6203 §4 */
};

struct imap_partial { /* RFC 9394 §3.1: of the results, from 1 on; from the end where negative */
    int64_t first;
    int64_t last; /* as far from the end it counts from as first, or farther */
};

enum imap_sort_field { /* RFC 5256 §3; the DISPLAY ones are RFC 5957 §3, RELEVANCY is RFC 6203 §5 */
                       IMAP_SORT_ARRIVAL,
                       IMAP_SORT_CC,
                       IMAP_SORT_DATE,
                       IMAP_SORT_DISPLAYFROM,
                       IMAP_SORT_DISPLAYTO,
                       IMAP_SORT_FROM,
                       IMAP_SORT_RELEVANCY,
                       IMAP_SORT_SIZE,
                       IMAP_SORT_SUBJECT,
                       IMAP_SORT_TO,
};
#define IMAP_SORT_KEYS_MAX 16U

struct imap_sort_key {
    enum imap_sort_field field;
    bool reverse;
};

enum imap_thread_kind { IMAP_THREAD_ORDEREDSUBJECT, IMAP_THREAD_REFERENCES }; /* RFC 5256 §3 */

enum imap_store_mode { IMAP_STORE_REPLACE, IMAP_STORE_ADD, IMAP_STORE_REMOVE };

struct imap_parameter { /* one pair of ID (RFC 2971) */
    span_t name;
    span_t value; /* at NULL: NIL */
};

enum imap_enable {
    IMAP_ENABLE_CONDSTORE = 1, /* RFC 7162 §3.1 */
    IMAP_ENABLE_QRESYNC = 2,   /* RFC 7162 §3.2.3 */
    IMAP_ENABLE_UTF8 = 4,      /* RFC 6855 §3 */
    IMAP_ENABLE_UIDONLY = 16,  /* RFC 9586 §3.1 */
    IMAP_ENABLE_REV2 = 8,      /* RFC 9051 §6.3.1 */
};

struct imap_qresync { /* RFC 7162 §3.2.5 */
    uint32_t uidvalidity;
    uint64_t modseq;
    struct imap_set known;   /* UIDs; ranges NULL: all */
    struct imap_set numbers; /* sequence numbers the client remembers, and their UIDs; may be missing */
    struct imap_set uids;
};

enum imap_list_option { /* RFC 5258, RFC 6154, as far as they are about SPECIAL-USE and CHILDREN */
                        IMAP_LIST_SELECT_SUBSCRIBED = 1,
                        IMAP_LIST_SELECT_SPECIAL_USE = 2,
                        IMAP_LIST_RETURN_SUBSCRIBED = 4,
                        IMAP_LIST_RETURN_SPECIAL_USE = 8,
                        IMAP_LIST_RETURN_CHILDREN = 16,
                        IMAP_LIST_SELECT_REMOTE = 32,
                        IMAP_LIST_SELECT_RECURSIVE = 64,
                        IMAP_LIST_RETURN_MYRIGHTS = 128, /* RFC 8440 §3 */
};

#define IMAP_SCOPES_MAX 1000U

enum imap_scope_kind { /* RFC 5465 §6, RFC 7377 §2.2 */
                       IMAP_SCOPE_SELECTED,
                       IMAP_SCOPE_INBOXES,
                       IMAP_SCOPE_PERSONAL,
                       IMAP_SCOPE_SUBSCRIBED,
                       IMAP_SCOPE_SUBTREE,
                       IMAP_SCOPE_SUBTREE_ONE,
                       IMAP_SCOPE_MAILBOXES,
                       IMAP_SCOPE_SELECTED_DELAYED, /* NOTIFY only */
};

struct imap_scope {
    struct imap_scope_part {
        enum imap_scope_kind kind;
        span_t name; /* of those that have one */
    } * parts;
    size_t count;
    size_t room;
};

enum imap_event { /* RFC 5465 §5 */
                  IMAP_EVENT_MESSAGE_NEW = 1,
                  IMAP_EVENT_MESSAGE_EXPUNGE = 2,
                  IMAP_EVENT_FLAG_CHANGE = 4,
                  IMAP_EVENT_MAILBOX_NAME = 8,
                  IMAP_EVENT_SUBSCRIPTION_CHANGE = 16,
                  IMAP_EVENT_MAILBOX_METADATA_CHANGE = 32,
                  IMAP_EVENT_SERVER_METADATA_CHANGE = 64,
};
#define IMAP_EVENTS_OF_MESSAGES (IMAP_EVENT_MESSAGE_NEW | IMAP_EVENT_MESSAGE_EXPUNGE | IMAP_EVENT_FLAG_CHANGE)
/* All there are, for BADEVENT (RFC 5465 §3.1). */
#define IMAP_EVENT_NAMES                                                                                               \
    "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange"
#define IMAP_NOTIFY_GROUPS_MAX 100U

struct imap_notify { /* RFC 5465 §3.1 */
    struct imap_notify_group {
        struct imap_scope scope;
        unsigned events; /* enum imap_event; none: NONE */
    } * groups;
    size_t count;            /* none: NOTIFY NONE */
    bool status;             /* SET STATUS */
    bool has_unknown;        /* an event that there is not */
    struct imap_fetch fetch; /* of a new message in the selected mailbox */
};

#define IMAP_TAGS_MAX 100U

struct imap_batches { /* RFC 10022 §3 */
    uint32_t size;
    uint32_t first; /* of the batches, the one with the highest UIDs being 1; 0: all */
    uint32_t last;
};

#define IMAP_ENTRY_MAX 1000U
#define IMAP_ENTRIES_MAX 100U /* in one command */

enum imap_depth { IMAP_DEPTH_NONE, IMAP_DEPTH_ONE, IMAP_DEPTH_ALL }; /* RFC 5464 §4.2.2 */

struct imap_entry {
    span_t name;  /* in small letters */
    span_t value; /* SETMETADATA; at NULL: NIL */
};

struct imap_metadata {
    struct imap_entry *entries;
    size_t count;
    bool sized;
    uint64_t max_size; /* RFC 5464 §4.2.1 */
    enum imap_depth depth;
};

#define IMAP_MESSAGES_MAX 1024U /* in one APPEND; as many as literals (reader.h) */
#define IMAP_CAT_PARTS_MAX 1000U

struct imap_cat_part { /* RFC 4469 §5 */
    bool is_url;
    span_t bytes;
};

struct imap_new_message { /* append-message (RFC 4466 §6, RFC 3502 §6.3.11) */
    struct imap_flags flags;
    int64_t seconds;
    bool dated;
    span_t bytes;
    struct imap_cat_part *parts; /* instead of bytes (RFC 4469 §3), or NULL */
    size_t part_count;
};

struct imap_command {
    span_t bytes; /* all of it, as it was parsed */
    span_t tag;
    enum imap_verb verb;
    bool uid;            /* UID FETCH and its like */
    span_t mailbox;      /* UTF-8: SELECT, CREATE, STATUS, APPEND, COPY, RENAME's old name … */
    struct imap_set set; /* FETCH, STORE, COPY, MOVE, REPLACE, UID EXPUNGE */
    union {
        struct {
            span_t user, password;
        } login;
        struct {
            span_t mechanism, initial;
            bool has_initial;
        } authenticate; /* initial: base64, or "=" (RFC 4959 §3) */
        struct {
            struct imap_parameter *pairs;
            size_t count;
        } id;
        struct {
            span_t algorithm;
        } compress;
        struct {
            unsigned known;
        } enable; /* enum imap_enable */
        struct {
            bool condstore;
            bool resync;
            struct imap_qresync qresync;
        } select;
        struct {
            span_t use;     /* "\Sent" (RFC 6154 §3), or absent */
            bool many_uses; /* more than one was asked for */
        } create;
        struct {
            span_t name;
        } rename; /* the new name, UTF-8 */
        struct {
            span_t reference;
            span_t *patterns;
            size_t count;
            unsigned options;
            unsigned status;               /* RETURN (STATUS (…)): enum imap_status_item (RFC 5819 §2) */
            struct imap_metadata metadata; /* RETURN (METADATA (…)) (RFC 9590 §3) */
            bool extended;
        } list;
        struct {
            unsigned items;
        } status;
        struct {
            span_t root;
        } quota;
        struct {
            span_t identifier, rights;
        } acl;
        struct imap_metadata metadata;
        struct {
            struct imap_new_message *messages; /* at least one; of REPLACE one */
            size_t count;
        } append;
        struct {
            bool with_set;
        } expunge;
        struct {
            span_t charset;
            struct imap_search_key *keys;
            unsigned returns;
            bool modseq;
            struct imap_partial partial;
            struct imap_sort_key order[IMAP_SORT_KEYS_MAX]; /* SORT */
            size_t order_count;
            enum imap_thread_kind thread; /* THREAD */
            struct imap_scope scope;      /* ESEARCH IN (…) */
            struct imap_fetch update;     /* UPDATE (…): of a message that comes in (RFC 5465 §7) */
            bool is_fuzzy;                /* a key is */
        } search;
        struct imap_notify notify;
        struct imap_batches batches;
        struct {
            span_t *tags;
            size_t count;
        } cancel;
        struct {
            struct imap_fetch what;
            uint64_t changed_since;
            bool modified;
            bool uid_implied; /* by UID FETCH, and not asked for */
            bool vanished;    /* RFC 7162 §3.2.6 */
            bool partly;      /* RFC 9394 §3.2 */
            struct imap_partial partial;
        } fetch;
        struct {
            enum imap_store_mode mode;
            bool silent;
            bool conditional;
            uint64_t unchanged_since;
            struct imap_flags flags;
        } store;
    };
};

enum imap_parse {
    IMAP_PARSE_OK,
    IMAP_PARSE_BAD,     /* answer `tag BAD why`; ret_command->tag is set ("*" where there is none) */
    IMAP_PARSE_UNKNOWN, /* no such command: BAD too */
    IMAP_PARSE_STATE,   /* not allowed in this state: BAD too */
};

/* state may have IMAP_UTF8 too: names are then UTF-8, not modified UTF-7. *ret_why: a static sentence, set unless
 * IMAP_PARSE_OK. -ENOMEM where the arena is full. */
MUST_USE int imap_command_parse(span_t bytes, enum imap_state state, struct arena *arena,
                                struct imap_command *ret_command, const char **ret_why);

/* Whether a key is a set of message numbers; "$" stands for UIDs. */
bool imap_keys_have_numbers(const struct imap_search_key *keys);

const char *imap_verb_name(enum imap_verb verb);

#define IMAP_ID_REPLY "(\"name\" \"Waxwing\")" /* what ID answers (RFC 2971 §3.2) */
