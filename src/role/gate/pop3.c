#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "proto/pop3/command.h"
#include "proto/pop3/response.h"
#include "role/gate/ask.h"
#include "role/gate/dialog.h"

#define INPUT_MAX ((size_t)2 * POP3_LINE_MAX_BEFORE)
#define REFUSALS_MAX 20U

/* How a command leaves the conversation. */
enum next {
    NEXT_COMMAND,
    NEXT_END,     /* what is to be said is in the output */
    NEXT_SESSION, /* logged in: login->session_fd is the client's session */
};

struct pop3 {
    struct dialog dialog;
    struct pop3_reader reader;
    struct login login;
    struct sasl_exchange sasl;
    struct buf user;    /* of USER, until the next command */
    struct buf prelude; /* of the login under way */
    unsigned refusals;
    bool is_utf8;
};

static void say_ok(struct pop3 *pop3, const char *text)
{
    pop3_write_ok(&pop3->dialog.output, text);
}

/* Who only makes mistakes is sent away. */
static int refuse(struct pop3 *pop3, const char *text)
{
    pop3_write_err(&pop3->dialog.output, text);
    return ++pop3->refusals < REFUSALS_MAX ? NEXT_COMMAND : NEXT_END;
}

static unsigned mode_of(const struct pop3 *pop3)
{
    const struct connection *connection = pop3->dialog.connection;
    unsigned mode = pop3->is_utf8 ? (unsigned)POP3_UTF8_ON : 0U;
    if (!stream_is_tls(connection->stream))
        return mode | (connection->gate->tls != NULL ? (unsigned)POP3_CAN_STLS : 0U);
    if (gate_scram(connection->gate) != SASL_SCRAM_ANNOUNCED)
        mode |= (unsigned)POP3_HIDES_SCRAM;
    return mode | (unsigned)POP3_CAN_LOGIN | (connection_can_bind(connection) ? (unsigned)POP3_CAN_PLUS : 0U);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* The next line, at the front of the input, and its length with its end. */
static int next_line(struct task *task, struct pop3 *pop3, span_t *ret_line, size_t *ret_len)
{
    for (;;) {
        int result = 0;
        switch (pop3_reader_next(&pop3->reader, &pop3->dialog.input, ret_line, ret_len)) {
        case POP3_READ_LINE:
            return 0;
        case POP3_READ_LONG:
            result = refuse(pop3, "That line is too long") == NEXT_END ? -EMSGSIZE : 0;
            break;
        case POP3_READ_MORE:
            result = dialog_fill(task, &pop3->dialog);
            break;
        }
        if (result < 0)
            return result;
    }
}

/* --- logging in --------------------------------------------------------------------------------------------------- */

static int end_login(struct pop3 *pop3, int outcome)
{
    /* RFC 3206 §4: whether it is the credentials that are wrong, or the server. */
    static const char *const texts[] = {
        [LOGIN_OK] = "",
        [LOGIN_DENIED] = ("[AUTH] Wrong name or password" SASL_SCRAM_HINT),
        [LOGIN_LOCKED] = "[AUTH] This account is locked",
        [LOGIN_SCOPE] = "[AUTH] This app password is not for POP3",
        [LOGIN_UNAVAILABLE] = "[SYS/TEMP] Cannot check that just now, please try again",
    };
    log_info("pop3.login", F_U64("service", pop3->dialog.connection->service), F_INT("outcome", outcome),
             F_HASH("client", span_of_text(pop3->dialog.connection->address)));
    return outcome == LOGIN_OK ? NEXT_SESSION : refuse(pop3, texts[outcome]);
}

/* RFC 2595 §2.3: no password travels in clear. */
static bool is_private(struct pop3 *pop3, int *ret_next)
{
    if (stream_is_tls(pop3->dialog.connection->stream))
        return true;
    *ret_next = refuse(pop3, "Start TLS first: passwords do not travel in clear");
    return false;
}

/* The session learns from it what was agreed on here. */
static void prepare_login(struct pop3 *pop3)
{
    buf_clear(&pop3->prelude);
    pop3_mode_write(&pop3->prelude, mode_of(pop3));
    pop3->login.prelude = buf_span(&pop3->prelude);
}

static int on_user(struct task *task, struct pop3 *pop3, const struct pop3_command *command)
{
    int next = NEXT_COMMAND;
    (void)task;
    if (!is_private(pop3, &next))
        return next;
    if (buf_append(&pop3->user, command->text) < 0)
        return refuse(pop3, "That name is too long");
    say_ok(pop3, "Your password, please"); /* whoever it is (RFC 1939 §7) */
    return NEXT_COMMAND;
}

static int on_pass(struct task *task, struct pop3 *pop3, const struct pop3_command *command)
{
    int next = NEXT_COMMAND;
    if (!is_private(pop3, &next))
        return next;
    if (buf_len(&pop3->user) == 0)
        return refuse(pop3, "USER comes first");
    if (command->text.len > SASL_NAME_MAX) /* more than the keeper can be asked */
        return refuse(pop3, "[AUTH] That password is too long");
    prepare_login(pop3);
    int outcome = ask_login(task, &pop3->login, buf_span(&pop3->user), command->text);
    return outcome < 0 ? outcome : end_login(pop3, outcome);
}

/* RFC 5034 §4: sends the challenge, reads the answer. */
static int exchange_line(struct task *task, void *arg, enum sasl_step *ret_step)
{
    struct pop3 *pop3 = arg;
    span_t line;
    size_t len = 0;
    buf_append(&pop3->dialog.output, SPAN("+ "));
    buf_append(&pop3->dialog.output, buf_span(&pop3->sasl.challenge));
    buf_append(&pop3->dialog.output, SPAN("\r\n"));
    int result = next_line(task, pop3, &line, &len);
    if (result < 0)
        return result;
    *ret_step = sasl_exchange_feed(&pop3->sasl, line);
    dialog_consume(&pop3->dialog, len);
    return 0;
}

static int on_auth(struct task *task, struct pop3 *pop3, const struct pop3_command *command)
{
    enum sasl_mechanism mechanism;
    int next = NEXT_COMMAND;
    if (command->text.at == NULL) {
        pop3_write_mechanisms(&pop3->dialog.output, mode_of(pop3));
        return NEXT_COMMAND;
    }
    if (!is_private(pop3, &next))
        return next;
    bool is_known =
        sasl_mechanism_find(command->text, &mechanism) && connection_takes(pop3->dialog.connection, mechanism);
    if (!is_known)
        return refuse(pop3, "There is no such mechanism here");
    prepare_login(pop3);
    enum sasl_step step = sasl_exchange_start(&pop3->sasl, mechanism, command->initial);
    int outcome = ask_sasl(task, &pop3->login, &pop3->sasl, step, exchange_line, pop3);
    sasl_exchange_deinit(&pop3->sasl);
    if (outcome == LOGIN_CANCELLED || outcome == LOGIN_MALFORMED)
        return refuse(pop3, outcome == LOGIN_CANCELLED ? "Login cancelled" : "That is no valid answer");
    return outcome < 0 ? outcome : end_login(pop3, outcome);
}

/* --- other commands ----------------------------------------------------------------------------------------------- */

/* RFC 2595 §4. What came in clear, before or behind the command, must not count after the handshake. */
static int on_stls(struct task *task, struct pop3 *pop3, const struct pop3_command *command)
{
    struct connection *connection = pop3->dialog.connection;
    (void)command;
    if (stream_is_tls(connection->stream) || connection->gate->tls == NULL)
        return refuse(pop3, "TLS is on already, or not available");
    if (dialog_has_more(&pop3->dialog)) {
        pop3_write_err(&pop3->dialog.output, "Nothing may follow STLS before the handshake");
        return NEXT_END;
    }
    say_ok(pop3, "Go ahead");
    pop3->is_utf8 = false;
    int result = dialog_flush(task, &pop3->dialog);
    if (result == 0)
        result = connection_start_tls(task, connection);
    return result < 0 ? result : NEXT_COMMAND;
}

static int on_capa(struct task *task, struct pop3 *pop3, const struct pop3_command *command)
{
    (void)task;
    (void)command;
    pop3_write_capabilities(&pop3->dialog.output, mode_of(pop3));
    return NEXT_COMMAND;
}

static int on_lang(struct task *task, struct pop3 *pop3, const struct pop3_command *command)
{
    (void)task;
    pop3_write_language(&pop3->dialog.output, command->text);
    return NEXT_COMMAND;
}

static int on_utf8(struct task *task, struct pop3 *pop3, const struct pop3_command *command)
{
    (void)task;
    (void)command;
    pop3->is_utf8 = true;
    say_ok(pop3, "UTF-8 it is");
    return NEXT_COMMAND;
}

static int on_quit(struct task *task, struct pop3 *pop3, const struct pop3_command *command)
{
    (void)task;
    (void)command;
    say_ok(pop3, "Goodbye");
    return NEXT_END;
}

typedef int command_runner(struct task *task, struct pop3 *pop3, const struct pop3_command *command);

/* What the grammar lets through before login. */
static command_runner *const runners[POP3_VERB_COUNT] = {
    [POP3_AUTH] = on_auth, [POP3_CAPA] = on_capa, [POP3_LANG] = on_lang, [POP3_PASS] = on_pass,
    [POP3_QUIT] = on_quit, [POP3_STLS] = on_stls, [POP3_USER] = on_user, [POP3_UTF8] = on_utf8,
};

/* --- the conversation --------------------------------------------------------------------------------------------- */

static int run_command(struct task *task, struct pop3 *pop3, span_t line)
{
    static const char *const refusals[] = {
        [POP3_PARSE_UNKNOWN] = "There is no such command",
        [POP3_PARSE_STATE] = "Log in first",
        [POP3_PARSE_ARGUMENT] = "Not with these arguments",
    };
    struct pop3_command command = {0};
    enum pop3_parse parsed = pop3_command_parse(line, POP3_AUTHORIZATION, &command);
    /* PASS comes right behind USER, or not at all (RFC 1939 §7). */
    if (parsed != POP3_PARSE_OK || command.verb != POP3_PASS)
        buf_clear(&pop3->user);
    if (parsed != POP3_PARSE_OK)
        return refuse(pop3, refusals[parsed]);
    int next = runners[command.verb](task, pop3, &command);
    if (command.verb == POP3_PASS)
        buf_clear(&pop3->user);
    return next;
}

/* The line is moved out of the input first, which moves while the command waits; the copy is wiped. */
static int next_command(struct task *task, struct pop3 *pop3)
{
    span_t line;
    size_t len = 0;
    AUTO_BUF struct buf copy;
    buf_init(&copy, POP3_LINE_MAX_BEFORE);
    int result = next_line(task, pop3, &line, &len);
    if (result < 0)
        return result;
    result = buf_append(&copy, line);
    dialog_consume(&pop3->dialog, len);
    if (result == 0)
        result = run_command(task, pop3, buf_span(&copy));
    if (copy.bytes != NULL)
        secret_wipe(copy.bytes, copy.room);
    return result;
}

/* RFC 1939 §4; a client that begins with a TLS handshake on the clear port learns where it is. */
static int greet(struct task *task, struct pop3 *pop3)
{
    struct connection *connection = pop3->dialog.connection;
    buf_append_format(&pop3->dialog.output, "+OK %s Waxwing\r\n", connection->gate->conf->server_hostname);
    int result = dialog_fill(task, &pop3->dialog);
    if (result < 0 || !looks_like_tls(buf_span(&pop3->dialog.input)))
        return result;
    log_info("pop3.tls.unexpected", F_U64("service", connection->service));
    pop3_write_err(&pop3->dialog.output, "This port starts in clear: use STLS, or port 995 with TLS");
    return NEXT_END;
}

static void pop3_free(struct pop3 *pop3)
{
    if (pop3 == NULL)
        return;
    dialog_deinit(&pop3->dialog);
    login_deinit(&pop3->login);
    sasl_exchange_deinit(&pop3->sasl);
    buf_deinit(&pop3->user);
    buf_deinit(&pop3->prelude);
    free(pop3);
}
SCOPE_OF(pop3)

static int pop3_new(struct connection *connection, struct pop3 **ret_pop3)
{
    struct pop3 *pop3 = mem_new(sizeof(*pop3));
    if (pop3 == NULL)
        return -ENOMEM;
    pop3->reader.max = POP3_LINE_MAX_BEFORE;
    dialog_init(&pop3->dialog, connection, INPUT_MAX);
    login_init(&pop3->login, connection, SPAN_NONE);
    sasl_exchange_init(&pop3->sasl);
    buf_init(&pop3->user, SASL_NAME_MAX);
    buf_init(&pop3->prelude, 32);
    *ret_pop3 = pop3;
    return 0;
}

void pop3_serve(struct task *task, struct connection **connection)
{
    AUTO(pop3) struct pop3 *pop3 = NULL;
    if (pop3_new(*connection, &pop3) < 0)
        return;
    int next = greet(task, pop3);
    while (next == NEXT_COMMAND)
        next = next_command(task, pop3);
    if (next != NEXT_SESSION) { /* nothing is said to who was silent for too long (RFC 1939 §3) */
        dialog_end(task, &pop3->dialog);
        return;
    }
    span_t absent = SPAN("-ERR [SYS/TEMP] The mailbox cannot be opened just now\r\n");
    int result = dialog_flush(task, &pop3->dialog);
    if (result == 0)
        result =
            splice_start(TAKE(*connection), TAKE_FD(pop3->login.session_fd), absent, buf_span(&pop3->dialog.input));
    if (result < 0)
        log_warn("pop3.splice.failed", F_FAULT(result));
}
