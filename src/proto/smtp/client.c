#include "proto/smtp/client.h"

#include <string.h>

#include "base/base64.h"

/* Commands under way at a time (RFC 2920 §3.1): so few that their answers fit every socket buffer, and neither side
 * waits for the other for ever. */
#define WINDOW 32U
#define LOGIN_MAX 1024U

void smtp_client_init(struct smtp_client *client, const struct smtp_client_settings *settings)
{
    memset(client, 0, sizeof(*client));
    client->settings = *settings;
}

void smtp_client_is_tls(struct smtp_client *client)
{
    client->is_tls = true;
}

/* The one place where the state changes. */
static enum smtp_client_step enter(struct smtp_client *client, enum smtp_client_state state, enum smtp_client_step step)
{
    client->state = state;
    return step;
}

static enum smtp_client_step fail(struct smtp_client *client)
{
    client->failure = client->response;
    client->has_failed = true;
    return enter(client, SMTP_CLIENT_ENDED, SMTP_CLIENT_CLOSED);
}

/* In words of ours, as though the server had said them. */
static enum smtp_client_step fail_with(struct smtp_client *client, unsigned code, uint16_t subject, uint16_t detail,
                                       span_t text)
{
    client->response = (struct smtp_response){
        .code = code, .class_ = (uint8_t)(code / 100), .subject = subject, .detail = detail, .is_complete = true};
    client->response.text_len = text.len < SMTP_RESPONSE_TEXT_MAX ? text.len : SMTP_RESPONSE_TEXT_MAX;
    memcpy(client->response.text, text.at, client->response.text_len);
    return fail(client);
}

static enum smtp_client_step say_hello(struct smtp_client *client, const char *verb, struct buf *commands)
{
    buf_append_text(commands, verb);
    buf_append(commands, client->settings.hostname);
    buf_append(commands, SPAN("\r\n"));
    client->extensions = 0;
    client->size_max = 0;
    return SMTP_CLIENT_READ;
}

static enum smtp_client_step say_ehlo(struct smtp_client *client, struct buf *commands)
{
    return enter(client, SMTP_CLIENT_AT_EHLO, say_hello(client, "EHLO ", commands));
}

enum smtp_client_step smtp_client_tls(struct smtp_client *client, struct buf *commands)
{
    client->is_tls = true;
    return say_ehlo(client, commands); /* RFC 3207 §4.2: what was said before the handshake does not count */
}

/* --- EHLO ----------------------------------------------------------------------------------------------------- */

static void note_auth(struct smtp_client *client, span_t words)
{
    span_t word;
    while (span_cut(&words, ' ', &word)) {
        if (span_equal_nocase(word, SPAN("PLAIN")))
            client->extensions |= SMTP_EXT_AUTH_PLAIN;
        else if (span_equal_nocase(word, SPAN("LOGIN")))
            client->extensions |= SMTP_EXT_AUTH_LOGIN;
    }
}

static void note_extension(struct smtp_client *client, span_t words)
{
    static const struct {
        const char *name;
        enum smtp_client_extension extension;
    } rows[] = {
        {"PIPELINING", SMTP_EXT_PIPELINING}, /* RFC 2920 */
        {"8BITMIME", SMTP_EXT_8BITMIME},     /* RFC 6152 */
        {"SMTPUTF8", SMTP_EXT_SMTPUTF8},     /* RFC 6531 */
        {"SIZE", SMTP_EXT_SIZE},             /* RFC 1870 */
        {"DSN", SMTP_EXT_DSN},               /* RFC 3461 */
        {"STARTTLS", SMTP_EXT_STARTTLS},     /* RFC 3207 */
        {"REQUIRETLS", SMTP_EXT_REQUIRETLS}, /* RFC 8689 */
        {"CHUNKING", SMTP_EXT_CHUNKING},     /* RFC 3030 */
        {"BINARYMIME", SMTP_EXT_BINARYMIME}, /* RFC 3030 */
    };
    span_t name = SPAN_NONE;
    (void)span_cut(&words, ' ', &name);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (span_equal_nocase(name, span_of_text(rows[i].name)))
            client->extensions |= (unsigned)rows[i].extension;
    if (span_equal_nocase(name, SPAN("SIZE")) && span_to_u64(span_trim(words), UINT64_MAX, &client->size_max) < 0)
        client->size_max = 0;
    if (span_equal_nocase(name, SPAN("AUTH")))
        note_auth(client, words);
}

