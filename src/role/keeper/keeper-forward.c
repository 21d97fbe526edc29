#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/log.h"
#include "conf/conf.h"
#include "ipc/envelope.h"
#include "proto/smtp/xtext.h"
#include "role/keeper/keeper-state.h"
#include "role/keeper/srs.h"
#include "role/start.h"

#define ROWS_MAX 65536U
#define FORWARDS_MAX 32768U

/* Whom a report to a rewritten sender is for, if that is what this is and the domain is ours: an enum srs_result. */
static int read_sender(const struct keeper *keeper, span_t address, struct buf *sender)
{
    struct name name;
    const struct srs srs = {.key = secret_bytes(keeper->srs_key), .now = (int64_t)time(NULL)};
    int result = srs_read(&srs, span_upto(address, span_find_last_byte(address, '@')), sender);
    if (result < 0 || result == SRS_NONE)
        return result;
    int parsed = name_parse(address, &name);
    if (parsed == NAME_OK)
        parsed = directory_domain_exists(keeper->directory, name.domain);
    return parsed < 0 ? parsed : parsed == DIRECTORY_OK ? result : (int)SRS_NONE;
}

/* It goes to the one address alone, and from nobody, so that nothing comes of it any more. */
static int resolve_report(const struct keeper *keeper, span_t address, span_t sender, struct buf *rows,
                          struct buf *forwards)
{
    AUTO_BUF struct buf orcpt;
    buf_init(&orcpt, 4096);
    int outcome = directory_resolve(keeper->directory, sender, rows, forwards);
    if (outcome != RESOLVE_REMOTE)
        return outcome;
    int result = smtp_orcpt_write(address, &orcpt);
    const struct envelope_recipient row = {.notify = ENVELOPE_FORWARD, .address = sender, .orcpt = buf_span(&orcpt)};
    if (result == 0)
        result = envelope_recipient_write(&row, forwards);
    return result < 0 ? result : (int)RESOLVE_LOCAL;
}

/* Our own name need be no domain of ours; but reports come from postmaster there, and may be answered. */
static bool is_host_postmaster(const struct keeper *keeper, span_t address)
{
    size_t at = span_find_last_byte(address, '@');
    return span_equal_nocase(span_upto(address, at), SPAN("postmaster")) &&
           span_equal_nocase(span_from(address, at + 1), span_of_text(keeper->start->conf->server_hostname));
}

static int resolve_address(const struct keeper *keeper, span_t address, struct buf *rows, struct buf *forwards)
{
    int outcome = directory_resolve(keeper->directory, address, rows, forwards);
    if (outcome != RESOLVE_REMOTE || !is_host_postmaster(keeper, address))
        return outcome;
    outcome = directory_resolve(keeper->directory, SPAN("postmaster"), rows, forwards);
    return outcome == RESOLVE_UNKNOWN ? (int)RESOLVE_REMOTE : outcome;
}

static int resolve(const struct keeper *keeper, const struct ipc_resolve *asked, struct buf *rows, struct buf *forwards)
{
    AUTO_BUF struct buf sender;
    buf_init(&sender, 1024);
    int result = read_sender(keeper, asked->address, &sender);
    if (result < 0 || result == SRS_NONE)
        return result < 0 ? result : resolve_address(keeper, asked->address, rows, forwards);
    if (result != SRS_OK || asked->is_report == 0)
        return RESOLVE_UNKNOWN;
    return resolve_report(keeper, asked->address, buf_span(&sender), rows, forwards);
}

static int add_queue(const struct keeper *keeper, struct buf *rows)
{
    const struct recipient_row queue = {.account = QUEUE_ACCOUNT, .public_key = keeper->queue_public};
    uint8_t row[RECIPIENT_ROW_SIZE];
    recipient_row_put(row, &queue);
    return buf_append(rows, span_of(row, sizeof(row)));
}

