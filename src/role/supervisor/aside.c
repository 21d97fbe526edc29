#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "role/supervisor/state.h"

/*
 * Keeper may open the files it has, and no others: who moves one of them has to start it anew. Nothing in reports.db is
 * needed to handle mail; it is kept for who wants to look what can still be read of it.
 */
#define AGAIN_MS 600000 /* a disk on which a new one is damaged at once is not mended by a further one */
#define READY_MS 15000

static int move(const char *data)
{
    static const char *const names[][2] = {{"reports.db-wal", "reports.db.damaged-wal"},
                                           {"reports.db", "reports.db.damaged"}};
    AUTO_FD int folder = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (renameat(folder, names[i][0], folder, names[i][1]) < 0 && errno != ENOENT)
            return -errno;
    return 0;
}

static void renew(struct task *task, void *arg)
{
    struct child *keeper = arg;
    struct supervisor *supervisor = keeper->supervisor;
    int64_t deadline = loop_now(supervisor->loop) + READY_MS;
    int result = 0;
    /* It may find the damage as it starts; and who comes back before all are there is not wired to those behind it. */
    while (result == 0 && !(supervisor->is_started && keeper->is_ready)) {
        int64_t left = deadline - loop_now(supervisor->loop);
        result = left <= 0 ? -ETIMEDOUT : event_wait(task, &supervisor->ended, left);
    }
    if (result == 0)
        result = child_renew(task, keeper);
    if (result < 0 && result != -ECANCELED)
        log_error("reports.keeper.not_renewed", F_FAULT(result));
}

void aside_reports(struct child *keeper)
{
    struct supervisor *supervisor = keeper->supervisor;
    int64_t now = loop_now(supervisor->loop);
    if (keeper->role != ROLE_KEEPER || (supervisor->aside != 0 && now - supervisor->aside < AGAIN_MS))
        return;
    supervisor->aside = now;
    int result = move(supervisor->data);
    if (result < 0) {
        log_error("reports.not_moved", F_FAULT(result));
        return;
    }
    log_warn("reports.moved_aside", F_TEXT("to", "DATA/reports.db.damaged"));
    result = task_group_spawn(&supervisor->tasks, supervisor->loop, "aside", renew, keeper);
    if (result < 0)
        log_error("reports.keeper.not_renewed", F_FAULT(result));
}
