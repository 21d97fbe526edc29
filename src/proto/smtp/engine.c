#include "proto/smtp/engine.h"

#include <time.h>

#include "proto/smtp/reply.h"

/*
 * What is allowed when. A rule's handler runs only in the states it names; in any other the client gets 503
 * (RFC 5321 §4.1.4). Handlers for what needs TLS, a login or a sender of its own look at that themselves.
 */
typedef enum smtp_step handler(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply);

static handler on_ehlo, on_helo, on_mail, on_rcpt, on_data, on_bdat, on_rset, on_noop, on_quit, on_vrfy, on_expn,
    on_help, on_starttls, on_auth;

#define ANY (SMTP_STATE_NEW | SMTP_STATE_READY | SMTP_STATE_SENDER | SMTP_STATE_RCPT | SMTP_STATE_CHUNKS)
#define GREETED (ANY & ~SMTP_STATE_NEW)

static const struct rule {
    unsigned states;
    handler *run;
    const char *otherwise; /* said with 503 5.5.1 */
} rules[SMTP_VERB_COUNT] = {
    [SMTP_EHLO] = {ANY, on_ehlo, ""},                                                       /* RFC 5321 §4.1.4 */
    [SMTP_HELO] = {ANY, on_helo, ""},                                                       /* RFC 5321 §4.1.4 */
    [SMTP_MAIL] = {SMTP_STATE_READY, on_mail, "Say EHLO, then MAIL once for each message"}, /* RFC 5321 §3.3 */
    [SMTP_RCPT] = {SMTP_STATE_SENDER | SMTP_STATE_RCPT, on_rcpt, "MAIL FROM comes first"},  /* RFC 5321 §3.3 */
    [SMTP_DATA] = {SMTP_STATE_RCPT, on_data, "No recipients to send to yet"}, /* RFC 5321 §3.3, RFC 3030 §2 */
    [SMTP_BDAT] = {ANY, on_bdat, ""},                           /* RFC 3030 §2: its bytes follow in any case */
    [SMTP_RSET] = {ANY, on_rset, ""},                           /* RFC 5321 §4.1.1.5 */
    [SMTP_NOOP] = {ANY, on_noop, ""},                           /* RFC 5321 §4.1.1.9 */
    [SMTP_QUIT] = {ANY, on_quit, ""},                           /* RFC 5321 §4.1.1.10 */
    [SMTP_VRFY] = {ANY, on_vrfy, ""},                           /* RFC 5321 §4.1.1.6 */
    [SMTP_EXPN] = {ANY, on_expn, ""},                           /* RFC 5321 §4.1.1.7 */
    [SMTP_HELP] = {ANY, on_help, ""},                           /* RFC 5321 §4.1.1.8 */
    [SMTP_STARTTLS] = {GREETED, on_starttls, "Say EHLO first"}, /* RFC 3207 §4 */
    [SMTP_AUTH] = {SMTP_STATE_READY, on_auth, "AUTH comes after EHLO and before MAIL"}, /* RFC 4954 §4 */
};

#define NAME_MAX_LEN 1024U /* of helo, sender and recipient, as messages to other rooms carry them */

void smtp_engine_init(struct smtp_engine *engine, const struct smtp_settings *settings)
{
    *engine = (struct smtp_engine){.settings = *settings, .state = SMTP_STATE_NEW};
    buf_init(&engine->helo, NAME_MAX_LEN);
    buf_init(&engine->sender, NAME_MAX_LEN);
    buf_init(&engine->recipient, NAME_MAX_LEN);
    buf_init(&engine->envid, SMTP_ENVID_MAX);
    buf_init(&engine->orcpt, SMTP_ORCPT_MAX);
    sasl_exchange_init(&engine->sasl);
}

void smtp_engine_deinit(struct smtp_engine *engine)
{
    buf_deinit(&engine->helo);
    buf_deinit(&engine->sender);
    buf_deinit(&engine->recipient);
    buf_deinit(&engine->envid);
    buf_deinit(&engine->orcpt);
    sasl_exchange_deinit(&engine->sasl);
}