void keeper_resolve(struct keeper *keeper, struct keeper_request *request)
{
    AUTO_BUF struct buf rows;
    AUTO_BUF struct buf forwards;
    buf_init(&rows, ROWS_MAX);
    buf_init(&forwards, FORWARDS_MAX);
    int outcome = resolve(keeper, &request->message->resolve, &rows, &forwards);
    if (outcome >= 0 && request->message->resolve.client.len > 0)
        outcome = keeper_count_recipient(keeper, &request->message->resolve, outcome);
    int result = outcome < 0 ? outcome : 0;
    if (outcome == RESOLVE_REMOTE)
        buf_clear(&rows);
    if (outcome == RESOLVE_REMOTE || (outcome == RESOLVE_LOCAL && buf_len(&forwards) > 0))
        result = add_queue(keeper, &rows);
    if (result < 0)
        log_error("keeper.resolve.failed", F_FAULT(result));
    struct ipc_message reply = {
        .type = IPC_resolved, .resolved = {.outcome = result < 0 ? (uint32_t)RESOLVE_UNAVAILABLE : (uint32_t)outcome}};
    if (result == 0 && (outcome == RESOLVE_LOCAL || outcome == RESOLVE_REMOTE))
        reply.resolved.recipients = buf_span(&rows);
    if (result == 0 && outcome == RESOLVE_LOCAL)
        reply.resolved.forwards = buf_span(&forwards);
    keeper_reply(request, &reply);
}

/* --- sending on --------------------------------------------------------------------------------------------------- */

/* By whom it goes to: the address that it comes in by may have any number of forms. A fault keeps nobody's mail
 * waiting. */
static enum allowance_answer spend(struct keeper *keeper, span_t targets)
{
    struct envelope_recipient target;
    uint64_t per_hour = keeper->start->conf->smtp_forwards_per_hour;
    enum allowance_answer answer = ALLOWANCE_GRANTED;
    while (per_hour > 0 && envelope_recipient_next(&targets, &target)) {
        uint64_t id = hash_keyed(keeper->forwards_key, target.address);
        int result = allowance_take(keeper->forwards, id, 1, (int64_t)time(NULL), per_hour);
        if (result < 0)
            log_error("keeper.forward.uncounted", F_FAULT(result));
        if (result != ALLOWANCE_USED_UP)
            continue;
        log_warn("address.receives.much", F_HASH("address", target.address), F_U64("forwards_per_hour", per_hour));
        answer = ALLOWANCE_USED_UP;
    }
    return answer;
}

/* As it is to be: nobody's stays nobody's (RFC 5321 §4.5.5), and reports to our own find their way as they are. */
static int write_sender(const struct keeper *keeper, span_t sender, span_t domain, struct buf *rewritten)
{
    struct name name;
    const struct srs srs = {.key = secret_bytes(keeper->srs_key), .now = (int64_t)time(NULL)};
    int result = sender.len == 0 ? (int)NAME_BAD : name_parse(sender, &name);
    if (result == NAME_OK)
        result = directory_domain_exists(keeper->directory, name.domain) == DIRECTORY_OK ? (int)NAME_BAD : (int)NAME_OK;
    if (result == NAME_OK)
        result = srs_write(&srs, sender, domain, rewritten);
    else
        result = result < 0 ? result : (int)SRS_NONE;
    return result == SRS_NONE ? buf_append(rewritten, sender) : result;
}

void keeper_forward(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    (void)task;
    AUTO_BUF struct buf sender;
    buf_init(&sender, 1024);
    const struct ipc_forward *asked = &request->message->forward;
    span_t domain = span_from(asked->address, span_find_last_byte(asked->address, '@') + 1);
    struct ipc_message reply = {.type = IPC_forward_done, .forward_done = {.outcome = FORWARD_OK}};
    int result = write_sender(keeper, asked->sender, domain, &sender);
    if (result < 0)
        log_error("keeper.forward.failed", F_FAULT(result));
    if (result < 0)
        reply.forward_done.outcome = FORWARD_UNAVAILABLE;
    else if (spend(keeper, asked->targets) == ALLOWANCE_USED_UP)
        reply.forward_done.outcome = FORWARD_WAIT;
    reply.forward_done.sender = buf_span(&sender);
    keeper_reply(request, &reply);
}
