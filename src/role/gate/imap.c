#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "proto/imap/command.h"
#include "proto/imap/reader.h"
#include "proto/imap/response.h"
#include "role/gate/ask.h"
#include "role/gate/gate.h"

#define INPUT_MAX ((size_t)IMAP_LINE_MAX_BEFORE + 4 * (size_t)IMAP_LITERAL_MAX_BEFORE)
#define ARENA_MAX 65536U
#define TAG_MAX 256U /* no client has one as long; what the session is told must fit its message */
#define REFUSALS_MAX 20U

/* How a command leaves the conversation. */
enum next {
    NEXT_COMMAND,
    NEXT_END,     /* what is to be said is in the output */
    NEXT_SESSION, /* logged in: login->session_fd is the client's session */
};

struct imap {
    struct connection *connection;
    struct arena *arena;
    struct buf input;
    struct buf output;
    struct imap_reader reader;
    struct login login;
    struct sasl_exchange sasl;
    uint8_t tag[TAG_MAX];
    size_t tag_len;
    unsigned refusals;
    bool is_first; /* nothing has been read yet */
};

static span_t tag_of(const struct imap *imap)
{
    return span_of(imap->tag, imap->tag_len);
}

static void say(struct imap *imap, const char *status, const char *text)
{
    imap_write_status(&imap->output, tag_of(imap), status, text);
}

/* Who only makes mistakes is sent away. */
static int refuse(struct imap *imap, const char *status, const char *text)
{
    say(imap, status, text);
    if (++imap->refusals < REFUSALS_MAX)
        return NEXT_COMMAND;
    buf_append(&imap->output, SPAN("* BYE Too many refused commands\r\n"));
    return NEXT_END;
}

static unsigned capability_flags(const struct imap *imap)
{
    const struct connection *connection = imap->connection;
    if (!stream_is_tls(connection->stream))
        return connection->gate->tls != NULL ? (unsigned)IMAP_CAN_STARTTLS : 0U;
    return (unsigned)IMAP_CAN_LOGIN | (connection_can_bind(connection) ? (unsigned)IMAP_CAN_PLUS : 0U);
}

static void write_capabilities(struct imap *imap)
{
    imap_capabilities(&imap->output, IMAP_BEFORE_LOGIN, capability_flags(imap));
}

/* --- reading and writing ------------------------------------------------------------------------------------- */

static int flush(struct task *task, struct imap *imap)
{
    struct stream *stream = imap->connection->stream;
    int result = buf_fault(&imap->output);
    if (result == 0 && buf_len(&imap->output) > 0) {
        int64_t patience = connection_patience(imap->connection, GATE_SAY_MS / 1000);
        result = stream_write(task, stream, buf_span(&imap->output), patience);
        if (result == 0)
            result = stream_flush(task, stream, patience);
    }
    buf_clear(&imap->output);
    return result;
}

/* More bytes from the client, after saying what there is to say. */
static int fill(struct task *task, struct imap *imap)
{
    struct connection *connection = imap->connection;
    int64_t patience = connection_patience(connection, connection->gate->conf->imap_login_timeout);
    uint8_t *at = NULL;
    size_t got = 0;
    int result = flush(task, imap);
    if (result == 0)
        result = buf_reserve(&imap->input, 1024, &at);
    if (result == 0)
        result = stream_read(task, connection->stream, at, 1024, patience, &got);
    if (result != STREAM_OK)
        return result == STREAM_END ? -ECONNRESET : result;
    buf_commit(&imap->input, got);
    return 0;
}

static int refuse_literal(struct imap *imap)
{
    span_t tag = imap_reader_tag(buf_span(&imap->input));
    imap_write_status(&imap->output, tag, "NO", "[TOOBIG] That literal is too long before login");
    imap_reader_refuse(&imap->reader, &imap->input);
    return ++imap->refusals < REFUSALS_MAX ? 0 : -EMSGSIZE;
}

static int refuse_line(struct imap *imap)
{
    imap_write_status(&imap->output, SPAN("*"), "BAD", "That line is too long");
    imap_reader_refuse(&imap->reader, &imap->input);
    return ++imap->refusals < REFUSALS_MAX ? 0 : -EMSGSIZE;
}

