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
#include "role/gate/dialog.h"

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
    struct dialog dialog;
    struct arena *arena;
    struct imap_reader reader;
    struct login login;
    struct sasl_exchange sasl;
    uint8_t tag[TAG_MAX];
    size_t tag_len;
};

static span_t tag_of(const struct imap *imap)
{
    return span_of(imap->tag, imap->tag_len);
}

static void say(struct imap *imap, const char *status, const char *text)
{
    imap_write_status(&imap->dialog.output, tag_of(imap), status, text);
}

/* Who only makes mistakes is sent away. */
static int refuse(struct imap *imap, const char *status, const char *text)
{
    say(imap, status, text);
    if (++imap->dialog.connection->refusals < REFUSALS_MAX)
        return NEXT_COMMAND;
    buf_append(&imap->dialog.output, SPAN("* BYE Too many refused commands\r\n"));
    return NEXT_END;
}

static unsigned capability_flags(const struct imap *imap)
{
    const struct connection *connection = imap->dialog.connection;
    if (!stream_is_tls(connection->stream))
        return connection->gate->tls != NULL ? (unsigned)IMAP_CAN_STARTTLS : 0U;
    return (unsigned)IMAP_CAN_LOGIN | (connection_can_bind(connection) ? (unsigned)IMAP_CAN_PLUS : 0U) |
           (gate_scram(connection->gate) != SASL_SCRAM_ANNOUNCED ? (unsigned)IMAP_HIDES_SCRAM : 0U);
}

static void write_capabilities(struct imap *imap)
{
    imap_capabilities(&imap->dialog.output, IMAP_BEFORE_LOGIN, capability_flags(imap));
}

/* --- reading --------------------------------------------------------------------------------------------------- */

static int refuse_literal(struct imap *imap)
{
    span_t tag = imap_reader_tag(buf_span(&imap->dialog.input));
    imap_write_status(&imap->dialog.output, tag, "NO", "[TOOBIG] That literal is too long before login");
    imap_reader_refuse(&imap->reader, &imap->dialog.input);
    return ++imap->dialog.connection->refusals < REFUSALS_MAX ? 0 : -EMSGSIZE;
}

static int refuse_line(struct imap *imap)
{
    imap_write_status(&imap->dialog.output, SPAN("*"), "BAD", "That line is too long");
    imap_reader_refuse(&imap->reader, &imap->dialog.input);
    return ++imap->dialog.connection->refusals < REFUSALS_MAX ? 0 : -EMSGSIZE;
}

