#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "ipc/envelope.h"
#include "proto/smtp/data.h"
#include "proto/smtp/engine.h"
#include "proto/smtp/reply.h"
#include "role/gate/ask.h"
#include "role/gate/body.h"
#include "role/gate/gate.h"
#include "role/gate/outsider.h"

#define REPLY_MAX 16384U     /* beyond this replies go out even while more commands wait */
#define COMMANDS_MAX 100000U /* in one connection */
#define DRAIN_FACTOR 2U      /* a message larger than this many times the maximum is not even read to its end */
#define ROWS_MAX 98304U      /* of recipients: what a deliver message carries */
#define REMOTE_MAX 65536U    /* likewise */
#define FORWARDS_MAX 32768U  /* of one recipient */
#define FORWARDING_MAX 50U   /* recipients of one message whose mail is sent on: each has a copy of its own */

struct smtp {
    struct connection *connection;
    struct outsider outsider;
    struct smtp_engine engine;
    struct login login;
    struct buf reply;
    struct buf rows;     /* of recipients */
    struct buf remote;   /* rows of ipc/envelope.h: recipients elsewhere, and those here whose sender wants a report */
    struct buf forwards; /* likewise: whom mail for the recipient being asked about is sent on to */
    unsigned forwarding; /* recipients of which there were any */
    struct body *body;
    struct smtp_data data;
    uint64_t account;      /* who is logged in */
    enum smtp_answer told; /* the keeper's word on a SCRAM proof, until the client has heard it */
    bool is_closing;
};

/* --- reading and writing ------------------------------------------------------------------------------------- */

static int64_t patience(const struct smtp *smtp)
{
    return connection_patience(smtp->connection, smtp->connection->gate->conf->smtp_idle_timeout);
}

static int flush_reply(struct task *task, struct smtp *smtp)
{
    struct stream *stream = smtp->connection->stream;
    int result = buf_fault(&smtp->reply);
    if (result == 0 && buf_len(&smtp->reply) > 0) {
        result = stream_write(task, stream, buf_span(&smtp->reply), patience(smtp));
        if (result == 0)
            result = stream_flush(task, stream, patience(smtp));
    }
    buf_clear(&smtp->reply);
    return result;
}

/* Replies go out before we wait for the client, all that have gathered in one piece (RFC 2920 §3.2). */
static int fill(struct task *task, struct smtp *smtp, size_t max)
{
    int result = flush_reply(task, smtp);
    if (result < 0)
        return result;
    result = stream_fill(task, smtp->connection->stream, max, patience(smtp));
    return result == STREAM_END ? -ECONNRESET : result;
}

/* The next line, LF included, still in the input: the length of it, or 0 where it is longer than max (and dropped). */
static int next_line(struct task *task, struct smtp *smtp, span_t *ret_line)
{
    size_t max = smtp_engine_line_max(&smtp->engine);
    struct stream *stream = smtp->connection->stream;
    bool is_too_long = false;
    for (;;) {
        span_t input = stream_input(stream);
        size_t newline = span_find_byte(input, '\n');
        if (newline < input.len && newline < max) {
            *ret_line = is_too_long ? SPAN_NONE : span_upto(input, newline + 1);
            if (is_too_long)
                stream_consume(stream, newline + 1);
            return 0;
        }
        if (input.len >= max) {
            is_too_long = true;
            stream_consume(stream, newline < input.len ? newline : input.len);
            continue;
        }
        int result = fill(task, smtp, max > STREAM_CHUNK ? max : STREAM_CHUNK);
        if (result < 0)
            return result;
    }
}

/* --- what the engine asks for -------------------------------------------------------------------------------- */

/* Each sets *ret_step to how to go on; negative: the connection is over. */
typedef int performer(struct task *task, struct smtp *smtp, enum smtp_step *ret_step);

static int perform_sender(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    static const enum smtp_answer answers[] = {
        [ASK_MAY] = SMTP_YES, [ASK_MAY_NOT] = SMTP_NO, [ASK_MAY_UNKNOWN] = SMTP_LATER};
    int may = ask_may_send(task, smtp->connection->gate, smtp->account, smtp_path_address(&smtp->engine.path));
    if (may < 0)
        return may;
    *ret_step = smtp_engine_sender(&smtp->engine, answers[may], &smtp->reply);
    return 0;
}