/* The next complete command, at the front of the input: its length. */
static int next_command(struct task *task, struct imap *imap, size_t *ret_len)
{
    for (int result = 0; result == 0;) {
        uint64_t len = 0;
        switch (imap_reader_next(&imap->reader, &imap->input, &len)) {
        case IMAP_READ_COMMAND:
            *ret_len = (size_t)len;
            return 0;
        case IMAP_READ_CONTINUE:
            buf_append(&imap->output, SPAN("+ OK\r\n"));
            break;
        case IMAP_READ_LITERAL_BIG:
            result = refuse_literal(imap);
            break;
        case IMAP_READ_LINE_LONG:
            result = refuse_line(imap);
            break;
        case IMAP_READ_MORE:
            result = fill(task, imap);
            break;
        }
        if (result < 0)
            return result;
    }
    return -EPROTO;
}

/* One line of a SASL exchange, without its CRLF, at the front of the input. */
static int next_response(struct task *task, struct imap *imap, span_t *ret_line, size_t *ret_len)
{
    for (;;) {
        uint64_t len = 0;
        enum imap_read read = imap_reader_line(&imap->reader, &imap->input, ret_line, &len);
        if (read == IMAP_READ_COMMAND) {
            *ret_len = (size_t)len;
            return 0;
        }
        int result = read == IMAP_READ_MORE ? fill(task, imap) : -EMSGSIZE;
        if (result < 0)
            return result;
    }
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static int on_capability(struct task *task, struct imap *imap, const struct imap_command *command)
{
    (void)task;
    (void)command;
    buf_append(&imap->output, SPAN("* CAPABILITY "));
    write_capabilities(imap);
    buf_append(&imap->output, SPAN("\r\n"));
    say(imap, "OK", "Done");
    return NEXT_COMMAND;
}

static int on_noop(struct task *task, struct imap *imap, const struct imap_command *command)
{
    (void)task;
    (void)command;
    say(imap, "OK", "Done");
    return NEXT_COMMAND;
}

static int on_id(struct task *task, struct imap *imap, const struct imap_command *command)
{
    (void)task;
    (void)command;
    buf_append(&imap->output, SPAN("* ID " IMAP_ID_REPLY "\r\n"));
    say(imap, "OK", "Done");
    return NEXT_COMMAND;
}

static int on_logout(struct task *task, struct imap *imap, const struct imap_command *command)
{
    (void)task;
    (void)command;
    buf_append(&imap->output, SPAN("* BYE Goodbye\r\n"));
    say(imap, "OK", "Done");
    return NEXT_END;
}

/* RFC 3501 §6.2.1. What came in clear behind the command must not count after the handshake (RFC 2595 §2.1). */
static int on_starttls(struct task *task, struct imap *imap, const struct imap_command *command)
{
    struct connection *connection = imap->connection;
    (void)command;
    if (stream_is_tls(connection->stream) || connection->gate->tls == NULL)
        return refuse(imap, "BAD", "TLS is on already, or not available");
    if (buf_len(&imap->input) > 0 || stream_has_buffered(connection->stream)) {
        say(imap, "BAD", "Nothing may follow STARTTLS before the handshake");
        buf_append(&imap->output, SPAN("* BYE Closing the connection\r\n"));
        return NEXT_END;
    }
    say(imap, "OK", "Go ahead");
    int result = flush(task, imap);
    if (result == 0)
        result = connection_start_tls(task, connection);
    return result < 0 ? result : NEXT_COMMAND;
}

static int end_login(struct imap *imap, int outcome)
{
    static const char *const texts[] = {
        [LOGIN_OK] = "",
        [LOGIN_DENIED] = ("[AUTHENTICATIONFAILED] Wrong name or password" SASL_SCRAM_HINT), /* RFC 5530 §3 */
        [LOGIN_LOCKED] = "[CONTACTADMIN] This account is locked",
        [LOGIN_SCOPE] = "[AUTHORIZATIONFAILED] This app password is not for reading mail",
        [LOGIN_UNAVAILABLE] = "[UNAVAILABLE] Cannot check that just now, please try again",
    };
    log_info("imap.login", F_U64("service", imap->connection->service), F_INT("outcome", outcome),
             F_HASH("client", span_of_text(imap->connection->address)));
    return outcome == LOGIN_OK ? NEXT_SESSION : refuse(imap, "NO", texts[outcome]);
}

/* RFC 3501 §6.2.3, RFC 5530 §3: no password travels in clear. */
static bool is_private(struct imap *imap, int *ret_next)
{
    if (stream_is_tls(imap->connection->stream))
        return true;
    *ret_next = refuse(imap, "NO", "[PRIVACYREQUIRED] Start TLS first: passwords do not travel in clear");
    return false;
}

static int on_login(struct task *task, struct imap *imap, const struct imap_command *command)
{
    int next = NEXT_COMMAND;
    if (!is_private(imap, &next))
        return next;
    int outcome = ask_login(task, &imap->login, command->login.user, command->login.password);
    return outcome < 0 ? outcome : end_login(imap, outcome);
}

/* What the keeper says to a step that needs it: the next SASL step, or the end of the login in *ret_next. */
static int ask_sasl(struct task *task, struct imap *imap, enum sasl_step step, enum sasl_step *ret_step, int *ret_next)
{
    struct sasl_exchange *sasl = &imap->sasl;
    int outcome = step == SASL_STEP_LOGIN
                      ? ask_login(task, &imap->login, buf_span(&sasl->user), buf_span(&sasl->password))
                  : step == SASL_STEP_SCRAM_START ? ask_scram_start(task, &imap->login, sasl)
                                                  : ask_scram_finish(task, &imap->login, sasl);
    if (outcome < 0)
        return outcome;
    if (outcome != LOGIN_OK || step == SASL_STEP_LOGIN) {
        *ret_next = end_login(imap, outcome);
        return 1;
    }
    *ret_step = sasl_exchange_answer(sasl, buf_span(&imap->login.answer));
    return 0;
}

/* RFC 3501 §6.2.2: sends the challenge, reads the answer. */
static int exchange_line(struct task *task, struct imap *imap, enum sasl_step *ret_step)
{
    span_t line;
    size_t len = 0;
    buf_append(&imap->output, SPAN("+ "));
    buf_append(&imap->output, buf_span(&imap->sasl.challenge));
    buf_append(&imap->output, SPAN("\r\n"));
    int result = next_response(task, imap, &line, &len);
    if (result < 0)
        return result;
    *ret_step = sasl_exchange_feed(&imap->sasl, line);
    secret_wipe(imap->input.bytes + imap->input.start, len);
    buf_consume(&imap->input, len);
    return 0;
}

static int run_sasl(struct task *task, struct imap *imap, enum sasl_step step)
{
    for (;;) {
        int next = NEXT_COMMAND;
        int result = 0;
        switch (step) {
        case SASL_STEP_CHALLENGE:
            result = exchange_line(task, imap, &step);
            break;
        case SASL_STEP_LOGIN:
        case SASL_STEP_SCRAM_START:
        case SASL_STEP_SCRAM_FINISH:
            result = ask_sasl(task, imap, step, &step, &next);
            break;
        case SASL_STEP_SCRAM_END:
            return end_login(imap, LOGIN_OK);
        case SASL_STEP_CANCELLED:
            return refuse(imap, "BAD", "Login cancelled");
        case SASL_STEP_MALFORMED:
            return refuse(imap, "BAD", "That is no valid answer");
        }
        if (result != 0)
            return result < 0 ? result : next;
    }
}

static int on_authenticate(struct task *task, struct imap *imap, const struct imap_command *command)
{
    enum sasl_mechanism mechanism;
    int next = NEXT_COMMAND;
    if (!is_private(imap, &next))
        return next;
    bool is_known = sasl_mechanism_find(command->authenticate.mechanism, &mechanism) &&
                    (mechanism != SASL_SCRAM_SHA_256_PLUS || connection_can_bind(imap->connection));
    if (!is_known)
        return refuse(imap, "NO", "There is no such mechanism here");
    span_t initial = command->authenticate.has_initial ? command->authenticate.initial : SPAN_NONE;
    next = run_sasl(task, imap, sasl_exchange_start(&imap->sasl, mechanism, initial));
    sasl_exchange_deinit(&imap->sasl);
    return next;
}

typedef int command_runner(struct task *task, struct imap *imap, const struct imap_command *command);

/* What may be said before login (RFC 3501 §6.1, §6.2); the grammar lets nothing else through. */
static command_runner *const runners[IMAP_VERB_COUNT] = {
    [IMAP_CAPABILITY] = on_capability, [IMAP_NOOP] = on_noop,
    [IMAP_LOGOUT] = on_logout,         [IMAP_ID] = on_id,
    [IMAP_STARTTLS] = on_starttls,     [IMAP_AUTHENTICATE] = on_authenticate,
    [IMAP_LOGIN] = on_login,
};

/* --- the conversation ------------------------------------------------------------------------------------------ */

static int run_command(struct task *task, struct imap *imap, size_t len)
{
    struct imap_command command = {0};
    const char *why = "There is no such command";
    AUTO_BUF struct buf line;
    buf_init(&line, INPUT_MAX);
    int result = buf_append(&line, span_upto(buf_span(&imap->input), len)); /* the input moves while we wait */
    secret_wipe(imap->input.bytes + imap->input.start, len);
    buf_consume(&imap->input, len);
    if (result < 0)
        return result;
    arena_reset(imap->arena);
    result = imap_command_parse(buf_span(&line), IMAP_BEFORE_LOGIN, imap->arena, &command, &why);
    if (result < 0)
        return result;
    span_t tag = command.tag.len == 0 || command.tag.len > TAG_MAX ? SPAN("*") : command.tag;
    memcpy(imap->tag, tag.at, tag.len);
    imap->tag_len = tag.len;
    imap->login.prelude = tag_of(imap);
    if (result != IMAP_PARSE_OK)
        result = refuse(imap, "BAD", result == IMAP_PARSE_STATE ? "Log in first" : why);
    else if (runners[command.verb] == NULL || tag.at != command.tag.at)
        result = refuse(imap, "BAD", "Log in first");
    else
        result = runners[command.verb](task, imap, &command);
    secret_wipe(line.bytes, line.room);
    return result;
}

/* RFC 3501 §7.1.1; a client that begins with a TLS handshake on the clear port learns where it is. */
static int greet(struct task *task, struct imap *imap)
{
    buf_append(&imap->output, SPAN("* OK [CAPABILITY "));
    write_capabilities(imap);
    buf_append(&imap->output, SPAN("] "));
    buf_append_text(&imap->output, imap->connection->gate->conf->server_hostname);
    buf_append(&imap->output, SPAN(" Waxwing\r\n"));
    int result = fill(task, imap);
    if (result < 0 || !looks_like_tls(buf_span(&imap->input)))
        return result;
    log_info("imap.tls.unexpected", F_U64("service", imap->connection->service));
    buf_append(&imap->output, SPAN("* BYE This port starts in clear: use STARTTLS, or port 993 with TLS\r\n"));
    return NEXT_END;
}

static int converse(struct task *task, struct imap *imap)
{
    int next = greet(task, imap);
    while (next == NEXT_COMMAND) {
        size_t len = 0;
        next = next_command(task, imap, &len);
        if (next == 0)
            next = run_command(task, imap, len);
    }
    return next;
}

static void say_farewell(struct task *task, struct imap *imap, int result)
{
    if (result == -ETIMEDOUT)
        buf_append(&imap->output, SPAN("* BYE Nobody logged in for too long\r\n"));
    else if (result == -EMSGSIZE || result == -ENOBUFS)
        buf_append(&imap->output, SPAN("* BYE That is too long\r\n"));
    imap->connection->deadline = loop_now(task_loop(task)) + GATE_SAY_MS;
    if (flush(task, imap) == 0)
        (void)!stream_shutdown(task, imap->connection->stream, GATE_SAY_MS);
}

static void imap_free(struct imap *imap)
{
    if (imap == NULL)
        return;
    arena_free(imap->arena);
    buf_deinit(&imap->input);
    buf_deinit(&imap->output);
    login_deinit(&imap->login);
    sasl_exchange_deinit(&imap->sasl);
    free(imap);
}
SCOPE_OF(imap)

static int imap_new(struct connection *connection, struct imap **ret_imap)
{
    AUTO(imap) struct imap *imap = mem_new(sizeof(*imap));
    if (imap == NULL)
        return -ENOMEM;
    imap->connection = connection;
    buf_init(&imap->input, INPUT_MAX);
    buf_init(&imap->output, INPUT_MAX);
    login_init(&imap->login, connection, SPAN_NONE);
    sasl_exchange_init(&imap->sasl);
    imap_reader_init(&imap->reader, IMAP_LINE_MAX_BEFORE, IMAP_LITERAL_MAX_BEFORE, IMAP_LITERAL_MAX_BEFORE);
    int result = arena_new(ARENA_MAX, &imap->arena);
    if (result < 0)
        return result;
    *ret_imap = TAKE(imap);
    return 0;
}

void imap_serve(struct task *task, struct connection **connection)
{
    AUTO(imap) struct imap *imap = NULL;
    if (imap_new(*connection, &imap) < 0)
        return;
    int next = converse(task, imap);
    if (next != NEXT_SESSION) {
        say_farewell(task, imap, next);
        return;
    }
    int result = flush(task, imap);
    if (result == 0)
        result = splice_start(TAKE(*connection), TAKE_FD(imap->login.session_fd), tag_of(imap), buf_span(&imap->input));
    if (result < 0)
        log_warn("imap.splice.failed", F_FAULT(result));
}