/* The one place where the state changes. */
static void enter(struct smtp_engine *engine, enum smtp_state state)
{
    engine->state = state;
    if (state != SMTP_STATE_READY && state != SMTP_STATE_NEW)
        return;
    buf_clear(&engine->sender);
    buf_clear(&engine->recipient);
    engine->recipients = 0;
    engine->size = 0;
    engine->chunks_failed = false;
    engine->utf8 = false;
    engine->require_tls = false;
    engine->ret = SMTP_RETURN_ANY;
    engine->hold_until = 0;
    buf_clear(&engine->envid);
    engine->body = SMTP_BODY_7BIT;
}

/* RFC 5321 §4.1.4: RSET and a second EHLO drop the transaction; before the first EHLO there is none. */
static void drop_transaction(struct smtp_engine *engine)
{
    enter(engine, engine->state == SMTP_STATE_NEW ? SMTP_STATE_NEW : SMTP_STATE_READY);
}

static enum smtp_step answer(struct buf *reply, unsigned code, const char *status, const char *text)
{
    smtp_reply(reply, code, status, text);
    return SMTP_GO_ON;
}

/* A refusal that counts: who collects too many of them is sent away (RFC 5321 §7.8). */
static enum smtp_step refuse(struct smtp_engine *engine, struct buf *reply, unsigned code, const char *status,
                             const char *text)
{
    smtp_reply(reply, code, status, text);
    engine->errors++;
    if (engine->errors < engine->settings.errors_max)
        return SMTP_GO_ON;
    smtp_reply(reply, 421, "4.7.0", "Too many errors, closing the connection");
    return SMTP_NEED_CLOSE;
}

void smtp_engine_greet(const struct smtp_engine *engine, struct buf *reply)
{
    buf_append(reply, SPAN("220 "));
    buf_append(reply, engine->settings.hostname);
    buf_append(reply, SPAN(" ESMTP Waxwing\r\n"));
}

/* Nothing that follows can be trusted to be an answer to what we say. */
static enum smtp_step close_over_turn(struct smtp_engine *engine, struct buf *reply, const char *text)
{
    engine->out_of_turn = true;
    if (engine->settings.turn != SMTP_STRICT)
        return SMTP_GO_ON;
    smtp_reply(reply, 554, "5.5.0", text);
    return SMTP_NEED_CLOSE;
}

enum smtp_step smtp_engine_early(struct smtp_engine *engine, struct buf *reply)
{
    return close_over_turn(engine, reply, "A client waits for the greeting before it speaks; closing the connection");
}

/* RFC 2920 §3.1: these end a group of commands, since what follows depends on the answer; and without EHLO there are
 * no groups. */
static bool is_out_of_turn(const struct smtp_engine *engine, enum smtp_verb verb)
{
    const bool ends_group = verb == SMTP_EHLO || verb == SMTP_HELO || verb == SMTP_DATA;
    const bool is_grouped = verb == SMTP_MAIL || verb == SMTP_RCPT;
    return engine->settings.turn != SMTP_LENIENT && engine->more_input &&
           (ends_group || (is_grouped && !engine->extended));
}

/* False: it is refused. */
static bool may_be_called(struct smtp_engine *engine, span_t name)
{
    const struct smtp_helo_facts facts = {.hostname = engine->settings.hostname,
                                          .address = engine->settings.address,
                                          .is_from_here = engine->settings.is_helo_from_here};
    engine->helo_fault = engine->settings.helo == SMTP_LENIENT ? SMTP_HELO_FINE : smtp_helo_judge(name, &facts);
    return engine->helo_fault == SMTP_HELO_FINE || engine->settings.helo != SMTP_STRICT;
}

