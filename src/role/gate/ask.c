#include "role/gate/ask.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

#define ADDRESS_ROOM 1024U
#define KEEPER_PATIENCE_MS 3000 /* for a keeper that restarts, with new settings or after a crash */

/* As channel_call_within; -ENOTCONN where no keeper came in time. */
static int call_once(struct task *task, struct gate *gate, struct ipc_message *request, struct ipc_message **ret_reply)
{
    struct channel *keeper = wiring_peer(gate->wiring, ROLE_KEEPER, 0);
    int64_t deadline = loop_now(gate->loop) + KEEPER_PATIENCE_MS;
    while (keeper == NULL) {
        int64_t left = deadline - loop_now(gate->loop);
        int result = left <= 0 ? -ETIMEDOUT : event_wait(task, &gate->wired, left);
        if (result < 0)
            return result == -ETIMEDOUT ? -ENOTCONN : result;
        keeper = wiring_peer(gate->wiring, ROLE_KEEPER, 0);
    }
    return channel_call_within(task, keeper, request, GATE_CALL_MS, ret_reply);
}

/* One call to the keeper: put twice where it went away over it, which does no harm. 0 with a reply, 1 where there is
 * none to be had, -ECANCELED. */
static int call_keeper(struct task *task, struct gate *gate, struct ipc_message *request,
                       struct ipc_message **ret_reply)
{
    int result = call_once(task, gate, request, ret_reply);
    if (result == -EPIPE)
        result = call_once(task, gate, request, ret_reply);
    if (result == 0 || result == -ECANCELED)
        return result;
    log_warn("gate.keeper.silent", F_TEXT("request", ipc_type_name(request->type)), F_FAULT(result));
    return 1;
}

static bool has_row(span_t rows, span_t row)
{
    for (size_t at = 0; at < rows.len; at += RECIPIENT_ROW_SIZE)
        if (memcmp(rows.at + at, row.at, sizeof(uint64_t)) == 0)
            return true;
    return false;
}

static int add_rows(span_t found, struct buf *rows)
{
    size_t before = buf_len(rows);
    if (found.len == 0 || found.len % RECIPIENT_ROW_SIZE != 0)
        return RESOLVE_UNAVAILABLE;
    for (size_t at = 0; at < found.len; at += RECIPIENT_ROW_SIZE) {
        span_t row = span_slice(found, at, RECIPIENT_ROW_SIZE);
        if (!has_row(buf_span(rows), row) && buf_append(rows, row) < 0) {
            buf_truncate(rows, before);
            return RESOLVE_CROWDED;
        }
    }
    return RESOLVE_LOCAL;
}

int ask_resolve(struct task *task, struct gate *gate, const struct ipc_resolve *asked, struct buf *rows,
                struct buf *forwards)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    struct ipc_message request = {.type = IPC_resolve, .resolve = *asked};
    int result = call_keeper(task, gate, &request, &reply);
    if (result != 0)
        return result < 0 ? result : RESOLVE_UNAVAILABLE;
    int outcome = reply->resolved.outcome < RESOLVE_UNAVAILABLE ? (int)reply->resolved.outcome : RESOLVE_UNAVAILABLE;
    if (outcome != RESOLVE_LOCAL && outcome != RESOLVE_REMOTE)
        return outcome;
    if (outcome == RESOLVE_LOCAL && buf_append(forwards, reply->resolved.forwards) < 0)
        return RESOLVE_CROWDED;
    result = add_rows(reply->resolved.recipients, rows);
    return result == RESOLVE_LOCAL ? outcome : result;
}

int ask_visit(struct task *task, struct gate *gate, span_t client, bool *ret_known)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    struct ipc_message request = {.type = IPC_visit, .visit = {.client = client}};
    int result = call_keeper(task, gate, &request, &reply);
    *ret_known = result == 0 && reply->visit_done.is_known == 1;
    if (result != 0)
        return result < 0 ? result : (int)VISIT_WELCOME;
    return reply->visit_done.outcome == VISIT_WAIT ? VISIT_WAIT : VISIT_WELCOME;
}