/* The next complete command, at the front of the input: its length. */
static int next_command(struct task *task, struct imap *imap, size_t *ret_len)
{
    for (int result = 0; result == 0;) {
        uint64_t len = 0;
        switch (imap_reader_next(&imap->reader, &imap->dialog.input, &len)) {
        case IMAP_READ_COMMAND:
            *ret_len = (size_t)len;
            return 0;
        case IMAP_READ_CONTINUE:
            buf_append(&imap->dialog.output, SPAN("+ OK\r\n"));
            break;
        case IMAP_READ_LITERAL_BIG:
        case IMAP_READ_COMMAND_BIG:
            result = refuse_literal(imap);
            break;
        case IMAP_READ_LINE_LONG:
            result = refuse_line(imap);
            break;
        case IMAP_READ_MORE:
            result = dialog_fill(task, &imap->dialog);
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
        enum imap_read read = imap_reader_line(&imap->reader, &imap->dialog.input, ret_line, &len);
        if (read == IMAP_READ_COMMAND) {
            *ret_len = (size_t)len;
            return 0;
        }
        int result = read == IMAP_READ_MORE ? dialog_fill(task, &imap->dialog) : -EMSGSIZE;
        if (result < 0)
            return result;
    }
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static int on_capability(struct task *task, struct imap *imap, const struct imap_command *command)
{
    (void)task;
    (void)command;
    buf_append(&imap->dialog.output, SPAN("* CAPABILITY "));
    write_capabilities(imap);
    buf_append(&imap->dialog.output, SPAN("\r\n"));
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
    buf_append(&imap->dialog.output, SPAN("* ID " IMAP_ID_REPLY "\r\n"));
    say(imap, "OK", "Done");
    return NEXT_COMMAND;
}

static int on_logout(struct task *task, struct imap *imap, const struct imap_command *command)
{
    (void)task;
    (void)command;
    buf_append(&imap->dialog.output, SPAN("* BYE Goodbye\r\n"));
    say(imap, "OK", "Done");
    return NEXT_END;
}

/* RFC 3501 §6.2.1. What came in clear behind the command must not count after the handshake (RFC 2595 §2.1). */
static int on_starttls(struct task *task, struct imap *imap, const struct imap_command *command)
{
    struct connection *connection = imap->dialog.connection;
    (void)command;
    if (stream_is_tls(connection->stream) || connection->gate->tls == NULL)
        return refuse(imap, "BAD", "TLS is on already, or not available");
    if (dialog_has_more(&imap->dialog)) {
        say(imap, "BAD", "Nothing may follow STARTTLS before the handshake");
        buf_append(&imap->dialog.output, SPAN("* BYE Closing the connection\r\n"));
        return NEXT_END;
    }
    say(imap, "OK", "Go ahead");
    int result = dialog_flush(task, &imap->dialog);
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
    log_info("imap.login", F_U64("service", imap->dialog.connection->service), F_INT("outcome", outcome),
             F_HASH("client", span_of_text(imap->dialog.connection->address)));
    return outcome == LOGIN_OK ? NEXT_SESSION : refuse(imap, "NO", texts[outcome]);
}

/* RFC 3501 §6.2.3, RFC 5530 §3: no password travels in clear. */
static bool is_private(struct imap *imap, int *ret_next)
{
    if (stream_is_tls(imap->dialog.connection->stream))
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

/* RFC 3501 §6.2.2: sends the challenge, reads the answer. */
static int exchange_line(struct task *task, void *arg, enum sasl_step *ret_step)
{
    struct imap *imap = arg;
    span_t line;
    size_t len = 0;
    buf_append(&imap->dialog.output, SPAN("+ "));
    buf_append(&imap->dialog.output, buf_span(&imap->sasl.challenge));
    buf_append(&imap->dialog.output, SPAN("\r\n"));
    int result = next_response(task, imap, &line, &len);
    if (result < 0)
        return result;
    *ret_step = sasl_exchange_feed(&imap->sasl, line);
    dialog_consume(&imap->dialog, len);
    return 0;
}

static int on_authenticate(struct task *task, struct imap *imap, const struct imap_command *command)
{
    enum sasl_mechanism mechanism;
    int next = NEXT_COMMAND;
    if (!is_private(imap, &next))
        return next;
    bool is_known = sasl_mechanism_find(command->authenticate.mechanism, &mechanism) &&
                    connection_takes(imap->dialog.connection, mechanism);
    if (!is_known)
        return refuse(imap, "NO", "There is no such mechanism here");
    span_t initial = command->authenticate.has_initial ? command->authenticate.initial : SPAN_NONE;
    enum sasl_step step = sasl_exchange_start(&imap->sasl, mechanism, initial);
    int outcome = ask_sasl(task, &imap->login, &imap->sasl, step, exchange_line, imap);
    sasl_exchange_deinit(&imap->sasl);
    if (outcome == LOGIN_CANCELLED || outcome == LOGIN_MALFORMED)
        return refuse(imap, "BAD", outcome == LOGIN_CANCELLED ? "Login cancelled" : "That is no valid answer");
    return outcome < 0 ? outcome : end_login(imap, outcome);
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
    int result = buf_append(&line, span_upto(buf_span(&imap->dialog.input), len)); /* the input moves while we wait */
    dialog_consume(&imap->dialog, len);
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
    buf_append(&imap->dialog.output, SPAN("* OK [CAPABILITY "));
    write_capabilities(imap);
    buf_append(&imap->dialog.output, SPAN("] "));
    buf_append_text(&imap->dialog.output, imap->dialog.connection->gate->conf->server_hostname);
    buf_append(&imap->dialog.output, SPAN(" Waxwing\r\n"));
    int result = dialog_fill(task, &imap->dialog);
    if (result < 0 || !looks_like_tls(buf_span(&imap->dialog.input)))
        return result;
    log_info("imap.tls.unexpected", F_U64("service", imap->dialog.connection->service));
    buf_append(&imap->dialog.output, SPAN("* BYE This port starts in clear: use STARTTLS, or port 993 with TLS\r\n"));
    return NEXT_END;
}

static int converse(struct task *task, struct imap *imap)
{
    int next = imap->dialog.early == NULL ? greet(task, imap) : NEXT_COMMAND;
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
        buf_append(&imap->dialog.output, SPAN("* BYE Nobody logged in for too long\r\n"));
    else if (result == -EMSGSIZE || result == -ENOBUFS)
        buf_append(&imap->dialog.output, SPAN("* BYE That is too long\r\n"));
    dialog_end(task, &imap->dialog);
}

static void imap_free(struct imap *imap)
{
    if (imap == NULL)
        return;
    arena_free(imap->arena);
    dialog_deinit(&imap->dialog);
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
    dialog_init(&imap->dialog, connection, INPUT_MAX);
    login_init(&imap->login, connection, SPAN_NONE);
    sasl_exchange_init(&imap->sasl);
    imap_reader_init(&imap->reader, IMAP_LINE_MAX_BEFORE, IMAP_LITERAL_MAX_BEFORE, IMAP_LITERAL_MAX_BEFORE);
    int result = arena_new(ARENA_MAX, &imap->arena);
    if (result < 0)
        return result;
    *ret_imap = TAKE(imap);
    return 0;
}

static void serve(struct task *task, struct connection **connection, struct buf *early)
{
    AUTO(imap) struct imap *imap = NULL;
    if (imap_new(*connection, &imap) < 0)
        return;
    imap->dialog.early = early;
    int next = converse(task, imap);
    if (next != NEXT_SESSION) {
        say_farewell(task, imap, next);
        return;
    }
    int result = dialog_flush(task, &imap->dialog);
    if (result == 0)
        result = dialog_gather(&imap->dialog);
    say(imap, "NO", "[UNAVAILABLE] The mailbox cannot be opened just now"); /* where the session says nothing */
    if (result == 0)
        result = splice_start(TAKE(*connection), TAKE_FD(imap->login.session_fd), buf_span(&imap->dialog.output),
                              buf_span(&imap->dialog.input));
    if (result < 0)
        log_warn("imap.splice.failed", F_FAULT(result));
}

void imap_serve(struct task *task, struct connection **connection)
{
    serve(task, connection, NULL);
}

void imap_serve_again(struct task *task, struct connection **connection, struct buf *early)
{
    log_info("imap.unauthenticated", F_U64("service", (*connection)->service),
             F_HASH("client", span_of_text((*connection)->address)));
    connection_await_login(*connection);
    serve(task, connection, early);
}
