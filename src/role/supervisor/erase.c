#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "role/supervisor/state.h"

#define ERASE_DEPTH_MAX 8

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

int erase_vault(const char *data, uint64_t account)
{
    char name[32];
    AUTO_FD int root = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -errno;
    AUTO_FD int vaults = openat(root, "vault", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (vaults < 0)
        return -errno;
    (void)snprintf(name, sizeof(name), "%016" PRIx64, account);
    return erase_at(vaults, name, ERASE_DEPTH_MAX);
}