static enum smtp_answer answer_of_resolve(int outcome)
{
    switch (outcome) {
    case RESOLVE_LOCAL:
        return SMTP_YES;
    case RESOLVE_UNKNOWN:
        return SMTP_NO;
    case RESOLVE_REMOTE:
        return SMTP_ELSEWHERE;
    case RESOLVE_LOCKED:
        return SMTP_LOCKED;
    case RESOLVE_FULL:
        return SMTP_FULL;
    case RESOLVE_CROWDED:
        return SMTP_CROWDED;
    case RESOLVE_WAIT:
        return SMTP_WAIT;
    default:
        return SMTP_LATER;
    }
}

static int add_remote(struct smtp *smtp, uint8_t more)
{
    const struct envelope_recipient recipient = {.notify = (uint8_t)(smtp->engine.notify | more),
                                                 .address = smtp_path_address(&smtp->engine.path),
                                                 .orcpt = buf_span(&smtp->engine.orcpt)};
    return envelope_recipient_write(&recipient, &smtp->remote);
}

/* A recipient here whose sender wants to hear that the message has arrived (RFC 3461 §5.2.2): courier, which writes all
 * reports, is told of it with the message. The queue's row comes with any address that is not ours; .invalid never is
 * (RFC 2606 §2). */
static int report_local(struct task *task, struct smtp *smtp)
{
    const struct ipc_resolve queue = {.address = SPAN("report@queue.invalid")};
    int outcome = ask_resolve(task, smtp->connection->gate, &queue, &smtp->rows, &smtp->forwards);
    if (outcome == RESOLVE_REMOTE)
        return add_remote(smtp, ENVELOPE_LOCAL) == 0 ? RESOLVE_LOCAL : RESOLVE_CROWDED;
    return outcome < 0 ? outcome : RESOLVE_UNAVAILABLE;
}

/* One report of success is what was asked for: of the copy that stays, else of the first one that is sent on
 * (RFC 3461 §5.2.7). */
static uint8_t notify_of(const struct smtp *smtp, const struct envelope_recipient *forward, bool is_first)
{
    uint8_t notify = (uint8_t)smtp->engine.notify;
    if (notify == 0 || (is_first && (forward->notify & ENVELOPE_KEPT) == 0))
        return notify;
    notify &= (uint8_t) ~(unsigned)SMTP_NOTIFY_SUCCESS;
    return notify == 0 ? (uint8_t)SMTP_NOTIFY_NEVER : notify;
}

static int add_forwards(struct smtp *smtp)
{
    span_t rest = buf_span(&smtp->forwards);
    bool is_first = true;
    int result = smtp->forwarding++ < FORWARDING_MAX ? 0 : -ENOBUFS;
    for (struct envelope_recipient row; result == 0 && envelope_recipient_next(&rest, &row); is_first = false) {
        row.notify |= notify_of(smtp, &row, is_first);
        if (buf_len(&smtp->engine.orcpt) > 0)
            row.orcpt = buf_span(&smtp->engine.orcpt);
        result = envelope_recipient_write(&row, &smtp->remote);
    }
    return result == 0 ? RESOLVE_LOCAL : RESOLVE_CROWDED;
}

static int add_local(struct task *task, struct smtp *smtp)
{
    struct envelope_recipient first = {.notify = ENVELOPE_KEPT};
    span_t rows = buf_span(&smtp->forwards);
    bool is_forwarded = envelope_recipient_next(&rows, &first);
    int outcome = RESOLVE_LOCAL;
    if ((smtp->engine.notify & SMTP_NOTIFY_SUCCESS) != 0 && (first.notify & ENVELOPE_KEPT) != 0)
        outcome = report_local(task, smtp);
    return outcome == RESOLVE_LOCAL && is_forwarded ? add_forwards(smtp) : outcome;
}

