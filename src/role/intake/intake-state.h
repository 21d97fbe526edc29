#pragma once

#include "base/list.h"
#include "crypto/record.h"
#include "crypto/recordkey.h"
#include "dns/resolver.h"
#include "ipc/tallier.h"
#include "ipc/wiring.h"
#include "role/intake/trace.h"
#include "proto/dns/lookup.h"
#include "role/start.h"
#include "rt/task.h"
#include "rt/timer.h"
#include "trust/arc/chain.h"
#include "trust/dmarc/tally.h"
#include "trust/ip.h"

/* What intake.c (life), delivery.c (a message's way), sender.c (its From) and send.c (to the store) share. */
struct intake {
    const struct role_start *start;
    struct loop *loop;
    struct wiring *wiring;
    struct resolver *resolver;
    struct task_group tasks;
    struct tallier *tallier;
    struct record_sender *sender; /* NULL until something is to be sealed, and again soon after */
    struct timer *sender_end;
    struct filters *filters;
    uint64_t held; /* bytes of messages in memory */
    uint64_t delivered;
    uint64_t refused;
    uint64_t judged;
    uint64_t reports; /* of others that were read */
    uint64_t reports_refused;
    int64_t reports_rest_until; /* by the loop's clock: until then none is read */
    struct list lessons;        /* teach.c: waiting */
    size_t lesson_count;
    bool is_teaching;
    uint64_t taught;
};

/* delivery.c: takes the message. */
void intake_deliver(struct intake *intake, struct channel *channel, struct ipc_message *message);

/* teach.c: what people take for junk or not, for rspamd; leaves the message to the caller. */
void intake_teach(struct intake *intake, struct ipc_message *message);
void intake_drop_lessons(struct intake *intake);
#define INTAKE_TEACH_PORTS_MAX 1U
size_t intake_teach_ports(const struct conf *conf, uint16_t ret_ports[INTAKE_TEACH_PORTS_MAX]);

/* sender.c: whether all addresses in the header's From belong to the account (RFC 6409 §6.1). SENDER_UNKNOWN where
 * keeper cannot be asked. */
enum sender_result { SENDER_OK, SENDER_FOREIGN, SENDER_UNKNOWN, SENDER_EXHAUSTED, SENDER_BEYOND };
#define SENDER_ADDRESSES_MAX 20U
MUST_USE int intake_check_sender(struct task *task, struct intake *intake, span_t header, uint64_t account);

/* Whether the account may send one more message to so many people elsewhere within the hour; it is counted. SENDER_OK,
 * SENDER_UNKNOWN; SENDER_EXHAUSTED (not now) and SENDER_BEYOND (never), with what to tell the client. */
#define SENDER_TEXT_MAX 200U
MUST_USE int intake_check_allowance(struct task *task, struct intake *intake, const struct ipc_deliver *deliver,
                                    char ret_text[SENDER_TEXT_MAX]);

/*
 * judge.c: asks the DNS who a message from outside is from, unless the settings have it otherwise.
 * DELIVER_OK, DELIVER_REFUSED with judged->refusal set, DELIVER_LATER: not to be told now, -ECANCELED.
 */
#define JUDGED_LINES_MAX 8192U
struct intake_judged {
    char author[DNS_NAME_MAX + 1]; /* for reports: the organizational domain in From; empty: there is none … */
    bool is_signed;                /* … a signature of it passes */
    bool is_aligned;               /* … that, or DMARC does */
    bool is_open;                  /* … or one may pass when the DNS answers */
    bool is_junk;
    bool is_judged;
    char refusal[512];
    char quarantine[512]; /* why it is junk */
    struct buf lines;     /* Authentication-Results, or empty */
    /* Of what is to be sent on, for its ARC set: */
    struct buf results; /* as judge_append_results() has it */
    enum arc_result arc;
    bool has_arc_failed_before;
};
/* A client of a network that is not judged ([trust] local). */
MUST_USE bool intake_is_local(const struct conf *conf, const struct ip *client);
MUST_USE int intake_judge(struct task *task, struct intake *intake, const struct ipc_deliver *deliver, span_t message,
                          struct intake_judged *judged);

/* tally.c: counts a message for the report to the domain in its From, where that wants one. */
void intake_tally(struct intake *intake, const struct dmarc_tally_case *one, span_t header);