static enum smtp_step refuse_name(struct smtp_engine *engine, struct buf *reply)
{
    const bool is_syntax = engine->helo_fault == SMTP_HELO_MALFORMED || engine->helo_fault == SMTP_HELO_BARE_ADDRESS;
    return refuse(engine, reply, is_syntax ? 501 : 550, is_syntax ? "5.5.2" : "5.7.1",
                  smtp_helo_words(engine->helo_fault));
}

static void greet_name(struct smtp_engine *engine, const struct smtp_command *command)
{
    buf_clear(&engine->helo);
    buf_append(&engine->helo, command->argument); /* fits: the grammar's limit is below the buffer's */
    enter(engine, SMTP_STATE_READY);
}

static bool can_authenticate(const struct smtp_engine *engine)
{
    return engine->settings.kind == SMTP_SUBMISSION && engine->tls;
}

static void greet_mechanisms(const struct smtp_engine *engine, struct buf *reply) /* RFC 4954 §3 */
{
    bool is_announced = engine->settings.scram == SASL_SCRAM_ANNOUNCED;
    buf_append_format(reply, "250-AUTH PLAIN LOGIN%s%s\r\n", is_announced ? " SCRAM-SHA-256" : "",
                      is_announced && engine->settings.can_bind ? " SCRAM-SHA-256-PLUS" : "");
}

/* RFC 4865 §3: the longest time, and the latest moment, which is no more than that from now. */
static void greet_hold(const struct smtp_engine *engine, struct buf *reply)
{
    struct tm latest;
    time_t at = (time_t)(engine->now + (int64_t)engine->settings.hold_max);
    (void)gmtime_r(&at, &latest);
    buf_append_format(reply, "250-FUTURERELEASE %llu %04d-%02d-%02dT%02d:%02d:%02dZ\r\n",
                      (unsigned long long)engine->settings.hold_max, latest.tm_year + 1900, latest.tm_mon + 1,
                      latest.tm_mday, latest.tm_hour, latest.tm_min, latest.tm_sec);
}

static enum smtp_step on_ehlo(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    if (!may_be_called(engine, command->argument))
        return refuse_name(engine, reply);
    greet_name(engine, command);
    engine->extended = true;
    smtp_reply_line(reply, 250, SMTP_REPLY_MORE, engine->settings.hostname);
    smtp_reply_line(reply, 250, SMTP_REPLY_MORE, SPAN("PIPELINING"));                                /* RFC 2920 */
    buf_append_format(reply, "250-SIZE %llu\r\n", (unsigned long long)engine->settings.message_max); /* RFC 1870 */
    smtp_reply_line(reply, 250, SMTP_REPLY_MORE, SPAN("8BITMIME"));                                  /* RFC 6152 */
    smtp_reply_line(reply, 250, SMTP_REPLY_MORE, SPAN("SMTPUTF8"));                                  /* RFC 6531 */
    smtp_reply_line(reply, 250, SMTP_REPLY_MORE, SPAN("CHUNKING"));                                  /* RFC 3030 */
    smtp_reply_line(reply, 250, SMTP_REPLY_MORE, SPAN("BINARYMIME"));                                /* RFC 3030 */
    if (!engine->tls && engine->settings.can_tls)
        smtp_reply_line(reply, 250, SMTP_REPLY_MORE, SPAN("STARTTLS")); /* RFC 3207 */
    if (engine->tls)
        smtp_reply_line(reply, 250, SMTP_REPLY_MORE, SPAN("REQUIRETLS")); /* RFC 8689 §2 */
    if (engine->settings.kind == SMTP_SUBMISSION)
        smtp_reply_line(reply, 250, SMTP_REPLY_MORE, SPAN("DSN")); /* RFC 3461 */
    if (engine->settings.kind == SMTP_SUBMISSION && engine->settings.hold_max > 0)
        greet_hold(engine, reply);
    if (can_authenticate(engine))
        greet_mechanisms(engine, reply);
    smtp_reply_line(reply, 250, SMTP_REPLY_LAST, SPAN("ENHANCEDSTATUSCODES")); /* RFC 2034 */
    return SMTP_GO_ON;
}

