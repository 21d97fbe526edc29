#pragma once

#include "base/arena.h"
#include "role/intake/intake-state.h"
#include "rt/connect.h"
#include "trust/ip.h"

/*
 * What programs beside us think of a message: rspamd over HTTP, clamd over its socket. Each is asked where the settings
 * name it.
 */
enum filter_advice {
    FILTER_ACCEPT,
    FILTER_JUNK,   /* to be filed as junk */
    FILTER_REFUSE, /* for good */
    FILTER_LATER,  /* the client is to try again: greylisted, or a filter is down and its mail is to wait */
};

#define FILTER_REMOVED_MAX 33U
#define FILTER_LINES_MAX 4096U
#define FILTER_MEMORY (4U << 20)

struct filter_opinion {
    enum filter_advice advice;
    span_t reply;      /* words for the SMTP reply, printable ASCII; the arena's */
    struct buf *lines; /* header lines to put in front, each with its CRLF: the caller's, appended to */
    size_t removed_count;
    span_t removed[FILTER_REMOVED_MAX]; /* names of fields to take out; the arena's */
};

struct filter_letter {
    span_t message;
    const struct ipc_deliver *envelope;
    struct arena *arena;
};

MUST_USE bool filter_is_set(const struct conf *conf); /* any of them */

/* Asks all that are set. 0 with *opinion filled in, or a fault. */
MUST_USE int filter_ask(struct task *task, struct intake *intake, const struct filter_letter *letter,
                        struct filter_opinion *opinion);

/* The TCP ports that the filters which are set listen on, for the rights; *conf is read as it was at start. */
#define FILTER_PORTS_MAX 2U
size_t filter_ports(const struct conf *conf, uint16_t ret_ports[FILTER_PORTS_MAX]);

/* Each in its own file: 0, a fault, or FILTER_DOWN, with the reason logged. */
#define FILTER_DOWN 1
MUST_USE int filter_ask_dnsbl(struct task *task, struct intake *intake, const struct filter_letter *letter,
                              struct filter_opinion *opinion);
MUST_USE int filter_ask_greylist(struct task *task, struct intake *intake, const struct filter_letter *letter,
                                 struct filter_opinion *opinion);
MUST_USE int filter_ask_rspamd(struct task *task, struct intake *intake, const struct filter_letter *letter,
                               struct filter_opinion *opinion);
MUST_USE int filter_ask_clamd(struct task *task, struct intake *intake, const struct filter_letter *letter,
                              struct filter_opinion *opinion);

/* Where clamd listens, if that is a TCP port. */
MUST_USE bool filter_clamd_address(const struct conf *conf, struct address *ret_address);

/* Whether the message comes from a client that is neither one of our users nor of a network that is not judged ([trust]
 * local). */
MUST_USE bool filter_is_from_outside(const struct conf *conf, const struct ipc_deliver *envelope,
                                     struct ip *ret_client);

/* The stronger advice wins, and brings its words along. */
void filter_advise(struct filter_opinion *opinion, enum filter_advice advice, span_t reply);
