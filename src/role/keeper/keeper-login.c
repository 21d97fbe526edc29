#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "role/keeper/keeper-state.h"

#define OPEN_TIMEOUT 20000

static bool has_sessions(enum ipc_service service)
{
    return service == SERVICE_IMAP || service == SERVICE_IMAP_TLS || service == SERVICE_POP3 ||
           service == SERVICE_POP3_TLS;
}

/* One packet: the root secret, the account's quota and its address. */
static int key_send(int fd, const struct auth_opened *opened)
{
    uint8_t packet[WRAP_SECRET_SIZE + 8 + ACCOUNT_ADDRESS_MAX + 1];
    uint8_t quota[8];
    struct buf view = {.bytes = packet, .room = sizeof(packet), .max = sizeof(packet)};
    buf_append(&view, secret_span(opened->root));
    bytes_put_u64(quota, opened->account.quota);
    buf_append(&view, span_of(quota, sizeof(quota)));
    buf_append_text(&view, opened->account.address);
    ssize_t sent = send(fd, packet, buf_len(&view), MSG_NOSIGNAL | MSG_DONTWAIT);
    int result = sent == (ssize_t)buf_len(&view) ? 0 : -EIO;
    secret_wipe(packet, sizeof(packet));
    return result;
}

int keeper_open_session(struct task *task, struct keeper *keeper, const struct auth_opened *opened,
                        const struct keeper_handoff *handoff, int *ret_fd)
{
    int key[2];
    int client[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, key) < 0)
        return -errno;
    AUTO_FD int key_here = key[0];
    AUTO_FD int key_there = key[1];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, client) < 0)
        return -errno;
    AUTO_FD int near = client[0];
    AUTO_FD int far = client[1];
    int result = key_send(key_here, opened);
    if (result != 0)
        return result;
    struct ipc_message request = {.type = IPC_open_session,
                                  .fd_count = 2,
                                  .open_session = {.account = opened->account.id,
                                                   .service = handoff->service,
                                                   .prelude = handoff->prelude,
                                                   .client = handoff->client}};
    request.fds[0] = TAKE_FD(key_there);
    request.fds[1] = TAKE_FD(far);
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    result = channel_call_within(task, wiring_supervisor(keeper->wiring), &request, OPEN_TIMEOUT, &reply);
    if (result != 0)
        return result;
    if (reply->done.outcome != 0)
        return -(int)reply->done.outcome;
    *ret_fd = TAKE_FD(near);
    return 0;
}

/* The rest of a login that was judged: the session, where the service has one, and the answer. */
static void finish(struct task *task, struct keeper *keeper, struct keeper_request *request, int outcome,
                   struct auth_opened *opened, const struct keeper_handoff *handoff, span_t server_final)
{
    struct ipc_message reply = {.type = IPC_login_done, .login_done = {.server_final = server_final}};
    AUTO_FD int fd = -1;
    if (outcome == LOGIN_OK && has_sessions(handoff->service)) {
        int result = keeper_open_session(task, keeper, opened, handoff, &fd);
        if (result != 0) {
            log_error("keeper.session.unavailable", F_FAULT(result));
            outcome = result == -ECANCELED ? result : LOGIN_UNAVAILABLE;
        }
    }
    secret_free(opened->root);
    opened->root = NULL;
    if (outcome == -ECANCELED)
        return; /* we are ending: whoever asks puts it to the next keeper */
    if (outcome < 0) {
        log_error("keeper.login.failed", F_FAULT(outcome));
        outcome = LOGIN_UNAVAILABLE;
    }
    if (outcome == LOGIN_OK) {
        keeper->logins++;
        reply.login_done.account = opened->account.id;
        reply.login_done.address = span_of_text(opened->account.address);
    } else {
        keeper->refusals++;
        log_info("keeper.login.refused", F_INT("outcome", outcome), F_HASH("client", handoff->client));
    }
    reply.login_done.outcome = (uint32_t)outcome;
    if (fd >= 0) {
        reply.fd_count = 1;
        reply.fds[0] = TAKE_FD(fd);
    }
    keeper_reply(request, &reply);
}

void keeper_login(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    const struct ipc_login *login = &request->message->login;
    struct auth_attempt attempt = {(enum ipc_service)login->service, login->client, login->user, login->password};
    struct keeper_handoff handoff = {attempt.service, login->prelude, login->client};
    struct auth_opened opened = {0};
    int outcome = auth_password(task, &keeper->auth, &attempt, &opened);
    if (login->password.len > 0) /* ours alone by now: it stands in the message's own block */
        secret_wipe((void *)(uintptr_t)login->password.at, login->password.len);
    finish(task, keeper, request, outcome, &opened, &handoff, SPAN_NONE);
}

void keeper_scram_start(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    const struct ipc_scram_start *start = &request->message->scram_start;
    struct auth_scram scram = {.service = (enum ipc_service)start->service,
                               .plus = start->plus != 0,
                               .client = start->client,
                               .first = start->client_first,
                               .binding_type = start->binding_type,
                               .binding = start->binding,
                               .prelude = start->prelude};
    const struct auth_exchange *exchange = NULL;
    int outcome = auth_scram_start(&keeper->auth, loop_now(task_loop(task)), &scram, &exchange);
    struct ipc_message reply = {.type = IPC_scram_challenge};
    if (outcome == LOGIN_OK) {
        reply.scram_challenge.handle = exchange->handle;
        reply.scram_challenge.server_first = buf_span(&exchange->server_first);
    }
    reply.scram_challenge.outcome = outcome < 0 ? LOGIN_UNAVAILABLE : (uint32_t)outcome;
    keeper_reply(request, &reply);
}

void keeper_scram_finish(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    const struct ipc_scram_finish *message = &request->message->scram_finish;
    struct auth_opened opened = {0};
    AUTO_BUF struct buf server_final = {0};
    buf_init(&server_final, 1024);
    AUTO(auth_exchange)
    struct auth_exchange *exchange = auth_scram_take(&keeper->auth, loop_now(task_loop(task)), message->handle);
    if (exchange == NULL) {
        struct keeper_handoff none = {SERVICE_COUNT, SPAN_NONE, SPAN_NONE};
        finish(task, keeper, request, LOGIN_DENIED, &opened, &none, SPAN_NONE);
        return;
    }
    struct keeper_handoff handoff = {exchange->service, buf_span(&exchange->prelude), buf_span(&exchange->client)};
    int outcome = auth_scram_finish(task, &keeper->auth, exchange, message->client_final, &server_final, &opened);
    finish(task, keeper, request, outcome, &opened, &handoff, buf_span(&server_final));
}