static int perform_recipient(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    if (smtp->engine.recipients == 0) {
        buf_clear(&smtp->rows);
        buf_clear(&smtp->remote);
        smtp->forwarding = 0;
    }
    const struct ipc_resolve asked = {
        .address = smtp_path_address(&smtp->engine.path),
        .client = smtp->outsider.is_outside ? span_of_text(smtp->connection->address) : SPAN_NONE,
        .sender = buf_span(&smtp->engine.sender),
        .is_first = smtp->engine.recipients == 0,
        .is_report = buf_len(&smtp->engine.sender) == 0,
    };
    const size_t rows = buf_len(&smtp->rows);
    const size_t remote = buf_len(&smtp->remote);
    const bool is_submission = smtp->engine.settings.kind == SMTP_SUBMISSION;
    buf_clear(&smtp->forwards);
    int outcome = ask_resolve(task, smtp->connection->gate, &asked, &smtp->rows, &smtp->forwards);
    outsider_asked(&smtp->outsider, outcome == RESOLVE_WAIT);
    if (outcome == RESOLVE_REMOTE && is_submission)
        outcome = add_remote(smtp, 0) == 0 ? RESOLVE_REMOTE : RESOLVE_CROWDED;
    else if (outcome == RESOLVE_LOCAL)
        outcome = add_local(task, smtp);
    if (outcome < 0)
        return outcome;
    if (outcome != RESOLVE_LOCAL && !(outcome == RESOLVE_REMOTE && is_submission)) { /* nothing of it stays */
        buf_truncate(&smtp->rows, rows);
        buf_truncate(&smtp->remote, remote);
    }
    *ret_step = smtp_engine_recipient(&smtp->engine, answer_of_resolve(outcome), &smtp->reply);
    return 0;
}

static enum smtp_answer answer_of_login(int outcome)
{
    static const enum smtp_answer answers[] = {[LOGIN_OK] = SMTP_YES,
                                               [LOGIN_DENIED] = SMTP_NO,
                                               [LOGIN_LOCKED] = SMTP_LOCKED,
                                               [LOGIN_SCOPE] = SMTP_SCOPE,
                                               [LOGIN_UNAVAILABLE] = SMTP_LATER};
    return answers[outcome];
}

static void end_login(struct smtp *smtp, enum smtp_answer answer, enum smtp_step *ret_step)
{
    if (answer == SMTP_YES)
        smtp->account = smtp->login.account;
    log_info("smtp.login", F_U64("service", smtp->connection->service), F_U64("answer", answer),
             F_HASH("client", span_of_text(smtp->connection->address)));
    *ret_step = smtp_engine_login(&smtp->engine, answer, &smtp->reply);
}

static int perform_login(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    struct sasl_exchange *sasl = &smtp->engine.sasl;
    int outcome = ask_login(task, &smtp->login, buf_span(&sasl->user), buf_span(&sasl->password));
    if (outcome < 0)
        return outcome;
    end_login(smtp, answer_of_login(outcome), ret_step);
    return 0;
}

static int perform_scram_start(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    int outcome = ask_scram_start(task, &smtp->login, &smtp->engine.sasl);
    if (outcome < 0)
        return outcome;
    if (outcome == LOGIN_OK)
        *ret_step = smtp_engine_scram(&smtp->engine, buf_span(&smtp->login.answer), &smtp->reply);
    else
        end_login(smtp, answer_of_login(outcome), ret_step);
    return 0;
}

static int perform_scram_finish(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    int outcome = ask_scram_finish(task, &smtp->login, &smtp->engine.sasl);
    if (outcome < 0)
        return outcome;
    smtp->told = answer_of_login(outcome);
    if (outcome == LOGIN_OK)
        *ret_step = smtp_engine_scram(&smtp->engine, buf_span(&smtp->login.answer), &smtp->reply);
    else
        end_login(smtp, smtp->told, ret_step);
    return 0;
}

static int perform_login_end(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    (void)task;
    end_login(smtp, smtp->told, ret_step);
    return 0;
}

static int perform_tls(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    int result = flush_reply(task, smtp);
    if (result == 0)
        result = connection_start_tls(task, smtp->connection);
    if (result < 0)
        return result;
    smtp_engine_tls(&smtp->engine, connection_can_bind(smtp->connection));
    *ret_step = SMTP_GO_ON;
    return 0;
}

/* --- the message ----------------------------------------------------------------------------------------------- */