static enum smtp_client_step log_in(struct smtp_client *client, struct buf *commands)
{
    AUTO_BUF struct buf plain;
    buf_init(&plain, LOGIN_MAX);
    if (!client->is_tls)
        return fail_with(client, 454, 7, 11, SPAN("No login without TLS, which the server does not offer"));
    if ((client->extensions & SMTP_EXT_AUTH_PLAIN) == 0) {
        if ((client->extensions & SMTP_EXT_AUTH_LOGIN) == 0)
            return fail_with(client, 454, 7, 0, SPAN("The server offers no login by password"));
        buf_append(commands, SPAN("AUTH LOGIN\r\n"));
        return enter(client, SMTP_CLIENT_AT_LOGIN_USER, SMTP_CLIENT_READ);
    }
    buf_append_byte(&plain, 0); /* RFC 4616 §2 */
    buf_append(&plain, client->settings.user);
    buf_append_byte(&plain, 0);
    buf_append(&plain, client->settings.password);
    buf_append(commands, SPAN("AUTH PLAIN "));
    (void)!base64_encode(buf_span(&plain), commands);
    buf_append(commands, SPAN("\r\n"));
    if (plain.bytes != NULL)
        explicit_bzero(plain.bytes, plain.end);
    return enter(client, SMTP_CLIENT_AT_PLAIN, SMTP_CLIENT_READ);
}

static enum smtp_client_step after_hello(struct smtp_client *client, struct buf *commands)
{
    if (!client->is_tls && client->settings.tls != SMTP_CLIENT_TLS_NEVER &&
        (client->extensions & SMTP_EXT_STARTTLS) != 0) {
        buf_append(commands, SPAN("STARTTLS\r\n"));
        return enter(client, SMTP_CLIENT_AT_STARTTLS, SMTP_CLIENT_READ);
    }
    if (!client->is_tls && client->settings.tls == SMTP_CLIENT_TLS_MUST)
        return fail_with(client, 454, 7, 10, SPAN("TLS is asked for, and the server does not offer it"));
    if (client->settings.user.len > 0)
        return log_in(client, commands);
    return enter(client, SMTP_CLIENT_AT_REST, SMTP_CLIENT_READY);
}

static enum smtp_client_step on_greeting(struct smtp_client *client, struct buf *commands)
{
    return client->response.code == 220 ? say_ehlo(client, commands) : fail(client);
}

/* RFC 5321 §3.2: who does not know EHLO may know HELO. */
static enum smtp_client_step on_ehlo(struct smtp_client *client, struct buf *commands)
{
    if (client->response.code == 250)
        return after_hello(client, commands);
    if (client->response.code < 500 || client->is_tls)
        return fail(client);
    return enter(client, SMTP_CLIENT_AT_HELO, say_hello(client, "HELO ", commands));
}

static enum smtp_client_step on_helo(struct smtp_client *client, struct buf *commands)
{
    return client->response.code == 250 ? after_hello(client, commands) : fail(client);
}

static enum smtp_client_step on_starttls(struct smtp_client *client, struct buf *commands)
{
    if (client->response.code == 220)
        return enter(client, SMTP_CLIENT_AT_HANDSHAKE, SMTP_CLIENT_TLS);
    if (client->settings.tls == SMTP_CLIENT_TLS_MUST)
        return fail(client);
    client->extensions &= ~(unsigned)SMTP_EXT_STARTTLS;
    return after_hello(client, commands);
}

/* --- login ------------------------------------------------------------------------------------------------------ */

static enum smtp_client_step say_secret(struct smtp_client *client, span_t secret, enum smtp_client_state state,
                                        struct buf *commands)
{
    if (client->response.code != 334)
        return fail(client);
    (void)!base64_encode(secret, commands);
    buf_append(commands, SPAN("\r\n"));
    return enter(client, state, SMTP_CLIENT_READ);
}

static enum smtp_client_step on_login_user(struct smtp_client *client, struct buf *commands)
{
    return say_secret(client, client->settings.user, SMTP_CLIENT_AT_LOGIN_PASSWORD, commands);
}

static enum smtp_client_step on_login_password(struct smtp_client *client, struct buf *commands)
{
    return say_secret(client, client->settings.password, SMTP_CLIENT_AT_LOGIN_END, commands);
}