static enum smtp_step on_helo(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    if (!may_be_called(engine, command->argument))
        return refuse_name(engine, reply);
    greet_name(engine, command);
    engine->extended = false;
    smtp_reply_line(reply, 250, SMTP_REPLY_LAST, engine->settings.hostname);
    return SMTP_GO_ON;
}

/* Parameters that were not announced here are not known here (RFC 5321 §4.1.1.11). */
static bool mail_is_announced(const struct smtp_engine *engine, const struct smtp_command *command)
{
    bool is_submission = engine->settings.kind == SMTP_SUBMISSION;
    bool is_held = command->hold_for != 0 || command->hold_until != 0;
    bool has_dsn = command->ret != SMTP_RETURN_ANY || command->envid.len > 0;
    return (!command->require_tls || engine->tls) && (!has_dsn || is_submission) &&
           (!is_held || (is_submission && engine->settings.hold_max > 0));
}

/* When the message is to go out, in seconds since 1970; 0: at once. Negative: beyond what is allowed (RFC 4865 §4). */
static int64_t hold_of(const struct smtp_engine *engine, const struct smtp_command *command)
{
    int64_t until = command->hold_for != 0 ? engine->now + (int64_t)command->hold_for : command->hold_until;
    return until > engine->now + (int64_t)engine->settings.hold_max ? -1 : until;
}

static void note_mail(struct smtp_engine *engine, const struct smtp_command *command)
{
    engine->path = command->path;
    engine->utf8 = command->utf8;
    engine->body = command->body;
    engine->require_tls = command->require_tls;
    engine->ret = command->ret;
    buf_clear(&engine->envid);
    buf_append(&engine->envid, command->envid);
    engine->hold_until = hold_of(engine, command);
}

static enum smtp_step on_mail(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    bool is_submission = engine->settings.kind == SMTP_SUBMISSION;
    if (is_submission && !engine->authenticated) /* RFC 6409 §4.3 */
        return refuse(engine, reply, 530, "5.7.0",
                      engine->tls ? "Log in first, with AUTH" : "Start TLS first, then log in");
    if (command->has_size && command->size > engine->settings.message_max) /* RFC 1870 §6.1 */
        return refuse(engine, reply, 552, "5.3.4", "That message is larger than this server takes");
    if (command->path.is_utf8 && !command->utf8) /* RFC 6531 §3.5 */
        return refuse(engine, reply, 553, "5.6.7", "An address like that needs SMTPUTF8");
    if (!command->path.is_null && smtp_path_domain(&command->path).len == 0)
        return refuse(engine, reply, 501, "5.1.7", "The sender's address lacks a domain");
    if (!mail_is_announced(engine, command))
        return refuse(engine, reply, 555, "5.5.4", "There is no such parameter");
    if (hold_of(engine, command) < 0)
        return refuse(engine, reply, 501, "5.5.4", "That is further ahead than this server holds a message");
    note_mail(engine, command);
    if (is_submission)
        return command->path.is_null ? smtp_engine_sender(engine, SMTP_NO, reply) : SMTP_NEED_SENDER;
    return smtp_engine_sender(engine, SMTP_YES, reply);
}

enum smtp_step smtp_engine_sender(struct smtp_engine *engine, enum smtp_answer verdict, struct buf *reply)
{
    if (verdict == SMTP_LATER)
        return answer(reply, 451, "4.3.0", "Cannot look that up just now, please try again");
    if (verdict != SMTP_YES) /* RFC 6409 §6.1 */
        return refuse(engine, reply, 550, "5.7.1", "That is not an address of yours: you cannot send as it");
    buf_clear(&engine->sender);
    buf_append(&engine->sender, smtp_path_address(&engine->path));
    enter(engine, SMTP_STATE_SENDER);
    return answer(reply, 250, "2.1.0", "Sender noted");
}

