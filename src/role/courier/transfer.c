#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/pop3/command.h"
#include "proto/pop3/content.h"
#include "role/courier/courier-state.h"

#define RECIPIENTS_MAX 100U /* of one transaction: what every server takes (RFC 5321 §4.5.3.1.8) */
#define PIECE 65536U        /* of the message in memory at a time */
#define CONTENT_MS 180000   /* RFC 5321 §4.5.3.2.5 */
#define AGAIN_AT_ONCE 5     /* seconds: the connection broke before it took anything */

struct transfer {
    struct connection *connection;
    struct leg *leg;
    struct work *work;
    struct smtp_client_recipient *recipients;
    size_t *which; /* of the work's recipients each is */
    size_t count;
    size_t from; /* of the work's recipients: those before have had their turn */
    bool has_answer;
    bool is_deferred;
};

/* --- who ------------------------------------------------------------------------------------------------------------
 */

static bool goes_here(struct courier *courier, const struct leg *leg, const struct work *work, span_t address)
{
    struct destination *destination = NULL;
    return destination_find(courier, work, address, &destination) == 0 && destination == leg->destination;
}

static void collect(struct transfer *transfer)
{
    const struct work *work = transfer->work;
    transfer->count = 0;
    if (holds_why(transfer->connection->courier, transfer->leg->entry) != NULL) /* since the leg was taken */
        return;
    for (; transfer->from < work->note.count && transfer->count < RECIPIENTS_MAX; transfer->from++) {
        size_t i = transfer->from;
        const struct envelope_recipient *from = &work->recipients[i];
        if (work->note.recipients[i].status != NOTE_OPEN ||
            !goes_here(transfer->connection->courier, transfer->leg, work, from->address))
            continue;
        transfer->recipients[transfer->count] = (struct smtp_client_recipient){
            .address = from->address, .orcpt = from->orcpt, .notify = from->notify & ENVELOPE_NOTIFY};
        transfer->which[transfer->count++] = i;
    }
}

/* --- the message -----------------------------------------------------------------------------------------------------
 */

static int send_content(struct task *task, struct transfer *transfer)
{
    struct stream *stream = transfer->connection->stream;
    struct pop3_content stuffing; /* RFC 5321 §4.5.2 doubles dots as RFC 1939 does */
    AUTO_BUF struct buf piece;
    AUTO_BUF struct buf out;
    uint64_t len = work_message_len(transfer->work);
    buf_init(&piece, PIECE);
    buf_init(&out, 2 * PIECE + 8);
    pop3_content_init(&stuffing, POP3_LINES_ALL);
    int result = 0;
    for (uint64_t at = 0; result == 0 && at < len; at += PIECE) {
        buf_clear(&piece);
        buf_clear(&out);
        result = work_read(transfer->work, at, PIECE, &piece);
        if (result == 0)
            pop3_content_feed(&stuffing, buf_span(&piece), &out);
        if (result == 0)
            result = buf_fault(&out);
        if (result == 0)
            result = stream_write(task, stream, buf_span(&out), CONTENT_MS);
    }
    buf_clear(&out);
    pop3_content_end(&stuffing, &out);
    if (result == 0)
        result = stream_write(task, stream, buf_span(&out), CONTENT_MS);
    return result == 0 ? stream_flush(task, stream, CONTENT_MS) : result;
}

static struct smtp_client_mail mail_of(const struct transfer *transfer)
{
    const struct envelope *envelope = &transfer->work->envelope;
    return (struct smtp_client_mail){
        .sender = envelope->sender,
        .envid = envelope->envid,
        .ret = (envelope->flags & ENVELOPE_RETURN_FULL) != 0      ? SMTP_RETURN_FULL
               : (envelope->flags & ENVELOPE_RETURN_HEADERS) != 0 ? SMTP_RETURN_HEADERS
                                                                  : SMTP_RETURN_ANY,
        .size = work_message_len(transfer->work),
        .is_8bit = (envelope->flags & ENVELOPE_8BIT) != 0,
        .is_binary = (envelope->flags & ENVELOPE_BINARY) != 0,
        .is_utf8 = (envelope->flags & ENVELOPE_UTF8) != 0,
        .require_tls = (envelope->flags & ENVELOPE_REQUIRE_TLS) != 0,
        .recipients = transfer->recipients,
        .count = transfer->count,
    };
}

