#include <errno.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/filterrow.h"
#include "role/supervisor/portowner.h"
#include "role/supervisor/state.h"

/*
 * A filter that was not named in the settings is shown everybody's mail because of the place it was found at. On a
 * machine with several users anybody could stand at that place: so it must be root's, our own, or the user's whom the
 * distributions make for that program.
 */
static bool is_fit(uid_t user, const char *const names[], size_t count)
{
    if (user == 0 || user == geteuid())
        return true;
    for (size_t at = 0; at < count; at++) {
        const struct passwd *entry = getpwnam(names[at]);
        if (entry != NULL && entry->pw_uid == user)
            return true;
    }
    return false;
}

static int check_rspamd(void)
{
    static const char *const names[] = {"_rspamd", "rspamd"};
    struct port_owners owners;
    int result = port_owners_find(FILTER_RSPAMD_AUTO_PORT, &owners);
    if (result != 0)
        return result;
    for (size_t at = 0; at < owners.count; at++)
        if (!is_fit(owners.users[at], names, COUNT_OF(names)))
            return -EPERM;
    return owners.count > 0 ? 0 : -ENOENT;
}

/* Who called listen(2) on the other end. */
static int check_clamd(int fd)
{
    static const char *const names[] = {"clamav", "clamscan"};
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    return is_fit(peer.uid, names, COUNT_OF(names)) ? 0 : -EPERM;
}

/* A local socket is connected at once, or its queue is full: nobody is waited for here. */
static int connect_path(const char *path, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, len + 1);
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int reach_clamd(const char *setting, int *ret_fd)
{
    const bool is_auto = strcmp(setting, "auto") == 0;
    AUTO_FD int fd = -1;
    if (!is_auto && setting[0] != '/')
        return -EINVAL;
    int result = connect_path(is_auto ? FILTER_CLAMD_AUTO : setting, &fd);
    if (result == 0 && is_auto)
        result = check_clamd(fd);
    if (result == 0)
        *ret_fd = TAKE_FD(fd);
    return result;
}

void reach_filter(const struct supervisor *supervisor, struct channel *channel, const struct ipc_message *message)
{
    struct ipc_message reply = {.type = IPC_reached};
    const bool is_clamd = message->reach.filter == FILTER_CLAMD;
    int result = is_clamd ? reach_clamd(supervisor->conf->filter_clamd, &reply.fds[0]) : check_rspamd();
    if (result == 0 && is_clamd)
        reply.fd_count = 1;
    reply.reached.fault = (uint32_t)-result;
    result = channel_reply(channel, message->call, &reply);
    if (result != 0)
        log_debug("reach.unheard", F_FAULT(result));
}
