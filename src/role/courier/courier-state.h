#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "conf/conf.h"
#include "crypto/record.h"
#include "crypto/recordkey.h"
#include "ipc/body.h"
#include "ipc/envelope.h"
#include "ipc/tallier.h"
#include "ipc/wiring.h"
#include "dns/resolver.h"
#include "proto/dns/lookup.h"
#include "proto/smtp/client.h"
#include "role/courier/demand.h"
#include "role/courier/due.h"
#include "role/courier/note.h"
#include "role/courier/sts.h"
#include "role/start.h"
#include "rt/connect.h"
#include "rt/event.h"
#include "rt/stream.h"
#include "rt/task.h"
#include "rt/timer.h"
#include "rt/tls.h"

/*
 * The insides of courier:
 *
 *   courier.c      life, wiring                         queue.c      what is in the queue, read from store
 *   work.c         a message opened, and its notes      settle.c     telling store what is over and done with
 *   message.c      what becomes of a message: its ways, its expiry, its reports
 *   destination.c  who waits for which other server     route.c      where that server is
 *   connection.c   a connection to it                   transfer.c   a message over it
 *   demand.c       what its TLS has to prove              sts.c        policies that say so, stskept.c: as kept
 *   convert.c      for servers without 8BITMIME
 *   append.c       records of courier's own
 *   report.c       the text of a report (pure)          inject.c     its way to the sender
 *   holds.c        accounts whose mail is held          notice.c     what their owners are told (pure)
 *   count.c        sessions, for TLS reports             reporting.c  reports to other domains, once a day
 *   reportmail.c   the message they go in (pure)
 *   command.c      `waxwing queue …`                    segfile.c    descriptors of the log
 */

/* Where a record lies, and its content key, sealed to the queue. */
struct place {
    uint64_t record; /* 0: there is none */
    uint64_t segment;
    uint64_t offset;
    uint64_t length;
    uint8_t key[RECORD_KEY_SIZE];
};

/* A message in the queue: all that is kept of it in memory while nothing happens to it. */
struct entry {
    struct due due;          /* when message.c is to look at it */
    struct list_link looker; /* it is to be looked at, and nobody is free to */
    struct place message;
    struct place note;
    uint64_t account; /* whose it is; 0: the server's own */
    int64_t arrived;  /* seconds since 1970 */
    int64_t hold_until;
    struct work *work; /* NULL while nobody needs it */
    struct leg *legs;  /* NULL: not known yet */
    size_t leg_count;
    size_t recipients_open;
    bool is_held;    /* itself, by the operator */
    bool is_noticed; /* the sender was told of a delay */
    bool is_looked_at;
    bool is_routed;
    bool is_gone; /* over: freed by the last who uses it */
};

/* What of a message goes to one destination. */
struct leg {
    struct due due;
    struct list_link waiting; /* in its destination */
    struct entry *entry;
    struct destination *destination;
    uint32_t attempts;
    bool is_busy;
    bool is_over;
};

/* A message opened: its envelope, and its recipients as they stand. Shared by all that work on it. */
struct work {
    struct entry *entry;
    unsigned users;
    struct segfile *segfile;
    struct secret *key;
    struct record_reader *reader;
    struct buf head; /* the envelope's bytes */
    struct envelope envelope;
    size_t envelope_len;
    struct note note;
    struct envelope_recipient *recipients; /* as many as note.recipients */
    bool is_changed;                       /* since its last note */
};

struct destination {
    struct due due; /* when it is tried again after a failure */
    struct courier *courier;
    struct list waiting; /* legs */
    size_t waiting_count;
    size_t legs; /* that come here, waiting or not */
    size_t connections;
    size_t idle; /* of these, without a message */
    struct event news;
    bool is_optional; /* only for what goes whatever policies ask for */
    bool has_worked;
    unsigned failures;             /* in a row */
    struct smtp_response response; /* of the last one */
    int64_t minute;                /* when pacing began to count */
    uint64_t paced;
    int64_t moved;            /* when a leg was last taken or a connection begun, by loop_now() */
    struct list_link starved; /* waits for a connection to become free anywhere */
    struct list_link idler;   /* has a connection that waits for more to do */
    char name[];
};

