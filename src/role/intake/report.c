#include <errno.h>
#include <time.h>

#include "base/bytes.h"
#include "base/log.h"
#include "conf/conf.h"
#include "role/intake/digest.h"
#include "role/intake/intake-state.h"
#include "trust/domain.h"

/*
 * Mail to the address for reports ([reports] address) is for the server itself. It is read here, in one go, so that an
 * intake holds no more than one report unpacked; what goes to keeper afterwards is small.
 */
#define KEEP_WAIT 30000 /* milliseconds */
#define TURN_WAIT 60000
#define REST 9 /* times what reading took */

bool intake_is_for_reports(const struct ipc_deliver *deliver)
{
    for (size_t at = 0; at + RECIPIENT_ROW_SIZE <= deliver->recipients.len; at += RECIPIENT_ROW_SIZE)
        if (bytes_get_u64(deliver->recipients.at + at) == REPORTS_ACCOUNT)
            return true;
    return false;
}

/*
 * Whose report it is: nobody's word is taken for somebody else's. RFC 8460 §3 wants a signature of the domain that
 * reports; RFC 7489 §7.2 that reports pass DMARC themselves, for which SPF does, too. Nothing is unpacked for others.
 */
static int find_reporter(const struct intake *intake, const struct ipc_deliver *deliver,
                         const struct intake_judged *judged, span_t *ret_reporter, const char **ret_text)
{
    *ret_reporter = span_of_text(judged->author);
    if ((deliver->flags & DELIVER_SUBMISSION) != 0) {
        *ret_text = "Reports are taken from other servers, not from users of this one";
        return DELIVER_REFUSED;
    }
    if ((deliver->flags & DELIVER_REPORT) != 0) {
        *ret_reporter = span_of_text(intake->start->conf->server_hostname);
        return DELIVER_OK;
    }
    if (judged->is_aligned)
        return DELIVER_OK;
    *ret_text = judged->is_open
                    ? "The DNS does not say now whether this report is its sender's: please try again later"
                    : "This address takes reports of servers, signed by the domain in From (DKIM; RFC 8460 section 3, "
                      "RFC 7489 section 7.2)";
    return judged->is_open ? DELIVER_WAIT : DELIVER_REFUSED;
}

/* Large reports take long to read, and all else waits meanwhile: after each there is a rest nine times as long. */
static int await_turn(struct task *task, const struct intake *intake, const char **ret_text)
{
    int64_t waited = 0;
    for (int64_t left; (left = intake->reports_rest_until - loop_now(intake->loop)) > 0; waited += left) {
        if (waited + left > TURN_WAIT) {
            *ret_text = "Many reports are being read now: please try again later";
            return DELIVER_WAIT;
        }
        int result = task_sleep(task, left);
        if (result != 0)
            return result;
    }
    return DELIVER_OK;
}

static int64_t used_ms(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* Reads it and lets go of all but the digest. */
static int read_report(span_t message, struct digest **ret_digest, const char **ret_text)
{
    AUTO(arena) struct arena *arena = NULL;
    struct reported reported;
    int result = arena_new(REPORTED_ARENA_MAX, &arena);
    if (result == 0)
        result = reported_find(message, arena, &reported, ret_text);
    if (result != REPORTED_FOUND)
        return result < 0 ? result : (int)DELIVER_UNREADABLE;
    result = digest_new(&reported, arena, ret_digest);
    if (result != 0)
        return result;
    if ((*ret_digest)->count > 0)
        return DELIVER_OK;
    *ret_text = "The report names no domain that it is about";
    return DELIVER_UNREADABLE;
}

static int keep_part(struct task *task, struct intake *intake, const struct digest *digest, size_t at, span_t reporter)
{
    struct channel *keeper = wiring_any(intake->wiring, ROLE_KEEPER);
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    if (keeper == NULL)
        return RECEIVED_UNAVAILABLE;
    struct ipc_message request = {.type = IPC_received,
                                  .received = {.kind = (uint32_t)digest->kind,
                                               .reporter = reporter,
                                               .organization = span_of_text(digest->organization),
                                               .contact = span_of_text(digest->contact),
                                               .report = span_of_text(digest->id),
                                               .domain = span_of_text(digest->parts[at].domain),
                                               .first = digest->first,
                                               .last = digest->last,
                                               .rows = buf_span(&digest->parts[at].rows)}};
    int result = channel_call_within(task, keeper, &request, KEEP_WAIT, &reply);
    if (result != 0)
        return result == -ECANCELED ? result : (int)RECEIVED_UNAVAILABLE;
    return reply->received_done.outcome < RECEIVED_UNAVAILABLE ? (int)reply->received_done.outcome
                                                               : (int)RECEIVED_UNAVAILABLE;
}

/* A report on several domains is good if one of them is ours. */
static int keep(struct task *task, struct intake *intake, const struct digest *digest, span_t reporter,
                const char **ret_text)
{
    static const struct {
        enum deliver_outcome outcome;
        const char *text;
    } rows[] = {
        [RECEIVED_KEPT] = {DELIVER_OK, "Report taken"},
        [RECEIVED_KNOWN] = {DELIVER_OK, "Report taken, not for the first time"},
        [RECEIVED_FOREIGN] = {DELIVER_UNREADABLE, "The report is about a domain that is not served here"},
        [RECEIVED_MUCH] = {DELIVER_WAIT, "That is more than is taken from one reporter within a day"},
        [RECEIVED_UNAVAILABLE] = {DELIVER_LATER, ""},
    };
    int best = RECEIVED_FOREIGN;
    for (size_t i = 0; i < digest->count; i++) {
        int outcome = keep_part(task, intake, digest, i, reporter);
        if (outcome < 0)
            return outcome;
        if (outcome == RECEIVED_MUCH || outcome == RECEIVED_UNAVAILABLE) {
            best = outcome;
            break;
        }
        best = outcome < best ? outcome : best;
    }
    *ret_text = rows[best].text;
    return (int)rows[best].outcome;
}

/* The task does not wait between taking its turn and the end of reading. */
static int read_in_turn(struct task *task, struct intake *intake, span_t message, struct digest **ret_digest,
                        const char **ret_text)
{
    int result = await_turn(task, intake, ret_text);
    if (result != DELIVER_OK)
        return result;
    const int64_t before = used_ms();
    result = read_report(message, ret_digest, ret_text);
    intake->reports_rest_until = loop_now(intake->loop) + REST * (used_ms() - before);
    return result;
}

int intake_report(struct task *task, struct intake *intake, const struct ipc_deliver *deliver,
                  const struct intake_judged *judged, span_t message, const char **ret_text)
{
    AUTO(digest) struct digest *digest = NULL;
    span_t reporter = SPAN_NONE;
    int result = find_reporter(intake, deliver, judged, &reporter, ret_text);
    if (result == DELIVER_OK)
        result = read_in_turn(task, intake, message, &digest, ret_text);
    if (result == DELIVER_OK && digest->kind == RECEIVED_TLS && !judged->is_signed &&
        (deliver->flags & DELIVER_REPORT) == 0) {
        *ret_text = "A report on TLS has to be signed by the domain in its From (DKIM; RFC 8460 section 3)";
        result = DELIVER_REFUSED;
    }
    if (result == DELIVER_OK)
        result = keep(task, intake, digest, reporter, ret_text);
    if (result == DELIVER_OK)
        intake->reports++;
    else
        intake->reports_refused++;
    log_info("intake.report", F_INT("outcome", result));
    return result;
}