/* sign.c: appends a DKIM signature by each of the domain's keys, for a message as it will be sent. Where it cannot be
 * signed now, a fault; the lines are then as they were. Without keys, nothing. */
MUST_USE int intake_sign(struct task *task, struct intake *intake, span_t message, struct buf *lines);

/* The ARC set of a message that is sent on (RFC 8617), below which it stays as it is. Appends nothing where there can
 * be none: the domain has no key for it, or an earlier set cannot be trusted to say how the chain stands. A fault: it
 * cannot be told now. */
struct intake_sealing {
    span_t domain; /* that sends it on */
    span_t message;
    const struct intake_judged *judged;
};
MUST_USE int intake_seal(struct task *task, struct intake *intake, const struct intake_sealing *sealing,
                         struct buf *lines);

/* report.c: whether it is for the address where reports of others are read. */
MUST_USE bool intake_is_for_reports(const struct ipc_deliver *deliver);
/* Reads it and gives it to keeper: an enum deliver_outcome with a text, which is a constant, or a fault. */
MUST_USE int intake_report(struct task *task, struct intake *intake, const struct ipc_deliver *deliver,
                           const struct intake_judged *judged, span_t message, const char **ret_text);

/* send.c: seals the message for the recipients (rows of RECIPIENT_ROW_SIZE) and has it stored: an enum deliver_outcome,
 * or a fault. */
MUST_USE int intake_send(struct task *task, struct intake *intake, const struct record_meta *meta, span_t message,
                         span_t recipients);

/*
 * forward.c: a message from outside for addresses of ours whose mail is sent on. It is planned before anybody has it,
 * so that what is refused then was delivered nowhere; an enum deliver_outcome, with *ret_text for the reply, or a
 * fault. Each address has copies of its own, so that nobody learns of the others. The plan is the arena's.
 */
#define FORWARD_COPIES_MAX 64U
#define FORWARD_ROOM 32768U /* that a copy takes in front of the message, besides the rows of its recipients */
struct forward_copy {
    span_t address; /* of ours */
    span_t sender;  /* rewritten */
    span_t rows;    /* whom it goes to (ipc/envelope.h) */
};
struct forward_letter {
    const struct ipc_deliver *deliver;
    span_t header;
    const struct intake_judged *judged;
    bool is_junk;
};
struct forward_plan {
    struct forward_copy *copies;
    size_t count;
};
MUST_USE bool forward_is_asked(const struct ipc_deliver *deliver);
MUST_USE int forward_plan(struct task *task, struct intake *intake, const struct forward_letter *letter,
                          struct arena *arena, struct forward_plan *ret_plan, const char **ret_text);
/* Sends one copy. message: without Return-Path, with room in front of it. */
MUST_USE int forward_send(struct task *task, struct intake *intake, const struct forward_letter *letter,
                          const struct forward_copy *copy, span_t message, uint64_t arrived);

/* convert.c: puts the message in seven bits behind so many bytes of room. DELIVER_OK; DELIVER_REFUSED where it is
 * signed as it stands; DELIVER_TOO_LARGE; or a fault. */
MUST_USE int intake_convert(span_t message, size_t front, size_t most, struct buf *block);

/* outgoing.c: a message that also goes, or only goes, to other servers. */
MUST_USE size_t outgoing_envelope_len(const struct ipc_deliver *deliver); /* 0: it does not */
/* What the header of a message of our users asks of its way. */
void outgoing_read_header(struct ipc_deliver *deliver, span_t header);
/* Whether the queue stands among the recipients just where there are some for it to send to. */
MUST_USE bool outgoing_is_sound(const struct ipc_deliver *deliver);
/* Appends the recipients that are accounts, or that which is the queue. */
enum outgoing_which { OUTGOING_ACCOUNTS, OUTGOING_QUEUE };
MUST_USE int outgoing_pick(span_t recipients, enum outgoing_which which, struct buf *rows);
/* The flags, with what the message really asks of a server in place of what its sender said (BODY=). */
uint32_t outgoing_flags(uint32_t flags, span_t message);
/* Writes the envelope to where it is to stand, outgoing_envelope_len() bytes. */
MUST_USE int outgoing_envelope(const struct ipc_deliver *deliver, uint8_t *into);