int ask_may_send(struct task *task, struct gate *gate, uint64_t account, span_t address)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    struct ipc_message request = {.type = IPC_may_send, .may_send = {.account = account, .address = address}};
    int result = call_keeper(task, gate, &request, &reply);
    if (result != 0)
        return result < 0 ? result : ASK_MAY_UNKNOWN;
    return reply->may_send_done.allowed == 1 ? ASK_MAY : ASK_MAY_NOT;
}

void login_init(struct login *login, struct connection *connection, span_t prelude)
{
    *login = (struct login){.connection = connection, .prelude = prelude, .session_fd = -1};
    buf_init(&login->answer, SASL_RESPONSE_MAX);
    buf_init(&login->address, ADDRESS_ROOM);
}

void login_deinit(struct login *login)
{
    scope_close(&login->session_fd);
    login->session_fd = -1;
    buf_deinit(&login->answer);
    buf_deinit(&login->address);
}

static int take_login_done(struct login *login, struct ipc_message *reply)
{
    const struct ipc_login_done *done = &reply->login_done;
    if (done->outcome != LOGIN_OK)
        return done->outcome < LOGIN_UNAVAILABLE ? (int)done->outcome : LOGIN_UNAVAILABLE;
    login->account = done->account;
    login->session_fd = ipc_message_take_fd(reply, 0);
    buf_clear(&login->answer);
    buf_clear(&login->address);
    if (buf_append(&login->answer, done->server_final) < 0 || buf_append(&login->address, done->address) < 0)
        return LOGIN_UNAVAILABLE;
    if (service_has_sessions(login->connection->service) && login->session_fd < 0)
        return LOGIN_UNAVAILABLE;
    return LOGIN_OK;
}

int ask_login(struct task *task, struct login *login, span_t user, span_t password)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    struct connection *connection = login->connection;
    struct ipc_message request = {.type = IPC_login,
                                  .login = {.service = connection->service,
                                            .client = span_of_text(connection->address),
                                            .user = user,
                                            .password = password,
                                            .prelude = login->prelude}};
    int result = call_keeper(task, connection->gate, &request, &reply);
    if (result != 0)
        return result < 0 ? result : LOGIN_UNAVAILABLE;
    return take_login_done(login, reply);
}

int ask_scram_start(struct task *task, struct login *login, const struct sasl_exchange *sasl)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    struct connection *connection = login->connection;
    uint8_t binding[STREAM_BINDING_SIZE];
    bool plus = sasl->mechanism == SASL_SCRAM_SHA_256_PLUS;
    /* A client that was not told of -PLUS says so rightly, and is not being cheated of it (RFC 5802 §6). */
    bool is_bound = (plus || gate_scram(connection->gate) == SASL_SCRAM_ANNOUNCED) &&
                    stream_tls_binding(connection->stream, binding) == 0;
    struct ipc_message request = {.type = IPC_scram_start,
                                  .scram_start = {.service = connection->service,
                                                  .client = span_of_text(connection->address),
                                                  .client_first = buf_span(&sasl->message),
                                                  .binding_type = is_bound ? SPAN("tls-exporter") : SPAN_NONE,
                                                  .binding = is_bound ? span_of(binding, sizeof(binding)) : SPAN_NONE,
                                                  .prelude = login->prelude,
                                                  .plus = plus}};
    int result = call_keeper(task, connection->gate, &request, &reply);
    if (result != 0)
        return result < 0 ? result : LOGIN_UNAVAILABLE;
    if (reply->scram_challenge.outcome != LOGIN_OK)
        return reply->scram_challenge.outcome < LOGIN_UNAVAILABLE ? (int)reply->scram_challenge.outcome
                                                                  : LOGIN_UNAVAILABLE;
    login->scram = reply->scram_challenge.handle;
    buf_clear(&login->answer);
    return buf_append(&login->answer, reply->scram_challenge.server_first) < 0 ? LOGIN_UNAVAILABLE : LOGIN_OK;
}

int ask_scram_finish(struct task *task, struct login *login, const struct sasl_exchange *sasl)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    struct ipc_message request = {.type = IPC_scram_finish,
                                  .scram_finish = {.handle = login->scram, .client_final = buf_span(&sasl->message)}};
    int result = call_keeper(task, login->connection->gate, &request, &reply);
    if (result != 0)
        return result < 0 ? result : LOGIN_UNAVAILABLE;
    return take_login_done(login, reply);
}