/* RFC 3030 §2: as it is. */
static int send_chunk(struct task *task, struct transfer *transfer)
{
    struct stream *stream = transfer->connection->stream;
    AUTO_BUF struct buf piece;
    uint64_t len = work_message_len(transfer->work);
    buf_init(&piece, PIECE);
    int result = 0;
    for (uint64_t at = 0; result == 0 && at < len; at += PIECE) {
        buf_clear(&piece);
        result = work_read(transfer->work, at, PIECE, &piece);
        if (result == 0)
            result = stream_write(task, stream, buf_span(&piece), CONTENT_MS);
    }
    return result == 0 ? stream_flush(task, stream, CONTENT_MS) : result;
}

/* To the end of the transaction, or of the connection. */
static int talk(struct task *task, struct transfer *transfer, enum smtp_client_step *step)
{
    struct connection *connection = transfer->connection;
    const struct smtp_client_mail mail = mail_of(transfer);
    int64_t patience = reply_patience(connection);
    *step = smtp_client_send(&connection->client, &mail, &connection->commands);
    for (;;) {
        int result = connection_go_on(task, connection, step, patience);
        if (result < 0)
            return result;
        transfer->has_answer = true;
        if (*step != SMTP_CLIENT_CONTENT && *step != SMTP_CLIENT_CHUNK && *step != SMTP_CLIENT_NOTHING)
            return 0;
        if (*step == SMTP_CLIENT_CONTENT)
            result = send_content(task, transfer);
        else if (*step == SMTP_CLIENT_CHUNK)
            result = send_chunk(task, transfer);
        else
            result = buf_append(&connection->commands, SPAN(".\r\n"));
        if (result < 0)
            return result;
        *step = smtp_client_content(&connection->client);
        patience = 2 * reply_patience(connection); /* RFC 5321 §4.5.3.2.6 */
    }
}

/* --- what came of it -------------------------------------------------------------------------------------------------
 */

/* RFC 3461 §5.2.2: who makes reports is asked for them with the message; for others we say that it was passed on. */
static enum note_status delivered_status(const struct transfer *transfer, size_t at)
{
    bool is_wanted = (transfer->recipients[at].notify & SMTP_NOTIFY_SUCCESS) != 0;
    bool is_theirs = (transfer->connection->client.extensions & SMTP_EXT_DSN) != 0;
    return is_wanted && !is_theirs && transfer->work->envelope.sender.len > 0 ? NOTE_RELAYED : NOTE_DONE;
}

static void apply(struct transfer *transfer, int fault)
{
    struct smtp_response broken = response_of(451, 4, 2,
                                              fault == -ETIMEDOUT ? "The other server did not answer in time"
                                                                  : "The connection to the other server broke off");
    struct courier *courier = transfer->connection->courier;
    span_t host = span_of_text(transfer->connection->host->name);
    uint32_t refused = 0;
    for (size_t i = 0; i < transfer->count; i++) {
        struct smtp_client_recipient *recipient = &transfer->recipients[i];
        size_t which = transfer->which[i];
        recipient->response.lines = 0;
        if (recipient->outcome == SMTP_CLIENT_DELIVERED) {
            work_set(transfer->work, which, delivered_status(transfer, i), &recipient->response, host);
            courier->delivered++;
        } else if (recipient->outcome == SMTP_CLIENT_REFUSED) {
            recipient_fail(transfer->work, which, &recipient->response, host);
            courier->failed++;
            refused += envelope_recipient_is_written_to(&transfer->work->recipients[which]);
        } else {
            bool has_said = recipient->outcome == SMTP_CLIENT_DEFERRED;
            work_set(transfer->work, which, NOTE_OPEN, has_said ? &recipient->response : &broken, host);
            transfer->is_deferred = true;
            courier->deferred++;
        }
    }
    holds_bounced(courier, transfer->work, refused);
    log_info("courier.transfer", F_U64("record", transfer->work->entry->message.record),
             F_HASH("destination", span_of_text(transfer->leg->destination->name)),
             F_U64("recipients", transfer->count), F_U64("code", transfer->recipients[0].response.code),
             F_U64("deferred", transfer->is_deferred));
}

