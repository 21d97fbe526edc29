#include "role/session/quiet.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/log.h"
#include "ipc/channel.h"
#include "role/session/imap/sort.h"

#define PATH_ROOM 4096
#define PAGE_SIZE 4096U
#define STACK_MARGIN 2048U
#define STACK_DEPTH 131072U

static bool is_quiet(const struct session *session)
{
    return session->held == 0 && session->parked == session->client_count;
}

/* The pages that deeper calls have used, below a margin for those that are still to come here. */
static void give_back_stack(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t end = (here - STACK_MARGIN) / PAGE_SIZE * PAGE_SIZE;
    (void)madvise((void *)(end - STACK_DEPTH), STACK_DEPTH, MADV_DONTNEED); // NOLINT(performance-no-int-to-ptr)
}

/* What was freed lies between what was not: only trimming gives whole pages of it back. */
static void on_quiet(void *arg)
{
    struct session *session = arg;
    if (!is_quiet(session) || session->vault == NULL)
        return;
    sort_memo_drop(session);
    int result = vault_close(TAKE(session->vault));
    if (result < 0)
        log_warn("session.close.failed", F_FAULT(result));
    loop_trim(session->loop);
    channel_trim();
    (void)malloc_trim(0);
    give_back_stack();
}

void quiet_consider(struct session *session)
{
    if (is_quiet(session) && session->vault != NULL)
        timer_start(session->quiet, SESSION_QUIET_MS);
}

int quiet_wake(struct session *session)
{
    timer_stop(session->quiet);
    if (session->vault != NULL)
        return 0;
    if (session->vault_key == NULL)
        return -ENOTCONN;
    char folder[PATH_ROOM];
    int len = snprintf(folder, sizeof(folder), "%s/vault/%016llx", session->start->data,
                       (unsigned long long)session->start->account);
    if (len < 0 || (size_t)len >= sizeof(folder))
        return -ENAMETOOLONG;
    int result = vault_open(folder, secret_bytes(session->vault_key), session_now_seconds(), &session->vault);
    if (result < 0)
        log_error("session.open.failed", F_FAULT(result));
    return result;
}

int quiet_hold(struct session *session)
{
    int result = quiet_wake(session);
    if (result == 0)
        session->held++;
    return result;
}

void quiet_let_go(struct session *session)
{
    session->held--;
    quiet_consider(session);
}

int quiet_start(struct session *session, struct secret *vault_key)
{
    int result = timer_new(session->loop, on_quiet, session, &session->quiet);
    if (result < 0) {
        secret_free(vault_key);
        return result;
    }
    session->vault_key = vault_key;
    result = quiet_wake(session);
    if (result < 0)
        secret_free(TAKE(session->vault_key));
    return result;
}

void quiet_end(struct session *session)
{
    if (session->vault != NULL && vault_rest(session->vault) < 0)
        log_warn("session.rest.failed");
    vault_free(TAKE(session->vault));
    sort_memo_drop(session);
    secret_free(TAKE(session->vault_key));
    timer_free(TAKE(session->quiet));
}