struct courier {
    const struct role_start *start;
    const struct conf *conf;
    struct loop *loop;
    struct wiring *wiring;
    struct task_group tasks;
    struct tls_client *tls;
    struct resolver *resolver;
    struct sts_cache *sts;
    struct tallier *tallier;
    struct reporting *reporting;
    struct record_receiver *receiver;
    uint8_t queue_public[KEY_SIZE];
    struct record_sender *sender;
    struct timer *sender_end;
    struct map *entries;      /* by record */
    struct map *destinations; /* by the hash of their names */
    struct map *segfiles;
    struct map *holds; /* by account */
    struct event keeper_came;
    uint8_t hash_key[16];
    struct schedule schedule;
    struct timer *clock; /* until the next thing is due */
    struct event arrived;
    struct event settling;
    struct event settled;
    struct event converted; /* clear while a message is held for conversion: one at a time */
    struct buf over;        /* records that are done with, 8 bytes each */
    bool is_unsettled;      /* store could not be told of them */
    uint64_t newest;        /* record read from store */
    struct list starved;
    struct list idlers;
    struct list lookers; /* entries due for a look when a looker is free */
    size_t looking;
    size_t connections;
    struct address sources[2];
    size_t source_count;
    bool is_loaded;
    struct event loaded;
    bool is_stopping;
    uint64_t delivered;
    uint64_t deferred;
    uint64_t failed;
    uint64_t reports;
    uint64_t told;       /* reports to other domains */
    uint64_t unreadable; /* records of the queue */
};

#define COURIER_CALL_MS 60000

/* courier.c: has something happen at that time. */
void courier_schedule(struct courier *courier, struct due *due, int64_t at);

int64_t courier_seconds(void); /* since 1970 */

/* segfile.c */
MUST_USE int segfile_get(struct task *task, struct courier *courier, uint64_t segment, struct segfile **ret_segfile);
void segfile_put(struct courier *courier, struct segfile *segfile);
int segfile_fd(const struct segfile *segfile);
void segfiles_free(struct courier *courier);

/* queue.c: reads what is new in the queue whenever store says that there is something, and at the start all of it. */
void queue_task(struct task *task, void *arg);
/* To be called by whoever has used it, when he does no more: if it is over, the last one frees it. */
void entry_let_go(struct courier *courier, struct entry *entry);
void entries_free(struct courier *courier);
/* It is over: its record and its note may go, and nobody is to begin anything with it. */
void entry_end(struct courier *courier, struct entry *entry);

/* work.c: opens the message, or joins those who have; -EBADMSG where it cannot be read. */
MUST_USE int work_begin(struct task *task, struct courier *courier, struct entry *entry, struct work **ret_work);
/* Lets go of it; what has changed is noted before, durably, or the message ended where all is done. -ECANCELED. */
MUST_USE int work_end(struct task *task, struct courier *courier, struct work *work);
void work_drop(struct courier *courier, struct work *work); /* without noting anything */
MUST_USE int work_save(struct task *task, struct courier *courier, struct work *work);
MUST_USE int work_read(struct work *work, uint64_t from, uint64_t len, struct buf *bytes); /* of the message itself */
uint64_t work_message_len(const struct work *work);
void work_set(struct work *work, size_t recipient, enum note_status status, const struct smtp_response *response,
              span_t host);
bool work_is_over(const struct work *work); /* every recipient is done */
/* append.c: what courier keeps there itself, at most NOTE_MAX bytes. Durable with 0. */
MUST_USE int record_append(struct task *task, struct courier *courier, enum record_kind kind, span_t bytes,
                           struct place *ret_place);
/* Opens a record of any kind, and reads all of it but a message: for the start. */
struct opened {
    int kind;
    struct buf bytes; /* the envelope, or the note */
};
MUST_USE int record_peek(struct task *task, struct courier *courier, const struct place *place, struct opened *opened);

/* settle.c */
void settle_task(struct task *task, void *arg);
void settle_record(struct courier *courier, uint64_t record);
/* Until what is over is durable, but for a few: before anything more is sent. Also -ECANCELED. */
MUST_USE int settle_wait(struct task *task, struct courier *courier);