/* In words of ours: no server has said them. */
static void fail_recipients(struct transfer *transfer, const struct smtp_response *response)
{
    for (size_t i = 0; i < transfer->count; i++) {
        recipient_fail(transfer->work, transfer->which[i], response, SPAN_NONE);
        transfer->connection->courier->failed++;
    }
}

/* What this server cannot be given as it is. */
static bool is_lacking(struct transfer *transfer)
{
    const struct smtp_client_mail mail = mail_of(transfer);
    const char *status = NULL;
    const char *why = smtp_client_lacks(&transfer->connection->client, &mail, &status);
    if (why == NULL)
        return false;
    span_t rest = span_of_text(status);
    uint64_t subject = 0;
    uint64_t detail = 0;
    span_t word;
    (void)span_cut(&rest, '.', &word);
    if (!span_cut(&rest, '.', &word) || span_to_u64(word, 999, &subject) < 0 || span_to_u64(rest, 999, &detail) < 0)
        subject = detail = 0;
    struct smtp_response response = response_of(550, (uint16_t)subject, (uint16_t)detail, why);
    fail_recipients(transfer, &response);
    return true;
}

/* RFC 6152 §3, RFC 3030 §3: where this server would take the message in seven bits, it goes back into the queue as
 * such, signed anew. These recipients are then done here. */
static bool is_converted(struct task *task, struct transfer *transfer)
{
    const struct smtp_client_mail mail = mail_of(transfer);
    const struct smtp_response later = response_of(451, 3, 2, "The message could not be converted now");
    struct connection *connection = transfer->connection;
    if (!smtp_client_wants_less(&connection->client, &mail))
        return false;
    int result = convert_message(task, connection->courier, transfer->work, transfer->which, transfer->count);
    if (result == CONVERT_IMPOSSIBLE)
        return false;
    for (size_t i = 0; i < transfer->count; i++) {
        if (result == CONVERT_DONE)
            work_set(transfer->work, transfer->which[i], NOTE_DONE, NULL, SPAN_NONE);
        else
            work_set(transfer->work, transfer->which[i], NOTE_OPEN, &later, SPAN_NONE);
    }
    transfer->is_deferred = transfer->is_deferred || result != CONVERT_DONE;
    return true;
}

/* RFC 8689 §4.2.1: the message asks for a server that has shown who it is. */
static bool is_exposed(struct transfer *transfer)
{
    const struct connection *connection = transfer->connection;
    if ((transfer->work->envelope.flags & ENVELOPE_REQUIRE_TLS) == 0 ||
        (connection->is_proved && connection->demand.is_vouched))
        return false;
    struct smtp_response response = response_of(550, 7, 10, "REQUIRETLS: the other server does not prove who it is");
    fail_recipients(transfer, &response);
    return true;
}

/* [courier] require_tls, where a relay or a route was taken for the domain, and require_tls_from: nothing is said, and
 * all is put off. */
static bool is_put_off(struct transfer *transfer)
{
    const struct connection *connection = transfer->connection;
    const struct conf *conf = connection->courier->conf;
    bool is_required = !connection->is_proved && demand_is_required_from(conf, transfer->work->envelope.sender);
    const struct smtp_response response =
        response_of(451, 7, 10,
                    is_required ? "Verified TLS is set for that sender, and the other server does not offer it"
                                : "Verified TLS is set for that domain, and the other server does not offer it");
    for (size_t i = 0; i < transfer->count && !connection->is_proved; i++) {
        span_t address = transfer->recipients[i].address;
        span_t domain = span_from(address, span_find_last_byte(address, '@') + 1);
        is_required = is_required || demand_is_required(conf, domain);
    }
    if (!is_required)
        return false;
    for (size_t i = 0; i < transfer->count; i++)
        work_set(transfer->work, transfer->which[i], NOTE_OPEN, &response, span_of_text(connection->host->name));
    transfer->is_deferred = true;
    connection->courier->deferred += transfer->count;
    return true;
}

