#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "role/supervisor/state.h"

#define ERASE_DEPTH_MAX 8
#define NAME_SIZE 32
#define MARK ".removed"

static int erase_at(int parent, const char *name, int depth);

static int erase_entries(int fd, int depth)
{
    DIR *folder = fdopendir(fd);
    if (folder == NULL) {
        int fault = -errno;
        (void)close(fd);
        return fault;
    }
    int result = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = erase_at(dirfd(folder), entry->d_name, depth);
    }
    (void)closedir(folder);
    return result;
}

/* Links are removed, never followed. */
static int erase_at(int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    if (depth == 0)
        return -ELOOP;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = erase_entries(fd, depth - 1);
    if (result == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0)
        result = -errno;
    return result;
}

static int open_vaults(const char *data)
{
    AUTO_FD int root = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -errno;
    int vaults = openat(root, "vault", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return vaults < 0 ? -errno : vaults;
}

int erase_vault(const char *data, uint64_t account)
{
    char name[NAME_SIZE];
    AUTO_FD int vaults = open_vaults(data);
    if (vaults < 0)
        return vaults;
    (void)snprintf(name, sizeof(name), "%016" PRIx64, account);
    return erase_at(vaults, name, ERASE_DEPTH_MAX);
}

int erase_mark(const char *data, uint64_t account)
{
    char name[NAME_SIZE];
    AUTO_FD int vaults = open_vaults(data);
    if (vaults < 0)
        return vaults;
    (void)snprintf(name, sizeof(name), "%016" PRIx64 MARK, account);
    if (mkdirat(vaults, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    return fsync(vaults) < 0 ? -errno : 0;
}

int erase_unmark(const char *data, uint64_t account)
{
    char name[NAME_SIZE];
    AUTO_FD int vaults = open_vaults(data);
    if (vaults < 0)
        return vaults;
    (void)snprintf(name, sizeof(name), "%016" PRIx64 MARK, account);
    return unlinkat(vaults, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static bool account_of_mark(const char *name, uint64_t *ret_account)
{
    int end = 0;
    return sscanf(name, "%16" SCNx64 MARK "%n", ret_account, &end) == 1 && end == (int)(16 + strlen(MARK)) &&
           name[end] == '\0';
}

int erase_list(const char *data, struct buf *accounts)
{
    int vaults = open_vaults(data);
    if (vaults < 0)
        return vaults;
    DIR *folder = fdopendir(vaults);
    if (folder == NULL) {
        int fault = -errno;
        (void)close(vaults);
        return fault;
    }
    int result = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(folder)) != NULL;) {
        uint8_t bytes[8];
        uint64_t account = 0;
        if (!account_of_mark(entry->d_name, &account))
            continue;
        bytes_put_u64(bytes, account);
        result = buf_append(accounts, span_of(bytes, sizeof(bytes)));
    }
    (void)closedir(folder);
    return result;
}