static uint32_t flags_of(const struct smtp_engine *engine)
{
    const struct {
        bool is_set;
        enum deliver_flag flag;
    } rows[] = {
        {engine->tls, DELIVER_TLS},
        {engine->settings.kind == SMTP_SUBMISSION, DELIVER_SUBMISSION},
        {engine->utf8, DELIVER_UTF8},
        {engine->body == SMTP_BODY_BINARY, DELIVER_BINARY},
        {engine->body == SMTP_BODY_8BIT, DELIVER_8BIT},
        {engine->ret == SMTP_RETURN_FULL, DELIVER_RETURN_FULL},
        {engine->ret == SMTP_RETURN_HEADERS, DELIVER_RETURN_HEADERS},
        {engine->require_tls, DELIVER_REQUIRE_TLS},
        {engine->out_of_turn, DELIVER_OUT_OF_TURN},
        {engine->helo_fault != SMTP_HELO_FINE, DELIVER_BAD_HELO},
    };
    uint32_t flags = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        flags |= rows[i].is_set ? (uint32_t)rows[i].flag : 0U;
    return flags;
}

static int open_body(struct smtp *smtp)
{
    const struct smtp_engine *engine = &smtp->engine;
    const char *cipher = stream_tls_cipher(smtp->connection->stream);
    struct body_envelope envelope = {
        .flags = flags_of(engine),
        .account = smtp->account,
        .user = smtp->account != 0 ? buf_span(&smtp->login.address) : SPAN_NONE,
        .client = span_of_text(smtp->connection->address),
        .helo = buf_span(&engine->helo),
        .cipher = cipher != NULL ? span_of_text(cipher) : SPAN_NONE,
        .sender = buf_span(&engine->sender),
        .for_address = engine->recipients == 1 ? buf_span(&engine->recipient) : SPAN_NONE,
        .recipients = buf_span(&smtp->rows),
        .remote = buf_span(&smtp->remote),
        .envid = buf_span(&engine->envid),
        .hold_until = engine->hold_until,
    };
    smtp_data_init(&smtp->data);
    return body_new(smtp->connection->gate, &envelope, &smtp->body);
}

static void close_body(struct task *task, struct smtp *smtp)
{
    body_free(task, smtp->body);
    smtp->body = NULL;
}

/* All of the content is in: what is to be said of it? */
static int end_body(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    enum smtp_body_end end = SMTP_BODY_LATER;
    span_t text = SPAN_NONE;
    int result = 0;
    bool is_binary = smtp->engine.body == SMTP_BODY_BINARY;
    if (smtp->data.size > smtp->engine.settings.message_max)
        end = SMTP_BODY_TOO_LARGE;
    else if (smtp->data.bare_newline && !is_binary)
        end = SMTP_BODY_BARE_NEWLINE;
    else if (smtp->data.longest > smtp->connection->gate->conf->smtp_line_max)
        end = SMTP_BODY_LONG_LINE;
    else
        result = body_end(task, smtp->body, &end, &text);
    if (result == 0) {
        if (end == SMTP_BODY_ACCEPTED && smtp->body != NULL && !body_is_junk(smtp->body))
            outsider_vouch(&smtp->outsider);
        if (end != SMTP_BODY_ACCEPTED)
            log_info("smtp.message.refused", F_U64("end", end), F_U64("size", smtp->data.size));
        *ret_step = smtp_engine_body(&smtp->engine, end, text, &smtp->reply);
    }
    close_body(task, smtp);
    return result;
}

/* What is over the limit is dropped as it comes, and refused at its end (RFC 1870 §6.3). */
static int push_body(struct task *task, struct smtp *smtp)
{
    uint64_t max = smtp->engine.settings.message_max;
    if (smtp->data.size <= max)
        return body_push(task, smtp->body);
    buf_clear(body_room(smtp->body));
    return smtp->data.size / DRAIN_FACTOR > max ? -EMSGSIZE : 0;
}

static int read_content(struct task *task, struct smtp *smtp)
{
    struct stream *stream = smtp->connection->stream;
    for (;;) {
        size_t used = 0;
        int step = smtp_data_feed(&smtp->data, stream_input(stream), body_room(smtp->body), &used);
        if (step < 0)
            return step;
        stream_consume(stream, used);
        int result = push_body(task, smtp);
        if (result < 0 || step == SMTP_DATA_END)
            return result;
        result = fill(task, smtp, STREAM_BULK);
        if (result < 0)
            return result;
    }
}

static int perform_body(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    int result = open_body(smtp);
    if (result == 0)
        result = read_content(task, smtp);
    if (result < 0) {
        close_body(task, smtp);
        return result;
    }
    return end_body(task, smtp, ret_step);
}

