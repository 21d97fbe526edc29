#include "priv/user.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/scope.h"

int priv_user_find(const char *name, struct priv_user *ret_user)
{
    *ret_user = (struct priv_user){.uid = getuid(), .gid = getgid(), .root = geteuid() == 0};
    if (!ret_user->root || name == NULL || name[0] == '\0' || strcmp(name, "root") == 0)
        return 0;
    size_t room = 16384;
    AUTO_FREE char *text = mem_new(room);
    struct passwd entry;
    struct passwd *found = NULL;
    if (text == NULL)
        return -ENOMEM;
    int fault = getpwnam_r(name, &entry, text, room, &found);
    if (found == NULL)
        return fault == 0 ? -ENOENT : -fault;
    ret_user->uid = entry.pw_uid;
    ret_user->gid = entry.pw_gid;
    return 0;
}

static int give_entries(const struct priv_user *user, DIR *folder)
{
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (strcmp(entry->d_name, "..") == 0)
            continue;
        if (fchownat(dirfd(folder), entry->d_name, user->uid, user->gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

int priv_user_give(const struct priv_user *user, const char *path)
{
    struct stat status;
    if (!user->root)
        return 0;
    if (lstat(path, &status) < 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        return lchown(path, user->uid, user->gid) < 0 ? -errno : 0;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return -errno;
    int result = give_entries(user, folder);
    (void)closedir(folder);
    return result;
}

int priv_user_make_file(const char *path)
{
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : 0;
}

int priv_user_chroot(const char *data)
{
    char path[PATH_MAX];
    if (geteuid() != 0)
        return 0;
    int length = snprintf(path, sizeof(path), "%s/empty", data);
    if (length < 0 || (size_t)length >= sizeof(path))
        return -ENAMETOOLONG;
    if (mkdir(path, 0555) < 0 && errno != EEXIST)
        return -errno;
    if (chroot(path) < 0 || chdir("/") < 0)
        return -errno;
    return 0;
}

/* The supervisor's: to start roles under another uid and root, to bind low ports, to clean up after accounts. */
static const cap_value_t kept[] = {
    CAP_SETUID, CAP_SETGID, CAP_SETPCAP,          CAP_SYS_CHROOT, CAP_CHOWN,        CAP_DAC_OVERRIDE,
    CAP_FOWNER, CAP_KILL,   CAP_NET_BIND_SERVICE, CAP_IPC_LOCK,   CAP_SYS_RESOURCE,
};

/* From the bounding set, so that no later exec brings one back. */
static int limit_bounds(const cap_value_t *keep, int count)
{
    int result = 0;
    for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; cap++) {
        int keeps = 0;
        for (int i = 0; i < count; i++)
            keeps |= keep[i] == cap;
        if (!keeps && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            result = errno == EPERM ? result : -errno; /* without CAP_SETPCAP there is nothing to win either */
    }
    return result;
}

static int limit_capabilities(const cap_value_t *keep, int count)
{
    int result = limit_bounds(keep, count);
    cap_t set = cap_init();
    if (set == NULL)
        return -errno;
    if (count > 0 && (cap_set_flag(set, CAP_PERMITTED, count, keep, CAP_SET) < 0 ||
                      cap_set_flag(set, CAP_EFFECTIVE, count, keep, CAP_SET) < 0))
        result = -errno;
    if (result == 0 && cap_set_proc(set) < 0)
        result = -errno;
    (void)cap_free(set);
    return result;
}

/* Root in a container may lack some of the capabilities itself: what is not there cannot be kept. */
static int keep_capabilities(void)
{
    cap_t own = cap_get_proc();
    if (own == NULL)
        return -errno;
    cap_value_t there[COUNT_OF(kept)];
    int count = 0;
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        cap_flag_value_t value = CAP_CLEAR;
        if (cap_get_flag(own, kept[i], CAP_PERMITTED, &value) == 0 && value == CAP_SET)
            there[count++] = kept[i];
    }
    (void)cap_free(own);
    return limit_capabilities(there, count);
}

int priv_user_become(const struct priv_user *user, enum priv_uid how)
{
    if (!user->root)
        return 0;
    if (how == PRIV_UID_KEEP)
        return keep_capabilities();
    if (user->uid == 0)
        return limit_capabilities(NULL, 0);
    int result = limit_bounds(NULL, 0);
    if (result < 0)
        return result;
    if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
        setresuid(user->uid, user->uid, user->uid) < 0)
        return -errno;
    if (setuid(0) == 0)
        return -EPERM; /* it could be undone, so it was not done */
    return 0;
}