static enum smtp_client_step on_login_end(struct smtp_client *client, struct buf *commands)
{
    (void)commands;
    return client->response.code == 235 ? enter(client, SMTP_CLIENT_AT_REST, SMTP_CLIENT_READY) : fail(client);
}

/* --- a transaction ------------------------------------------------------------------------------------------------ */

static bool takes_binary(const struct smtp_client *client)
{
    const unsigned both = (unsigned)SMTP_EXT_CHUNKING | (unsigned)SMTP_EXT_BINARYMIME; /* RFC 3030 §3 */
    return (client->extensions & both) == both;
}

bool smtp_client_wants_less(const struct smtp_client *client, const struct smtp_client_mail *mail)
{
    return mail->is_binary ? !takes_binary(client)
                           : mail->is_8bit && (client->extensions & SMTP_EXT_8BITMIME) == 0; /* RFC 6152 §3 */
}

const char *smtp_client_lacks(const struct smtp_client *client, const struct smtp_client_mail *mail,
                              const char **ret_status)
{
    if (mail->is_utf8 && (client->extensions & SMTP_EXT_SMTPUTF8) == 0) { /* RFC 6531 §3.2 */
        *ret_status = "5.6.7";
        return "The other server does not take addresses and headers beyond ASCII (SMTPUTF8)";
    }
    if (smtp_client_wants_less(client, mail)) {
        *ret_status = "5.6.3";
        return mail->is_binary ? "The other server takes no binary messages (it lacks BINARYMIME or CHUNKING)"
                               : "The other server takes seven-bit messages only (it lacks 8BITMIME)";
    }
    if (mail->require_tls && (!client->is_tls || (client->extensions & SMTP_EXT_REQUIRETLS) == 0)) { /* RFC 8689 §4.2 */
        *ret_status = "5.7.30";
        return "The sender requires TLS all the way, and the other server does not promise it (REQUIRETLS)";
    }
    if (client->size_max > 0 && mail->size > client->size_max) { /* RFC 1870 §5 */
        *ret_status = "5.3.4";
        return "The message is larger than the other server takes";
    }
    return NULL;
}

static void say_mail(const struct smtp_client *client, struct buf *commands)
{
    const struct smtp_client_mail *mail = &client->mail;
    buf_append(commands, SPAN("MAIL FROM:<"));
    buf_append(commands, mail->sender);
    buf_append_byte(commands, '>');
    if ((client->extensions & SMTP_EXT_SIZE) != 0)
        buf_append_format(commands, " SIZE=%llu", (unsigned long long)mail->size);
    if (mail->is_8bit || mail->is_binary)
        buf_append_text(commands, mail->is_binary ? " BODY=BINARYMIME" : " BODY=8BITMIME");
    if (mail->is_utf8)
        buf_append(commands, SPAN(" SMTPUTF8"));
    if (mail->require_tls)
        buf_append(commands, SPAN(" REQUIRETLS"));
    if ((client->extensions & SMTP_EXT_DSN) != 0) {
        if (mail->ret != SMTP_RETURN_ANY)
            buf_append_text(commands, mail->ret == SMTP_RETURN_FULL ? " RET=FULL" : " RET=HDRS");
        if (mail->envid.len > 0) {
            buf_append(commands, SPAN(" ENVID="));
            buf_append(commands, mail->envid);
        }
    }
    buf_append(commands, SPAN("\r\n"));
}

