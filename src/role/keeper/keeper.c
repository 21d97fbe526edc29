#include "role/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "crypto/kdf.h"
#include "priv/rights.h"
#include "role/keeper/keeper-state.h"
#include "role/start.h"

#define FINISH_TIMEOUT 5000
#define BEGIN_PATIENCE 10000

void keeper_reply(struct keeper_request *request, struct ipc_message *reply)
{
    int result = channel_reply(request->channel, request->message->call, reply);
    if (result != 0 && result != -EPIPE)
        log_warn("keeper.reply.failed", F_FAULT(result));
}

/* --- requests that need no task --- */

static void may_send(struct keeper *keeper, struct keeper_request *request)
{
    const struct ipc_may_send *asked = &request->message->may_send;
    int result = directory_may_send(keeper->directory, asked->account, asked->address);
    if (result < 0)
        log_error("keeper.may_send.failed", F_FAULT(result));
    struct ipc_message reply = {.type = IPC_may_send_done, .may_send_done = {.allowed = result == DIRECTORY_OK}};
    keeper_reply(request, &reply);
}

static void note_full(struct keeper *keeper, const struct ipc_account_full *said)
{
    int result = directory_account_set_full(keeper->directory, said->account, said->is_full);
    if (result < 0)
        log_error("keeper.full.failed", F_FAULT(result));
}

/* --- requests that may wait --- */

static keeper_handler *handler_of(enum ipc_type type)
{
    static const struct {
        enum ipc_type type;
        keeper_handler *handler;
    } rows[] = {
        {IPC_login, keeper_login},
        {IPC_scram_start, keeper_scram_start},
        {IPC_scram_finish, keeper_scram_finish},
        {IPC_admin, keeper_admin},
        {IPC_dkim_keys, keeper_dkim_keys},
        {IPC_sign, keeper_sign},
        {IPC_queue_key, keeper_queue_key},
        {IPC_greylist, keeper_greylist},
        {IPC_spend, keeper_spend},
        {IPC_visit, keeper_visit},
        {IPC_tally, keeper_tally},
        {IPC_report_next, keeper_report_next},
        {IPC_report_rows, keeper_report_rows},
        {IPC_report_over, keeper_report_over},
        {IPC_forward, keeper_forward},
        {IPC_holds, keeper_holds},
        {IPC_hold_change, keeper_hold_change},
        {IPC_received, keeper_received},
    };
    for (size_t at = 0; at < COUNT_OF(rows); at++)
        if (rows[at].type == type)
            return rows[at].handler;
    return NULL;
}

static void request_free(struct keeper_request *request)
{
    channel_unref(request->channel);
    ipc_message_free(request->message);
    scope_free(&request);
}

/* Peers may ask before we are let begin. */
static void request_task(struct task *task, void *arg)
{
    struct keeper_request *request = arg;
    struct keeper *keeper = request->keeper;
    enum ipc_type type = request->message->type;
    int result = event_wait(task, &keeper->begun, BEGIN_PATIENCE);
    if (result == 0 && type == IPC_resolve)
        keeper_resolve(keeper, request);
    else if (result == 0 && type == IPC_may_send)
        may_send(keeper, request);
    else if (result == 0)
        handler_of(type)(task, keeper, request);
    request_free(request);
}

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct keeper *keeper = arg;
    struct keeper_request at_once = {keeper, channel, message};
    bool is_quick = message->type == IPC_resolve || message->type == IPC_may_send;
    struct keeper_request *request = NULL;
    if (message->type == IPC_resolve && keeper->directory != NULL)
        keeper_resolve(keeper, &at_once);
    else if (message->type == IPC_account_full && keeper->directory != NULL)
        note_full(keeper, &message->account_full);
    else if (message->type == IPC_account_damage && keeper->damages != NULL)
        keeper_damage_take(keeper, &message->account_damage);
    else if (message->type == IPC_bounced)
        keeper_conduct_bounced(keeper, &message->bounced);
    else if (message->type == IPC_vouch && keeper->visitors != NULL)
        keeper_vouch(keeper, message->vouch.client);
    else if (message->type == IPC_may_send && keeper->directory != NULL)
        may_send(keeper, &at_once);
    else if (is_quick || handler_of(message->type) != NULL)
        request = mem_new(sizeof(*request));
    if (request == NULL) {
        ipc_message_free(message);
        return;
    }
    *request = (struct keeper_request){keeper, channel_ref(channel), message};
    int result = task_group_spawn(&keeper->tasks, keeper->loop, "keeper.request", request_task, request);
    if (result != 0) {
        log_error("keeper.request.dropped", F_FAULT(result));
        request_free(request);
    }
}

/* --- the role --- */

