#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "role/keeper/admin-state.h"
#include "role/keeper/keeper-state.h"
#include "vault/vfs.h"

/*
 * Whose mail has turned out to be damaged, as sessions say through the supervisor: keeper alone knows addresses. What
 * it was told is gone when it starts anew, and said again when the damage is met again.
 */
#define ACCOUNTS_MAX 1000U
#define SHOWN_MAX 8U

struct damages {
    struct map *accounts; /* of struct damage */
    struct event reports; /* reports.db is damaged */
    uint64_t pages;       /* of directory.db */
};

struct damage {
    uint64_t times;
};

/* --- our own databases --- */

/* From within whatever reads the database: it is closed later. */
static void on_damage(void *arg, const char *path)
{
    struct keeper *keeper = arg;
    if (span_ends(span_of_text(path), SPAN("/reports.db")))
        event_raise(&keeper->damages->reports);
    else
        keeper->damages->pages++;
}

void keeper_reports_damaged(struct keeper *keeper)
{
    event_raise(&keeper->damages->reports);
}

static void reports_task(struct task *task, void *arg)
{
    struct keeper *keeper = arg;
    if (event_wait(task, &keeper->damages->reports, FOREVER) != 0)
        return;
    reports_free(keeper->reports);
    keeper->reports = NULL;
    log_error("keeper.reports.damaged", F_TEXT("consequence", "they are begun anew"));
    struct ipc_message message = {.type = IPC_reports_damaged};
    int result = channel_send(wiring_supervisor(keeper->wiring), &message);
    if (result < 0)
        log_error("keeper.reports.unsaid", F_FAULT(result));
}

/* --- accounts --- */

void keeper_damage_take(struct keeper *keeper, const struct ipc_account_damage *said)
{
    struct map *accounts = keeper->damages->accounts;
    struct damage *damage = map_get(accounts, said->account);
    if (said->times == 0) {
        free(map_remove(accounts, said->account));
        return;
    }
    if (damage == NULL && map_count(accounts) < ACCOUNTS_MAX) {
        log_error("account.damaged", F_U64("account", said->account), F_TEXT("do", "see waxwing status"));
        damage = mem_new(sizeof(*damage));
        if (damage != NULL && map_put(accounts, said->account, damage) != 0) {
            free(damage);
            damage = NULL;
        }
    }
    if (damage != NULL)
        damage->times += said->times;
}

/* The next one that is still there. */
static bool next(struct keeper *keeper, size_t *cursor, struct account *ret_account, uint64_t *ret_times)
{
    uint64_t id = 0;
    void *damage = NULL;
    while (keeper->directory != NULL && map_next(keeper->damages->accounts, cursor, &id, &damage)) {
        *ret_times = ((struct damage *)damage)->times;
        int result = directory_account_get(keeper->directory, id, ret_account);
        if (result == DIRECTORY_OK)
            return true;
        if (result == DIRECTORY_NONE)
            free(map_remove(keeper->damages->accounts, id));
    }
    return false;
}

void keeper_damage_status(struct keeper *keeper, struct buf *json)
{
    struct account account;
    uint64_t times = 0;
    size_t shown = 0;
    buf_append_format(json, ",\"damaged_pages\":%llu,\"damaged_accounts\":[",
                      (unsigned long long)keeper->damages->pages);
    for (size_t cursor = 0; shown < SHOWN_MAX && next(keeper, &cursor, &account, &times); shown++) {
        buf_append_text(json, shown > 0 ? ",{\"address\":" : "{\"address\":");
        admin_write_json(json, account.address);
        buf_append_format(json, ",\"times\":%llu}", (unsigned long long)times);
    }
    buf_append_byte(json, ']');
}

void keeper_damage_notes(struct keeper *keeper, struct buf *lines)
{
    struct account account;
    uint64_t times = 0;
    size_t shown = 0;
    if (keeper->damages->pages > 0)
        buf_append_format(
            lines,
            "directory: %llu times a page of directory.db could not be read: look after the disk, and have "
            "a backup of it at hand\n",
            (unsigned long long)keeper->damages->pages);
    for (size_t cursor = 0; shown < SHOWN_MAX && next(keeper, &cursor, &account, &times); shown++)
        buf_append_format(lines, "%s: some of this account's mail is damaged (met %llu times): waxwing check %s\n",
                          account.address, (unsigned long long)times, account.address);
    if (map_count(keeper->damages->accounts) > shown)
        buf_append_format(lines, "%zu more accounts have damaged mail\n", map_count(keeper->damages->accounts) - shown);
}

/* --- life --- */

int keeper_damage_begin(struct keeper *keeper)
{
    keeper->damages = mem_new(sizeof(*keeper->damages));
    if (keeper->damages == NULL)
        return -ENOMEM;
    event_init(&keeper->damages->reports);
    int result = map_new(&keeper->damages->accounts);
    if (result == 0)
        result = task_group_spawn(&keeper->tasks, keeper->loop, "keeper.reports", reports_task, keeper);
    if (result == 0)
        vfs_watch_damage(on_damage, keeper);
    return result;
}

void keeper_damage_end(struct keeper *keeper)
{
    size_t cursor = 0;
    uint64_t id = 0;
    void *damage = NULL;
    vfs_watch_damage(NULL, NULL);
    if (keeper->damages == NULL)
        return;
    while (keeper->damages->accounts != NULL && map_next(keeper->damages->accounts, &cursor, &id, &damage))
        free(map_remove(keeper->damages->accounts, id));
    map_free(keeper->damages->accounts);
    free(keeper->damages);
    keeper->damages = NULL;
}