/* message.c */
void message_hold(struct courier *courier, struct entry *entry);    /* nothing is begun with it any more */
void message_release(struct courier *courier, struct entry *entry); /* its ways are open again */
void message_look(struct courier *courier, struct entry *entry);    /* now, or when somebody is free to do it */
/* Seconds to wait after so many attempts: half as long again each time, and a little by chance. */
int64_t message_pause(const struct courier *courier, uint32_t attempts);
bool message_has_news(const struct work *work); /* of which the sender has not heard */
/* What a response means for recipients of which nothing else is known. */
struct smtp_response response_of(unsigned code, uint16_t subject, uint16_t detail, const char *text);
/* Failed for good: noted where the sender wants to hear of it, else done. */
void recipient_fail(struct work *work, size_t recipient, const struct smtp_response *response, span_t host);

/* destination.c */
/* A leg that comes here has gone: a destination without any is forgotten. */
void destination_leave(struct destination *destination);
/* For one of the recipients of a message. */
MUST_USE int destination_find(struct courier *courier, const struct work *work, span_t address,
                              struct destination **ret_destination);
void destination_push(struct leg *leg);
void destination_drop(struct leg *leg);                        /* waits no more */
struct leg *destination_take(struct destination *destination); /* the next leg, marked busy; or NULL */
void destination_start(struct destination *destination);       /* a connection where one is wanted and allowed */
void destination_failed(struct destination *destination, const struct smtp_response *response);
void destination_worked(struct destination *destination);
void destination_connection_ended(struct destination *destination);
void destinations_free(struct courier *courier);

/* route.c: the hosts of a destination, the best first. */
enum route_tls {
    ROUTE_TLS_BY_POLICY, /* the domain itself says where its mail goes, and demand.h what is to be proved there */
    ROUTE_TLS_OFFERED,   /* for all else, our settings say it */
    ROUTE_TLS_STARTTLS,
    ROUTE_TLS_IMPLICIT,
};
struct route_host {
    const char *name;
    uint16_t port;
    enum route_tls tls;
    bool is_secure; /* the way to it is one that DNSSEC vouches for */
    span_t user;    /* to log in with; empty: without */
    span_t password;
};
enum route_outcome {
    ROUTE_FOUND,
    ROUTE_NONE,  /* for good: there is no such domain, it takes no mail, or it is us */
    ROUTE_LATER, /* nobody could tell */
    ROUTE_BOGUS, /* of addresses: DNSSEC says that what there is was forged */
};
struct route {
    struct route_host *hosts;
    size_t count;
    struct smtp_response response; /* where there are none: why */
};
struct routing { /* who asks for a route, and whom */
    const struct conf *conf;
    const struct dns_lookup *lookup;
    struct arena *arena;
};
MUST_USE int route_find(const struct routing *routing, const char *name, struct route *ret_route);
/* The relay for what cannot be reached: ROUTE_NONE where none is set. */
MUST_USE int route_fallback(const struct routing *routing, struct route_host *ret_host);
/* The addresses of a host, as many as fit: 0, or ROUTE_BOGUS; where there are none, the response says why. */
#define ROUTE_ADDRESSES_MAX 16U
MUST_USE int route_addresses(const struct routing *routing, const struct route_host *host,
                             struct address *ret_addresses, size_t *ret_count, struct smtp_response *ret_response);
/* The ports that mail is ever sent to. */
size_t route_ports(const struct conf *conf, uint16_t *ports, size_t most);
/*
 * The name of the destination that mail to this domain goes by: "relay", ">host:port" or ">smtps://user@host:port" of a
 * route, "[192.0.2.1]", or a domain.
 */
#define DESTINATION_NAME_MAX 320U
#define ROUTE_MARK '>'
MUST_USE int route_name(const struct conf *conf, span_t domain, char ret_name[DESTINATION_NAME_MAX]);

