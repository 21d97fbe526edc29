#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "priv/user.h"
#include "role/supervisor/state.h"
#include "rt/tls.h"

#define LOCK_TRIES 100 /* of 100 ms: what is left of an earlier server may still be ending */
#define KEY_SIZE 32U

static int path_in_data(const struct supervisor *supervisor, const char *name, char ret_path[PATH_MAX])
{
    int length = snprintf(ret_path, PATH_MAX, "%s/%s", supervisor->data, name);
    return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* The directory and its parents. */
static int make_directories(const char *path)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(part))
        return -ENAMETOOLONG;
    memcpy(part, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, kept == '\0' ? 0700 : 0755) < 0 && errno != EEXIST)
            return -errno;
        part[i] = kept;
    }
    return 0;
}

static int make_folder(struct supervisor *supervisor, const char *name)
{
    char path[PATH_MAX];
    int result = path_in_data(supervisor, name, path);
    if (result < 0)
        return result;
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_whole(int fd, span_t bytes)
{
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.at, bytes.len);
        if (put < 0)
            return -errno;
        bytes = span_from(bytes, (size_t)put);
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static bool stands(struct supervisor *supervisor, const char *name)
{
    char path[PATH_MAX];
    struct stat status;
    return path_in_data(supervisor, name, path) == 0 && stat(path, &status) == 0 && status.st_size > 0;
}

/* Under another name first, so that a half-written one is never found. */
static int make_file(struct supervisor *supervisor, const char *name, span_t bytes)
{
    AUTO_FD int folder = open(supervisor->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;
    AUTO_FD int fd = openat(folder, ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int result = write_whole(fd, bytes);
    if (result == 0 && (renameat(folder, ".new", folder, name) < 0 || fsync(folder) < 0))
        result = -errno;
    return result;
}

static int make_server_key(struct supervisor *supervisor)
{
    uint8_t key[KEY_SIZE];
    if (stands(supervisor, "server.key"))
        return 0;
    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
        return -EIO;
    int result = make_file(supervisor, "server.key", span_of(key, sizeof(key)));
    explicit_bzero(key, sizeof(key));
    return result;
}

static int make_certificate(struct supervisor *supervisor)
{
    if (stands(supervisor, "tls-cert.pem") && stands(supervisor, "tls-key.pem"))
        return 0;
    AUTO_BUF struct buf certificate;
    AUTO_BUF struct buf key;
    buf_init(&certificate, 16384);
    buf_init(&key, 16384);
    int result = tls_self_signed(supervisor->conf->server_hostname, &certificate, &key);
    if (result == 0)
        result = make_file(supervisor, "tls-key.pem", buf_span(&key));
    if (result == 0)
        result = make_file(supervisor, "tls-cert.pem", buf_span(&certificate));
    if (key.bytes != NULL)
        explicit_bzero(key.bytes, key.end);
    return result;
}

/* The lock goes along into every process we start: it is free again only when the last of them has ended. */
static int take_lock(struct supervisor *supervisor)
{
    char path[PATH_MAX];
    int result = path_in_data(supervisor, "lock", path);
    if (result < 0)
        return result;
    AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        static const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
        if (errno != EWOULDBLOCK || i == LOCK_TRIES)
            return errno == EWOULDBLOCK ? -EBUSY : -errno;
        (void)nanosleep(&pause, NULL);
    }
    supervisor->lock_fd = TAKE_FD(fd);
    return 0;
}

/* As root the roles run as another user, who must get through to what is his. */
static int give_away(struct supervisor *supervisor)
{
    static const char *const names[] = {"server.key", "tls-key.pem", "tls-cert.pem", "log", "vault"};
    struct priv_user user;
    char path[PATH_MAX];
    int result = priv_user_find(supervisor->conf->server_user, &user);
    if (result < 0) {
        log_error("supervisor.user.unknown", F_TEXT("user", supervisor->conf->server_user),
                  F_TEXT("do", "make it with systemd-sysusers, or name another as [server] user"));
        return result;
    }
    if (user.root && chown(supervisor->data, user.uid, user.gid) < 0)
        return -errno;
    for (size_t i = 0; result == 0 && i < COUNT_OF(names); i++) {
        result = path_in_data(supervisor, names[i], path);
        if (result == 0)
            result = priv_user_give(&user, path);
    }
    return result;
}

int place_prepare(struct supervisor *supervisor)
{
    int result = make_directories(supervisor->data);
    if (result == 0)
        result = take_lock(supervisor);
    if (result == 0)
        result = make_folder(supervisor, "log");
    if (result == 0)
        result = make_folder(supervisor, "vault");
    if (result == 0)
        result = make_server_key(supervisor);
    if (result == 0)
        result = make_certificate(supervisor);
    return result == 0 ? give_away(supervisor) : result;
}

int place_make_vault(struct supervisor *supervisor, uint64_t account)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "vault/%016" PRIx64, account);
    return make_folder(supervisor, name);
}