static void say_notify(unsigned notify, struct buf *commands)
{
    static const struct {
        enum smtp_notify notify;
        const char *name;
    } rows[] = {{SMTP_NOTIFY_NEVER, "NEVER"},
                {SMTP_NOTIFY_SUCCESS, "SUCCESS"},
                {SMTP_NOTIFY_FAILURE, "FAILURE"},
                {SMTP_NOTIFY_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if ((notify & (unsigned)rows[i].notify) == 0)
            continue;
        buf_append_text(commands, before);
        buf_append_text(commands, rows[i].name);
        before = ",";
    }
}

static void say_rcpt(const struct smtp_client *client, const struct smtp_client_recipient *recipient,
                     struct buf *commands)
{
    buf_append(commands, SPAN("RCPT TO:<"));
    buf_append(commands, recipient->address);
    buf_append_byte(commands, '>');
    if ((client->extensions & SMTP_EXT_DSN) != 0) { /* RFC 3461 §5.2.1 */
        say_notify(recipient->notify, commands);
        if (recipient->orcpt.len > 0) {
            buf_append(commands, SPAN(" ORCPT="));
            buf_append(commands, recipient->orcpt);
        }
    }
    buf_append(commands, SPAN("\r\n"));
}

/* The commands are numbered: RSET where it is needed, MAIL, RCPT for each recipient, DATA. */
enum part { PART_RESET, PART_MAIL, PART_RCPT, PART_DATA, PART_NONE };

static enum part part_of(const struct smtp_client *client, size_t number, size_t *ret_recipient)
{
    if (client->needs_reset && number == 0)
        return PART_RESET;
    number -= client->needs_reset ? 1 : 0;
    if (number == 0)
        return PART_MAIL;
    *ret_recipient = number - 1;
    return number <= client->mail.count ? PART_RCPT : number == client->mail.count + 1 ? PART_DATA : PART_NONE;
}

static void say_part(struct smtp_client *client, enum part part, size_t recipient, struct buf *commands)
{
    if (part == PART_RESET)
        buf_append(commands, SPAN("RSET\r\n"));
    else if (part == PART_MAIL)
        say_mail(client, commands);
    else if (part == PART_RCPT)
        say_rcpt(client, &client->mail.recipients[recipient], commands);
    else
        buf_append(commands, SPAN("DATA\r\n"));
    client->sent++;
}

static bool has_open(const struct smtp_client *client)
{
    for (size_t i = 0; i < client->mail.count; i++)
        if (client->mail.recipients[i].outcome == SMTP_CLIENT_OPEN)
            return true;
    return false;
}

static enum smtp_client_step end_transaction(struct smtp_client *client)
{
    return enter(client, SMTP_CLIENT_AT_REST, SMTP_CLIENT_SENT);
}

/* RFC 3030 §2: nothing asks for the content, so it waits until it is known that somebody wants it. */
static enum smtp_client_step pump_chunk(struct smtp_client *client, struct buf *commands)
{
    if (client->answered < client->sent)
        return enter(client, SMTP_CLIENT_AT_COMMANDS, SMTP_CLIENT_READ);
    buf_append_format(commands, "BDAT %llu LAST\r\n", (unsigned long long)client->mail.size);
    return enter(client, SMTP_CLIENT_AT_CONTENT, SMTP_CLIENT_CHUNK);
}

/* As many commands as may go out now. DATA waits for all answers before it, where nobody may have been accepted. */
static enum smtp_client_step pump(struct smtp_client *client, struct buf *commands)
{
    size_t window = (client->extensions & SMTP_EXT_PIPELINING) != 0 ? WINDOW : 1;
    size_t recipient = 0;
    while (client->sent - client->answered < window) {
        enum part part = part_of(client, client->sent, &recipient);
        if (part == PART_NONE)
            break;
        if (client->answered == client->sent && !has_open(client)) {
            client->needs_reset = true;
            return end_transaction(client);
        }
        if (part == PART_DATA && client->mail.is_binary)
            return pump_chunk(client, commands);
        say_part(client, part, recipient, commands);
    }
    return enter(client, SMTP_CLIENT_AT_COMMANDS, SMTP_CLIENT_READ);
}

enum smtp_client_step smtp_client_send(struct smtp_client *client, const struct smtp_client_mail *mail,
                                       struct buf *commands)
{
    client->mail = *mail;
    client->sent = 0;
    client->answered = 0;
    client->accepted = 0;
    for (size_t i = 0; i < mail->count; i++)
        mail->recipients[i].outcome = SMTP_CLIENT_OPEN;
    return pump(client, commands);
}

static void settle(struct smtp_client *client, struct smtp_client_recipient *recipient)
{
    unsigned code = client->response.code;
    recipient->outcome = code < 300 ? SMTP_CLIENT_DELIVERED : code < 500 ? SMTP_CLIENT_DEFERRED : SMTP_CLIENT_REFUSED;
    recipient->response = client->response;
}

static void settle_all(struct smtp_client *client)
{
    for (size_t i = 0; i < client->mail.count; i++)
        if (client->mail.recipients[i].outcome == SMTP_CLIENT_OPEN)
            settle(client, &client->mail.recipients[i]);
}

static enum smtp_client_step on_rcpt(struct smtp_client *client, size_t at)
{
    struct smtp_client_recipient *recipient = &client->mail.recipients[at];
    if (recipient->outcome != SMTP_CLIENT_OPEN)
        return SMTP_CLIENT_READ;
    if (client->response.code < 300)
        client->accepted++;
    else
        settle(client, recipient);
    return SMTP_CLIENT_READ;
}

static enum smtp_client_step on_data(struct smtp_client *client)
{
    if (client->response.code == 354)
        return enter(client, SMTP_CLIENT_AT_CONTENT,
                     client->accepted > 0 && has_open(client) ? SMTP_CLIENT_CONTENT : SMTP_CLIENT_NOTHING);
    if (client->response.code < 400) /* neither yes nor no */
        return fail_with(client, 451, 5, 0, SPAN("The other server does not speak SMTP"));
    settle_all(client);
    client->needs_reset = true;
    return end_transaction(client);
}

static enum smtp_client_step on_commands(struct smtp_client *client, struct buf *commands)
{
    size_t recipient = 0;
    enum part part = part_of(client, client->answered, &recipient);
    unsigned code = client->response.code;
    client->answered++;
    if (code == 421) { /* RFC 5321 §3.8: it closes */
        settle_all(client);
        return fail(client);
    }
    if (part == PART_MAIL && code >= 300)
        settle_all(client);
    else if (part == PART_RCPT)
        (void)on_rcpt(client, recipient);
    else if (part == PART_DATA)
        return on_data(client);
    return pump(client, commands);
}

enum smtp_client_step smtp_client_content(struct smtp_client *client)
{
    return enter(client, SMTP_CLIENT_AT_END, SMTP_CLIENT_READ);
}

static enum smtp_client_step on_end(struct smtp_client *client, struct buf *commands)
{
    (void)commands;
    settle_all(client);
    client->needs_reset = client->response.code >= 300;
    return client->response.code == 421 ? fail(client) : end_transaction(client);
}

enum smtp_client_step smtp_client_quit(struct smtp_client *client, struct buf *commands)
{
    buf_append(commands, SPAN("QUIT\r\n"));
    return enter(client, SMTP_CLIENT_AT_QUIT, SMTP_CLIENT_READ);
}

static enum smtp_client_step on_quit(struct smtp_client *client, struct buf *commands)
{
    (void)commands;
    return enter(client, SMTP_CLIENT_ENDED, SMTP_CLIENT_CLOSED);
}

/* At rest nothing is expected: who speaks then takes his leave (RFC 5321 §3.8). */
static enum smtp_client_step on_rest(struct smtp_client *client, struct buf *commands)
{
    (void)commands;
    return fail(client);
}

enum smtp_client_step smtp_client_line(struct smtp_client *client, span_t line, struct buf *commands)
{
    typedef enum smtp_client_step handler(struct smtp_client * client, struct buf * commands);
    static handler *const handlers[] = {
        [SMTP_CLIENT_AT_GREETING] = on_greeting,
        [SMTP_CLIENT_AT_EHLO] = on_ehlo,
        [SMTP_CLIENT_AT_HELO] = on_helo,
        [SMTP_CLIENT_AT_STARTTLS] = on_starttls,
        [SMTP_CLIENT_AT_HANDSHAKE] = on_rest,
        [SMTP_CLIENT_AT_PLAIN] = on_login_end,
        [SMTP_CLIENT_AT_LOGIN_USER] = on_login_user,
        [SMTP_CLIENT_AT_LOGIN_PASSWORD] = on_login_password,
        [SMTP_CLIENT_AT_LOGIN_END] = on_login_end,
        [SMTP_CLIENT_AT_REST] = on_rest,
        [SMTP_CLIENT_AT_COMMANDS] = on_commands,
        [SMTP_CLIENT_AT_CONTENT] = on_rest,
        [SMTP_CLIENT_AT_END] = on_end,
        [SMTP_CLIENT_AT_QUIT] = on_quit,
        [SMTP_CLIENT_ENDED] = on_quit,
    };
    span_t words = SPAN_NONE;
    if (client->response.is_complete)
        client->response = (struct smtp_response){0};
    bool is_first = client->response.lines == 0;
    if (smtp_response_line(&client->response, line, &words) < 0)
        return fail_with(client, 451, 5, 0, SPAN("The other server does not speak SMTP"));
    if (client->state == SMTP_CLIENT_AT_EHLO && !is_first && client->response.code == 250)
        note_extension(client, words);
    return client->response.is_complete ? handlers[client->state](client, commands) : SMTP_CLIENT_READ;
}