static int perform_skip(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    struct stream *stream = smtp->connection->stream;
    for (uint64_t left = smtp->engine.chunk; left > 0;) {
        span_t input = stream_input(stream);
        size_t some = left < input.len ? (size_t)left : input.len;
        stream_consume(stream, some);
        left -= some;
        int result = left == 0 ? 0 : fill(task, smtp, STREAM_CHUNK);
        if (result < 0)
            return result;
    }
    *ret_step = SMTP_GO_ON;
    return 0;
}

static int read_chunk(struct task *task, struct smtp *smtp)
{
    struct stream *stream = smtp->connection->stream;
    for (uint64_t left = smtp->engine.chunk; left > 0;) {
        span_t some = span_upto(stream_input(stream), left < STREAM_BULK ? (size_t)left : STREAM_BULK);
        smtp_data_look(&smtp->data, some);
        int result = buf_append(body_room(smtp->body), some);
        if (result == 0)
            result = body_push(task, smtp->body);
        if (result < 0)
            return result;
        stream_consume(stream, some.len);
        left -= some.len;
        result = left == 0 ? 0 : fill(task, smtp, STREAM_BULK);
        if (result < 0)
            return result;
    }
    return 0;
}

/* RFC 3030 §2: each chunk is answered, the last one for the message. */
static int perform_chunk(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    int result = smtp->body == NULL ? open_body(smtp) : 0;
    if (result == 0)
        result = read_chunk(task, smtp);
    if (result < 0)
        return result;
    if (smtp->engine.chunk_last)
        return end_body(task, smtp, ret_step);
    *ret_step = smtp_engine_body(&smtp->engine, SMTP_BODY_CHUNK, SPAN_NONE, &smtp->reply);
    return 0;
}

static int perform_close(struct task *task, struct smtp *smtp, enum smtp_step *ret_step)
{
    smtp->is_closing = true;
    *ret_step = SMTP_GO_ON;
    return flush_reply(task, smtp);
}

static performer *const performers[] = {
    [SMTP_NEED_SENDER] = perform_sender,
    [SMTP_NEED_RECIPIENT] = perform_recipient,
    [SMTP_NEED_LOGIN] = perform_login,
    [SMTP_NEED_SCRAM_START] = perform_scram_start,
    [SMTP_NEED_SCRAM_FINISH] = perform_scram_finish,
    [SMTP_NEED_LOGIN_END] = perform_login_end,
    [SMTP_NEED_TLS] = perform_tls,
    [SMTP_NEED_BODY] = perform_body,
    [SMTP_NEED_CHUNK] = perform_chunk,
    [SMTP_NEED_SKIP] = perform_skip,
    [SMTP_NEED_CLOSE] = perform_close,
};

/* --- the conversation ------------------------------------------------------------------------------------------ */

/* One line and all that follows from it. */
static int serve_line(struct task *task, struct smtp *smtp)
{
    span_t line;
    int result = next_line(task, smtp, &line);
    if (result < 0)
        return result;
    enum smtp_step step;
    if (line.at == NULL) {
        step = smtp_engine_long_line(&smtp->engine, &smtp->reply);
    } else {
        smtp->engine.now = (int64_t)time(NULL);
        smtp->engine.more_input = stream_input(smtp->connection->stream).len > line.len;
        step = smtp_engine_line(&smtp->engine, line, &smtp->reply);
        stream_consume(smtp->connection->stream, line.len);
    }
    if (smtp->body != NULL && smtp->engine.state != SMTP_STATE_CHUNKS) /* RSET amid chunks */
        close_body(task, smtp);
    while (result == 0 && step != SMTP_GO_ON)
        result = performers[step](task, smtp, &step);
    if (result == 0 && buf_len(&smtp->reply) > REPLY_MAX / 2)
        result = flush_reply(task, smtp);
    return result;
}

