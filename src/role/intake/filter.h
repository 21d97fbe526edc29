#pragma once

#include "base/arena.h"
#include "ipc/filterrow.h"
#include "role/intake/intake-state.h"
#include "rt/connect.h"
#include "trust/ip.h"

/*
 * What programs beside us think of a message: rspamd over HTTP, clamd over its socket; what lists in the DNS say of its
 * client; and whether it has come before. filter.c asks them in turn, filter-watch.c knows which of them are at work.
 */
enum filter_advice {
    FILTER_ACCEPT,
    FILTER_JUNK,   /* to be filed as junk */
    FILTER_REFUSE, /* for good */
    FILTER_LATER,  /* the client is to try again: greylisted, or a filter is down and its mail is to wait */
};

#define FILTER_REMOVED_MAX 34U /* rspamd's, and two of ours */
#define FILTER_LINES_MAX 3072U
#define FILTER_MEMORY (4U << 20)

struct filter_opinion {
    enum filter_advice advice;
    enum filter_advice own; /* of the filter that is being asked */
    span_t reply;           /* words for the SMTP reply, printable ASCII; the arena's */
    struct buf *lines;      /* header lines to put in front, each with its CRLF: the caller's, appended to */
    size_t removed_count;
    span_t removed[FILTER_REMOVED_MAX]; /* names of fields to take out; the arena's */
};

struct filter_letter {
    span_t message;
    const struct ipc_deliver *envelope;
    struct arena *arena;
};

/* Asks all that are set and at work. 0 with *opinion filled in, or a fault. */
MUST_USE int filter_ask(struct task *task, struct intake *intake, const struct filter_letter *letter,
                        struct filter_opinion *opinion);

/* The TCP ports that the filters may listen on, for the rights; *conf is read as it was at start. */
#define FILTER_PORTS_MAX 2U
size_t filter_ports(const struct conf *conf, uint16_t ret_ports[FILTER_PORTS_MAX]);

/* Each in its own file: whether the letter is any of its business, and its word: 0, a fault, or FILTER_SILENT, with the
 * reason in words. */
#define FILTER_SILENT 1
#define FILTER_REASON_MAX 160U
typedef bool filter_concerns(const struct conf *conf, const struct filter_letter *letter);
typedef int filter_asker(struct task *task, struct intake *intake, const struct filter_letter *letter,
                         struct filter_opinion *opinion, char reason[FILTER_REASON_MAX]);
MUST_USE filter_concerns filter_concerns_rspamd, filter_concerns_clamd, filter_concerns_outside;
MUST_USE filter_asker filter_ask_rspamd, filter_ask_clamd, filter_ask_dnsbl, filter_ask_greylist;

/* Whether the program is there: 0 with its version, "" where it does not tell; a fault, or FILTER_SILENT. */
typedef int filter_prober(struct task *task, struct intake *intake, int64_t timeout_ms,
                          char version[FILTER_VERSION_MAX], char reason[FILTER_REASON_MAX]);
MUST_USE filter_prober filter_probe_rspamd, filter_probe_clamd;

/* Where clamd listens, if that is a TCP port. */
MUST_USE bool filter_clamd_address(const struct conf *conf, struct address *ret_address);

/* Whether the message comes from a client that is neither one of our users nor of a network that is not judged ([trust]
 * local). */
MUST_USE bool filter_is_from_outside(const struct conf *conf, const struct ipc_deliver *envelope,
                                     struct ip *ret_client);

/* The stronger advice wins, and brings its words along. */
void filter_advise(struct filter_opinion *opinion, enum filter_advice advice, span_t reply);

/* --- filter-watch.c: which filters are at work ------------------------------------------------------------------- */

enum filter_choice { FILTER_CHOSEN_OFF, FILTER_CHOSEN_AUTO, FILTER_CHOSEN_ON };
enum filter_choice filter_choice_of(const char *setting);

/* Looks for them, now and again. */
MUST_USE int filters_begin(struct intake *intake);
void filters_end(struct intake *intake);

/* Whether any of them could have a say. */
bool filters_matter(const struct intake *intake);

/* Whether to ask it now: one that has not been seen is looked for first. FILTER_GO, FILTER_PASS_BY (off, or absent),
 * FILTER_AWAY, -ECANCELED, -ENOMEM. */
enum filter_readiness { FILTER_GO, FILTER_PASS_BY, FILTER_AWAY };
MUST_USE int filter_ready(struct task *task, struct intake *intake, enum filter_kind kind);

/* How asking it went: 0 or FILTER_SILENT, its own advice, and since when it was asked (filter_clock()). */
int64_t filter_clock(void); /* microseconds */
void filter_heard(struct intake *intake, enum filter_kind kind, enum filter_advice own, int64_t since);
void filter_unheard(struct intake *intake, enum filter_kind kind, const char *reason, int64_t since);

/* Appends a row of each (ipc/filterrow.h). */
void filters_write(const struct intake *intake, struct buf *rows);