static enum smtp_step on_rcpt(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    if (engine->recipients >= engine->settings.recipients_max) /* RFC 5321 §4.5.3.1.10 */
        return refuse(engine, reply, 452, "4.5.3", "Too many recipients for one message");
    if (command->path.is_utf8 && !engine->utf8) /* RFC 6531 §3.5 */
        return refuse(engine, reply, 553, "5.6.7", "An address like that needs SMTPUTF8");
    bool has_dsn = command->notify != 0 || command->orcpt.len > 0;
    if (has_dsn && engine->settings.kind != SMTP_SUBMISSION)
        return refuse(engine, reply, 555, "5.5.4", "There is no such parameter");
    engine->path = command->path;
    engine->notify = command->notify;
    buf_clear(&engine->orcpt);
    buf_append(&engine->orcpt, command->orcpt);
    return SMTP_NEED_RECIPIENT;
}

enum smtp_step smtp_engine_recipient(struct smtp_engine *engine, enum smtp_answer verdict, struct buf *reply)
{
    if (verdict == SMTP_ELSEWHERE && engine->settings.kind == SMTP_SUBMISSION)
        verdict = SMTP_YES; /* for those who have logged in, mail goes anywhere (RFC 6409 §3.1) */
    switch (verdict) {
    case SMTP_YES:
        break;
    case SMTP_NO:
        return refuse(engine, reply, 550, "5.1.1", "There is no mailbox of that name here");
    case SMTP_ELSEWHERE:
        return refuse(engine, reply, 550, "5.7.1", "That domain is not ours, and relaying is not available");
    case SMTP_LOCKED:
    case SMTP_SCOPE:
        return refuse(engine, reply, 550, "5.2.1", "That mailbox is switched off");
    case SMTP_CROWDED:
        return refuse(engine, reply, 452, "4.5.3", "Too many recipients for one message");
    case SMTP_WAIT: /* RFC 3463 §3.8 */
        return answer(reply, 450, "4.7.1", "Too much has come from your network, please try again later");
    case SMTP_FULL: /* RFC 3463 §3.3 */
        return answer(reply, 452, "4.2.2", "That mailbox is full");
    case SMTP_LATER:
        return answer(reply, 451, "4.3.0", "Cannot look that up just now, please try again");
    }
    if (engine->recipients++ == 0)
        buf_append(&engine->recipient, smtp_path_address(&engine->path));
    enter(engine, SMTP_STATE_RCPT);
    return answer(reply, 250, "2.1.5", "Recipient noted");
}

static enum smtp_step on_data(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    (void)command;
    if (engine->body == SMTP_BODY_BINARY) /* RFC 3030 §3 */
        return refuse(engine, reply, 503, "5.5.1", "A binary message comes with BDAT");
    smtp_reply(reply, 354, NULL, "Go ahead, and end with a dot on a line of its own");
    return SMTP_NEED_BODY;
}

/* RFC 3030 §2: whatever the answer, the chunk's bytes are on their way and have to be read. */
static enum smtp_step skip_chunk(struct smtp_engine *engine, struct buf *reply, unsigned code, const char *status,
                                 const char *text)
{
    engine->chunks_failed = true;
    enum smtp_step step = refuse(engine, reply, code, status, text);
    if (engine->chunk_last && engine->state != SMTP_STATE_NEW)
        enter(engine, SMTP_STATE_READY);
    return step == SMTP_GO_ON ? SMTP_NEED_SKIP : step;
}

static enum smtp_step on_bdat(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    engine->chunk = command->size;
    engine->chunk_last = command->last;
    if (engine->state != SMTP_STATE_RCPT && engine->state != SMTP_STATE_CHUNKS)
        return skip_chunk(engine, reply, 503, "5.5.1", "No recipients to send to yet");
    if (engine->chunks_failed)
        return skip_chunk(engine, reply, 503, "5.5.1", "A chunk before this one was refused: say RSET");
    if (command->size > engine->settings.message_max - engine->size) /* RFC 1870 §6.3 */
        return skip_chunk(engine, reply, 552, "5.3.4", "That message is larger than this server takes");
    engine->size += command->size;
    enter(engine, SMTP_STATE_CHUNKS);
    return SMTP_NEED_CHUNK;
}