/* In turns of RECIPIENTS_MAX. Whether the connection goes on, or a fault. */
static int send_all(struct task *task, struct transfer *transfer)
{
    for (collect(transfer); transfer->count > 0; collect(transfer)) {
        enum smtp_client_step step = SMTP_CLIENT_CLOSED;
        if (is_converted(task, transfer) || is_lacking(transfer) || is_exposed(transfer))
            continue;
        if (is_put_off(transfer))
            return 0;
        int result = talk(task, transfer, &step);
        if (result < 0 && !transfer->has_answer && transfer->connection->messages > 0)
            return result; /* it had been closed meanwhile: nothing was tried */
        apply(transfer, result);
        if (result < 0 || step == SMTP_CLIENT_CLOSED) {
            transfer->is_deferred |=
                transfer->from < transfer->work->note.count; /* who had no turn yet has one later */
            return result < 0 ? result : 1;
        }
    }
    return 0;
}

/* The leg's end for now: what is known is noted before anybody goes on with the message. */
static int finish(struct task *task, struct courier *courier, struct leg *leg, struct work *work, bool is_deferred)
{
    struct entry *entry = leg->entry;
    int64_t now = courier_seconds();
    int64_t again = now + message_pause(courier, leg->attempts + 1);
    if (is_deferred && !entry->is_gone) {
        leg->attempts++;
        work->note.attempts = leg->attempts;
        work->note.next = again;
        work->is_changed = true;
    }
    bool has_news = message_has_news(work);
    int result = work_end(task, courier, work);
    leg->is_busy = false;
    if (!entry->is_gone && is_deferred)
        courier_schedule(courier, &leg->due, again);
    if (!entry->is_gone && has_news)
        message_look(courier, entry);
    entry_let_go(courier, entry);
    return result;
}

/* It was taken from the queue, and has to go back there. */
static void put_back(struct courier *courier, struct leg *leg, int64_t seconds)
{
    leg->is_busy = false;
    if (!leg->entry->is_gone)
        courier_schedule(courier, &leg->due, courier_seconds() + seconds);
    entry_let_go(courier, leg->entry);
}

static int transfer_new(struct transfer *transfer)
{
    transfer->recipients = mem_new_array(RECIPIENTS_MAX, sizeof(*transfer->recipients));
    transfer->which = mem_new_array(RECIPIENTS_MAX, sizeof(*transfer->which));
    return transfer->recipients == NULL || transfer->which == NULL ? -ENOMEM : 0;
}

static void transfer_deinit(struct transfer *transfer)
{
    free(transfer->recipients);
    free(transfer->which);
}

bool transfer_leg(struct task *task, struct connection *connection, struct leg *leg)
{
    struct courier *courier = connection->courier;
    __attribute__((cleanup(transfer_deinit))) struct transfer transfer = {.connection = connection, .leg = leg};
    int result = transfer_new(&transfer);
    if (result == 0)
        result = work_begin(task, courier, leg->entry, &transfer.work);
    if (result < 0) {
        log_warn("courier.transfer.unopened", F_FAULT(result));
        put_back(courier, leg, AGAIN_AT_ONCE);
        return result != -ECANCELED;
    }
    result = send_all(task, &transfer);
    bool was_stale = result < 0 && !transfer.has_answer && connection->messages > 0;
    connection->messages++;
    if (was_stale) { /* servers close on those that have said nothing for a while */
        work_drop(courier, transfer.work);
        put_back(courier, leg, 0);
        return false;
    }
    int noted = finish(task, courier, leg, transfer.work, transfer.is_deferred);
    if (noted < 0)
        log_warn("courier.note.failed", F_FAULT(noted));
    return result == 0;
}

void transfer_fail(struct task *task, struct courier *courier, struct leg *leg, const struct smtp_response *response,
                   span_t host)
{
    struct work *work = NULL;
    int result = work_begin(task, courier, leg->entry, &work);
    if (result < 0) {
        put_back(courier, leg, AGAIN_AT_ONCE);
        return;
    }
    uint32_t refused = 0;
    if (response->lines == 0) /* it is of ours, not the server's */
        host = SPAN_NONE;
    for (size_t i = 0; i < work->note.count; i++) {
        if (work->note.recipients[i].status != NOTE_OPEN || !goes_here(courier, leg, work, work->recipients[i].address))
            continue;
        recipient_fail(work, i, response, host);
        courier->failed++;
        refused += envelope_recipient_is_written_to(&work->recipients[i]);
    }
    holds_bounced(courier, work, refused);
    result = finish(task, courier, leg, work, false);
    if (result < 0)
        log_warn("courier.note.failed", F_FAULT(result));
}