static int on_begin(void *arg)
{
    struct keeper *keeper = arg;
    const struct role_start *start = keeper->start;
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/directory.db", start->data);
    if (len < 0 || (size_t)len >= sizeof(path))
        return -ENAMETOOLONG;
    const struct priv_start confine = {.data = start->data, .user = start->conf->server_user};
    int result = priv_enter(PRIV_KEEPER, &confine);
    if (result == 0)
        result = keeper_damage_begin(keeper);
    if (result == 0)
        result = directory_open(path, secret_bytes(keeper->directory_key), &keeper->directory);
    secret_free(keeper->directory_key);
    keeper->directory_key = NULL;
    if (result == 0)
        result = domainkeys_ready_new(&keeper->signing);
    if (result == 0)
        result = keeper_trust_begin(keeper);
    if (result == 0)
        result = keeper_limit_begin(keeper);
    if (result == 0)
        result = keeper_conduct_begin(keeper);
    if (result == 0)
        keeper_reports_begin(keeper);
    if (result != 0) {
        log_error("keeper.directory.unavailable", F_FAULT(result));
        return result;
    }
    directory_set_reports(keeper->directory, start->conf->reports_address);
    auth_init(&keeper->auth, keeper->directory, keeper->hasher, keeper->throttle);
    keeper->auth.defaults.memory_kib = (uint32_t)(start->conf->auth_argon2_memory / 1024);
    keeper->auth.defaults.passes = (uint32_t)start->conf->auth_argon2_passes;
    random_bytes(keeper->auth.defaults.salt, sizeof(keeper->auth.defaults.salt));
    event_raise(&keeper->begun);
    return 0;
}

static void on_status(void *arg, struct buf *json)
{
    struct keeper *keeper = arg;
    struct directory_counts counts = {0};
    if (keeper->directory != NULL && directory_count(keeper->directory, &counts) != 0)
        log_warn("keeper.status.incomplete");
    buf_append_format(json, ",\"domains\":%llu,\"accounts\":%llu,\"logins\":%llu,\"refusals\":%llu,\"signatures\":%llu",
                      (unsigned long long)counts.domains, (unsigned long long)counts.accounts,
                      (unsigned long long)keeper->logins, (unsigned long long)keeper->refusals,
                      (unsigned long long)keeper->signatures);
    if (keeper->damages != NULL)
        keeper_damage_status(keeper, json);
}

static void on_notes(void *arg, struct buf *lines)
{
    struct keeper *keeper = arg;
    if (keeper->damages != NULL)
        keeper_damage_notes(keeper, lines);
}

static const struct wiring_hooks hooks = {
    .begin = on_begin, .message = on_message, .status = on_status, .notes = on_notes};

/* From the 32 bytes of server.key, which is read while it still can be. */
static int keys_read(struct keeper *keeper, const char *data)
{
    char path[PATH_MAX];
    uint8_t bytes[KEY_SIZE + 1];
    int len = snprintf(path, sizeof(path), "%s/server.key", data);
    if (len < 0 || (size_t)len >= sizeof(path))
        return -ENAMETOOLONG;
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t got = read(fd, bytes, sizeof(bytes));
    if (got != (ssize_t)KEY_SIZE)
        return got < 0 ? -errno : -EBADMSG;
    AUTO(secret) struct secret *server = NULL;
    int result = secret_take(bytes, KEY_SIZE, &server);
    if (result == 0)
        result = kdf_queue_pair(server, keeper->queue_public, &keeper->queue_key);
    if (result == 0)
        result = kdf_reports_key(server, &keeper->reports_key);
    if (result == 0)
        result = kdf_srs_key(server, &keeper->srs_key);
    return result == 0 ? kdf_directory_key(server, &keeper->directory_key) : result;
}

static int prepare(struct keeper *keeper)
{
    const struct role_start *start = keeper->start;
    const struct priv_start confine = {.data = start->data, .user = start->conf->server_user};
    int result = keys_read(keeper, start->data);
    if (result == 0)
        result = hasher_new(HASHER_CHILDREN, &confine, &keeper->hasher);
    if (result == 0)
        result = loop_new(&keeper->loop);
    if (result == 0)
        result = hasher_start(keeper->hasher, keeper->loop);
    return result;
}

static int serve(struct keeper *keeper)
{
    int result = prepare(keeper);
    if (result == 0)
        result = wiring_new(keeper->loop, keeper->start->supervisor_fd, ROLE_KEEPER, &hooks, keeper, &keeper->wiring);
    if (result == 0)
        result = loop_run(keeper->loop);
    if (keeper->loop != NULL) {
        task_group_cancel(&keeper->tasks);
        timer_free(keeper->trust_timer);
        keeper_trust_keep(keeper);
        keeper_conduct_keep(keeper);
        (void)!loop_finish(keeper->loop, FINISH_TIMEOUT);
    }
    return result;
}

int keeper_run(const struct role_start *start)
{
    struct keeper keeper = {.start = start};
    task_group_init(&keeper.tasks);
    event_init(&keeper.begun);
    int result = serve(&keeper);
    if (result != 0)
        log_error("keeper.failed", F_FAULT(result));
    wiring_free(keeper.wiring);
    if (keeper.directory != NULL)
        auth_deinit(&keeper.auth);
    keeper_conduct_end(&keeper);
    keeper_damage_end(&keeper);
    domainkeys_ready_free(keeper.signing);
    directory_free(keeper.directory);
    throttle_free(keeper.throttle);
    greylist_free(keeper.greylist);
    spending_free(keeper.spending);
    allowance_free(keeper.forwards);
    visitors_free(keeper.visitors);
    hasher_free(keeper.hasher);
    reports_free(keeper.reports);
    secret_free(keeper.reports_key);
    secret_free(keeper.directory_key);
    secret_free(keeper.queue_key);
    secret_free(keeper.srs_key);
    loop_free(keeper.loop);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