static const struct body_reply {
    unsigned code;
    const char *status;
    const char *text;
} body_replies[] = {
    [SMTP_BODY_ACCEPTED] = {250, "2.0.0", "Message stored"},
    [SMTP_BODY_LATER] = {451, "4.3.0", "Cannot store that just now, please try again"},
    [SMTP_BODY_REFUSED] = {550, "5.7.1", "That message is not accepted"},
    [SMTP_BODY_UNREADABLE] = {550, "5.6.0", "What is in that message is not what this address is for"},
    [SMTP_BODY_WAIT] = {451, "4.7.1", "Please try again later"},
    [SMTP_BODY_TOO_LARGE] = {552, "5.3.4", "That message is larger than this server takes"},
    [SMTP_BODY_LOOP] = {554, "5.4.6", "That message goes around in a loop"},
    [SMTP_BODY_FULL] = {452, "4.3.1", "No room left to store that, please try again later"},
    [SMTP_BODY_BARE_NEWLINE] = {554, "5.6.11", "Lines have to end in CRLF: that message has a bare CR or LF in it"},
    [SMTP_BODY_LONG_LINE] = {554, "5.6.0", "A line of that message is longer than this server takes"},
    [SMTP_BODY_CHUNK] = {250, "2.0.0", "Chunk noted"},
};

enum smtp_step smtp_engine_body(struct smtp_engine *engine, enum smtp_body_end end, span_t text, struct buf *reply)
{
    const struct body_reply *row = &body_replies[end];
    bool is_good = end == SMTP_BODY_ACCEPTED || end == SMTP_BODY_CHUNK;
    if (engine->state == SMTP_STATE_CHUNKS && !engine->chunk_last)
        engine->chunks_failed |= !is_good;
    else
        enter(engine, SMTP_STATE_READY);
    if (text.len > 0)
        smtp_reply_span(reply, row->code, row->status, text);
    else
        smtp_reply(reply, row->code, row->status, row->text);
    return SMTP_GO_ON;
}

static enum smtp_step on_rset(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    (void)command;
    drop_transaction(engine);
    return answer(reply, 250, "2.0.0", "Forgotten");
}

static enum smtp_step on_noop(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    (void)engine;
    (void)command;
    return answer(reply, 250, "2.0.0", "Still here");
}

static enum smtp_step on_quit(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    (void)engine;
    (void)command;
    smtp_reply(reply, 221, "2.0.0", "Goodbye");
    return SMTP_NEED_CLOSE;
}

/* RFC 5321 §3.5.3, §7.3: who lives here is nobody's business. */
static enum smtp_step on_vrfy(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    (void)engine;
    (void)command;
    return answer(reply, 252, "2.1.5", "Cannot verify addresses, but send the message and see");
}

static enum smtp_step on_expn(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    (void)command;
    return refuse(engine, reply, 502, "5.5.1", "Lists are not shown");
}

static enum smtp_step on_help(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    (void)engine;
    (void)command;
    return answer(reply, 214, "2.0.0", "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP STARTTLS AUTH");
}

static enum smtp_step on_starttls(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    (void)command;
    if (engine->tls)
        return refuse(engine, reply, 503, "5.5.1", "TLS is on already");
    if (!engine->settings.can_tls) /* RFC 3207 §4 */
        return answer(reply, 454, "4.7.0", "TLS is not available just now");
    if (engine->more_input) { /* RFC 3207 §5: what somebody slipped in before the handshake must not count after it */
        smtp_reply(reply, 554, "5.5.1", "Nothing may follow STARTTLS before the handshake; closing the connection");
        return SMTP_NEED_CLOSE;
    }
    smtp_reply(reply, 220, "2.0.0", "Go ahead");
    return SMTP_NEED_TLS;
}