/* connection.c */
struct connection {
    struct courier *courier;
    struct destination *destination;
    struct stream *stream;
    struct smtp_client client;
    struct buf commands;
    const struct route_host *host;      /* the arena's */
    const struct mtasts_policy *policy; /* of the domain, or NULL */
    struct demand demand;               /* what its TLS has to prove */
    bool is_demanded;                   /* of one of the domain's hosts, a policy asked for TLS */
    struct route_host fallback;         /* where there is one, and it was turned to */
    bool is_proved;                     /* it has shown whose it is by TLS, whatever was demanded */
    char address[ADDRESS_TEXT_MAX];
    char source[ADDRESS_TEXT_MAX];
    struct arena *arena;
    struct buf counted; /* rows of ipc/tally.h */
    uint64_t messages;
    int64_t reply_until; /* the reply under way has to be whole by then, by loop_now() */
};
void connection_task(struct task *task, void *arg); /* arg: the destination, whose count already has it */
/* Does as the step says until it is one of READY, CONTENT, NOTHING, SENT or CLOSED. A fault: the connection broke. */
MUST_USE int connection_go_on(struct task *task, struct connection *connection, enum smtp_client_step *step,
                              int64_t timeout_ms);
int64_t reply_patience(const struct connection *connection);

/*
 * count.c: what other domains are to be told of our sessions with them (RFC 8460 §4.2), noted as it happens, and
 * counted when the connection has ended.
 */
void count_unfetched(struct connection *connection, const struct sts_found *found);
void count_unopened(struct connection *connection); /* a policy kept us from even trying the host */
/* The greeting is over, with an open connection (0), the client's failure (1) or a fault. */
void count_session(struct connection *connection, int result);
void count_failure(struct connection *connection, enum tlsrpt_result_type type, const char *reason);
void count_tell(struct connection *connection, const struct routing *routing);

/* transfer.c: one leg over the connection. False: the connection is of no use any more. */
bool transfer_leg(struct task *task, struct connection *connection, struct leg *leg);
/* The leg's recipients cannot be sent to at all. */
void transfer_fail(struct task *task, struct courier *courier, struct leg *leg, const struct smtp_response *response,
                   span_t host);

/* convert.c: has intake put the message into the queue anew, in seven bits and signed as such, for those of its
 * recipients: CONVERT_DONE where it is there durably, or a fault. */
enum convert_outcome { CONVERT_DONE, CONVERT_IMPOSSIBLE };
MUST_USE int convert_message(struct task *task, struct courier *courier, struct work *work, const size_t *which,
                             size_t count);

/* inject.c: gives the sender a report on those recipients whose status is DELIVERED, RELAYED or FAILED, or on the delay
 * of those that are OPEN. 0 where it is durable, or nobody wants it. */
enum report_kind { REPORT_FINAL, REPORT_DELAY };
MUST_USE int inject_report(struct task *task, struct courier *courier, struct work *work, enum report_kind kind);
/* Any message of the server's own to one address. 0 where it is durable, or there is nobody. */
enum inject_kind {
    INJECT_PLAIN,
    INJECT_UTF8,         /* addresses in its header may be of RFC 6532 */
    INJECT_TLS_OPTIONAL, /* it goes whatever policies ask for */
};
MUST_USE int inject_text(struct task *task, struct courier *courier, span_t to, enum inject_kind kind, span_t text);

/* holds.c: accounts whose mail is held, as keeper says. */
struct account_hold {
    uint64_t account;
    enum hold_why why;
    int64_t since;
    uint64_t seen;
    uint64_t usual;
    uint64_t messages; /* holds_count() */
    char address[];
};
MUST_USE int holds_ask(struct task *task, struct courier *courier); /* which there are */
void holds_task(struct task *task, void *arg);                      /* asks again whenever there is a new keeper */
void holds_take(struct courier *courier, const struct ipc_hold *said);
/* Why the entry is held, in words for the operator; NULL where it is not. */
const char *holds_why(const struct courier *courier, const struct entry *entry);
void holds_count(struct courier *courier);
/* The one with the lowest account above that, or NULL. */
struct account_hold *holds_next(const struct courier *courier, uint64_t after);
/* Tells keeper. 0 and the account, or a positive errno: ENOENT where there is no such account or hold; or a fault. */
MUST_USE int holds_change(struct task *task, struct courier *courier, enum hold_change change, span_t address,
                          uint64_t *ret_account);
size_t holds_end(struct courier *courier, uint64_t account);    /* its messages go their way; how many they are */
size_t holds_remove(struct courier *courier, uint64_t account); /* all its messages; how many there were */
void holds_bounced(struct courier *courier, const struct work *work, uint32_t recipients); /* keeper counts them */
void holds_free(struct courier *courier);

/* command.c: takes the message. */
void command_start(struct courier *courier, struct channel *channel, struct ipc_message *message);