/* RFC 5321 §3.1; a client that begins with a TLS handshake learns where it is. */
static int greet(struct task *task, struct smtp *smtp)
{
    int result = outsider_enter(task, &smtp->outsider);
    if (result == OUTSIDER_WAIT) {
        smtp_reply(&smtp->reply, 421, "4.7.0", "Too many connections from your network, please try again later");
        smtp->is_closing = true;
    }
    if (result == OUTSIDER_EARLY && !looks_like_tls(stream_input(smtp->connection->stream)))
        smtp->is_closing = smtp_engine_early(&smtp->engine, &smtp->reply) == SMTP_NEED_CLOSE;
    if (result < 0 || smtp->is_closing)
        return result < 0 ? result : flush_reply(task, smtp);
    smtp_engine_greet(&smtp->engine, &smtp->reply);
    result = result == OUTSIDER_EARLY ? flush_reply(task, smtp) : fill(task, smtp, STREAM_CHUNK);
    if (result < 0 || !looks_like_tls(stream_input(smtp->connection->stream)))
        return result;
    log_info("smtp.tls.unexpected", F_U64("service", smtp->connection->service));
    smtp_reply(&smtp->reply, 554, "5.5.1", "This port starts in clear: use STARTTLS, or port 465 to send with TLS");
    result = flush_reply(task, smtp);
    smtp->is_closing = true;
    return result;
}

/* The last word where we end the connection (RFC 5321 §3.8, §4.5.3.2.7). One try; nobody is waited for. */
static void say_farewell(struct task *task, struct smtp *smtp, int result)
{
    struct stream *stream = smtp->connection->stream;
    const char *text = result == -ETIMEDOUT  ? "421 4.4.2 Nothing heard for too long, closing the connection\r\n"
                       : result == -EMSGSIZE ? "552 5.3.4 That message is far too large, closing the connection\r\n"
                       : result == -ENOMEM   ? "421 4.3.0 Out of memory, please come back\r\n"
                                             : NULL;
    if (text == NULL)
        return;
    if (stream_write_text(task, stream, text, GATE_SAY_MS) == 0)
        (void)!stream_flush(task, stream, GATE_SAY_MS);
}

static void smtp_free(struct smtp *smtp)
{
    if (smtp == NULL)
        return;
    smtp_engine_deinit(&smtp->engine);
    login_deinit(&smtp->login);
    buf_deinit(&smtp->reply);
    buf_deinit(&smtp->rows);
    buf_deinit(&smtp->remote);
    buf_deinit(&smtp->forwards);
    free(smtp);
}
SCOPE_OF(smtp)

static struct smtp *smtp_new(struct connection *connection)
{
    const struct conf *conf = connection->gate->conf;
    struct smtp *smtp = mem_new(sizeof(*smtp));
    if (smtp == NULL)
        return NULL;
    struct smtp_settings settings = {
        .kind = connection->service == SERVICE_SMTP ? SMTP_RECEIVING : SMTP_SUBMISSION,
        .hostname = span_of_text(conf->server_hostname),
        .message_max = conf->smtp_message_max,
        .recipients_max = conf->smtp_recipients_max,
        .commands_max = COMMANDS_MAX,
        .errors_max = conf->smtp_errors_max,
        .hold_max = conf->courier_hold_max,
        .can_tls = connection->gate->tls != NULL,
        .scram = gate_scram(connection->gate),
    };
    smtp->connection = connection;
    outsider_init(&smtp->outsider, connection);
    outsider_settle(&smtp->outsider, &settings);
    smtp_engine_init(&smtp->engine, &settings);
    login_init(&smtp->login, connection, SPAN_NONE);
    buf_init(&smtp->reply, REPLY_MAX);
    buf_init(&smtp->rows, ROWS_MAX);
    buf_init(&smtp->remote, REMOTE_MAX);
    buf_init(&smtp->forwards, FORWARDS_MAX);
    if (stream_is_tls(connection->stream))
        smtp_engine_tls(&smtp->engine, connection_can_bind(connection));
    return smtp;
}

void smtp_serve(struct task *task, struct connection *connection)
{
    AUTO(smtp) struct smtp *smtp = smtp_new(connection);
    if (smtp == NULL)
        return;
    int result = greet(task, smtp);
    while (result == 0 && !smtp->is_closing)
        result = serve_line(task, smtp);
    close_body(task, smtp);
    outsider_count(&smtp->outsider, &smtp->engine);
    if (result < 0)
        say_farewell(task, smtp, result);
    else
        (void)!stream_shutdown(task, connection->stream, GATE_SAY_MS);
    log_debug("smtp.ended", F_U64("commands", smtp->engine.commands), F_INT("result", result));
}