void smtp_engine_tls(struct smtp_engine *engine, bool can_bind)
{
    engine->tls = true;
    engine->settings.can_bind = can_bind;
    engine->extended = false;
    buf_clear(&engine->helo);
    enter(engine, SMTP_STATE_NEW);
}

static enum smtp_step auth_step(struct smtp_engine *engine, enum sasl_step step, struct buf *reply)
{
    static const enum smtp_step needs[] = {[SASL_STEP_LOGIN] = SMTP_NEED_LOGIN,
                                           [SASL_STEP_SCRAM_START] = SMTP_NEED_SCRAM_START,
                                           [SASL_STEP_SCRAM_FINISH] = SMTP_NEED_SCRAM_FINISH,
                                           [SASL_STEP_SCRAM_END] = SMTP_NEED_LOGIN_END};
    if (step == SASL_STEP_CHALLENGE) {
        enter(engine, SMTP_STATE_AUTH);
        smtp_reply_line(reply, 334, SMTP_REPLY_LAST, buf_span(&engine->sasl.challenge)); /* RFC 4954 §4 */
        return SMTP_GO_ON;
    }
    if (step != SASL_STEP_CANCELLED && step != SASL_STEP_MALFORMED)
        return needs[step];
    sasl_exchange_deinit(&engine->sasl);
    enter(engine, SMTP_STATE_READY);
    return step == SASL_STEP_CANCELLED ? refuse(engine, reply, 501, "5.7.0", "Login cancelled")
                                       : refuse(engine, reply, 501, "5.5.2", "That is no valid answer");
}

static enum smtp_step on_auth(struct smtp_engine *engine, const struct smtp_command *command, struct buf *reply)
{
    enum sasl_mechanism mechanism;
    if (engine->settings.kind != SMTP_SUBMISSION)
        return refuse(engine, reply, 502, "5.5.1", "There is no login on this port: use 587 or 465");
    if (!engine->tls) /* RFC 4954 §4 */
        return refuse(engine, reply, 538, "5.7.11", "Start TLS first: passwords do not travel in clear");
    if (engine->authenticated || !engine->extended) /* RFC 4954 §4 */
        return refuse(engine, reply, 503, "5.5.1",
                      engine->authenticated ? "You are logged in already" : "Say EHLO first");
    bool is_known = sasl_mechanism_find(command->argument, &mechanism) &&
                    (mechanism != SASL_SCRAM_SHA_256_PLUS || engine->settings.can_bind) &&
                    (engine->settings.scram != SASL_SCRAM_OFF || !sasl_mechanism_is_scram(mechanism));
    if (!is_known)
        return refuse(engine, reply, 504, "5.5.4", "There is no such mechanism here");
    span_t initial = command->has_initial ? command->initial : SPAN_NONE;
    return auth_step(engine, sasl_exchange_start(&engine->sasl, mechanism, initial), reply);
}

enum smtp_step smtp_engine_scram(struct smtp_engine *engine, span_t message, struct buf *reply)
{
    return auth_step(engine, sasl_exchange_answer(&engine->sasl, message), reply);
}

enum smtp_step smtp_engine_login(struct smtp_engine *engine, enum smtp_answer verdict, struct buf *reply)
{
    sasl_exchange_deinit(&engine->sasl);
    enter(engine, SMTP_STATE_READY);
    switch (verdict) {
    case SMTP_YES:
        engine->authenticated = true;
        return answer(reply, 235, "2.7.0", "Welcome");
    case SMTP_LATER:
        return answer(reply, 454, "4.7.0", "Cannot check that just now, please try again");
    case SMTP_LOCKED:
        return refuse(engine, reply, 535, "5.7.13", "This account is locked");
    case SMTP_SCOPE:
        return refuse(engine, reply, 535, "5.7.8", "This app password is not for sending mail");
    case SMTP_NO:
    case SMTP_ELSEWHERE:
    case SMTP_CROWDED:
    case SMTP_FULL:
    case SMTP_WAIT:
        break;
    }
    return refuse(engine, reply, 535, "5.7.8", "Wrong name or password" SASL_SCRAM_HINT);
}

/* Amid AUTH: the line is a response, not a command. */
static enum smtp_step feed_auth(struct smtp_engine *engine, span_t line, struct buf *reply)
{
    span_t response = span_ends(line, SPAN("\r\n")) ? span_upto(line, line.len - 2) : line;
    return auth_step(engine, sasl_exchange_feed(&engine->sasl, response), reply);
}

static const struct parse_reply {
    unsigned code;
    const char *status;
    const char *text;
} parse_replies[] = {
    [SMTP_PARSE_UNKNOWN] = {500, "5.5.2", "There is no such command"},           /* RFC 5321 §4.2.4 */
    [SMTP_PARSE_SYNTAX] = {501, "5.5.4", "That command is written differently"}, /* RFC 5321 §4.2.4 */
    [SMTP_PARSE_ADDRESS] = {501, "5.1.3", "That address cannot be read"},        /* RFC 5321 §4.2.4 */
    [SMTP_PARSE_PARAMETER] = {555, "5.5.4", "There is no such parameter"},       /* RFC 5321 §4.1.1.11 */
};

/* A BDAT that cannot be read leaves unknown how many bytes follow: there is no way to go on (RFC 3030 §2). */
static enum smtp_step close_over_bdat(struct buf *reply)
{
    smtp_reply(reply, 501, "5.5.4", "BDAT SIZE or BDAT SIZE LAST; closing the connection");
    return SMTP_NEED_CLOSE;
}

/* RFC 5321 §2.3.8. Two servers in a row that see different lines are how messages are smuggled: no further. */
static enum smtp_step close_over_newline(struct buf *reply)
{
    smtp_reply(reply, 500, "5.5.2", "A command is one clean line, ended by CRLF; closing the connection");
    return SMTP_NEED_CLOSE;
}

enum smtp_step smtp_engine_line(struct smtp_engine *engine, span_t line, struct buf *reply)
{
    struct smtp_command command = {0};
    if (engine->state == SMTP_STATE_AUTH)
        return feed_auth(engine, line, reply);
    if (++engine->commands > engine->settings.commands_max) {
        smtp_reply(reply, 421, "4.7.0", "Too many commands in one connection, please come back");
        return SMTP_NEED_CLOSE;
    }
    enum smtp_parse parse = smtp_command_parse(line, &command);
    if (parse == SMTP_PARSE_SYNTAX && command.verb == SMTP_BDAT)
        return close_over_bdat(reply);
    if (parse == SMTP_PARSE_BARE_NEWLINE)
        return close_over_newline(reply);
    if (parse != SMTP_PARSE_OK) {
        const struct parse_reply *row = &parse_replies[parse];
        return refuse(engine, reply, row->code, row->status, row->text);
    }
    if (is_out_of_turn(engine, command.verb) &&
        close_over_turn(engine, reply, "A client waits for the answer to that command; closing the connection") !=
            SMTP_GO_ON)
        return SMTP_NEED_CLOSE;
    const struct rule *rule = &rules[command.verb];
    if ((rule->states & engine->state) == 0)
        return refuse(engine, reply, 503, "5.5.1", rule->otherwise);
    return rule->run(engine, &command, reply);
}

enum smtp_step smtp_engine_long_line(struct smtp_engine *engine, struct buf *reply)
{
    if (engine->state == SMTP_STATE_AUTH) { /* RFC 4954 §4 */
        sasl_exchange_deinit(&engine->sasl);
        enter(engine, SMTP_STATE_READY);
    }
    return refuse(engine, reply, 500, "5.5.2", "That line is too long");
}

size_t smtp_engine_line_max(const struct smtp_engine *engine)
{
    bool is_auth = engine->settings.kind == SMTP_SUBMISSION && engine->tls && !engine->authenticated;
    return is_auth ? SMTP_AUTH_LINE_MAX : SMTP_LINE_MAX;
}
