#include "priv/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"

/* The kernel's interface as of ABI 6; the headers of Debian 12 know ABI 2. An older kernel is given a shorter struct.
 */
struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

struct port_rule {
    uint64_t allowed;
    uint64_t port;
};

#define RULE_NET_PORT 2 /* ABI 4 */
#define FILES_ABI_1 0x1fffU
#define FILE_TRUNCATE 0x4000U /* ABI 3 */
#define FILES_IOCTL 0x8000U   /* ABI 5 */
#define FILE_REFER 0x2000U    /* ABI 2 */
#define NETWORK_BIND 1U       /* ABI 4 */
#define NETWORK_CONNECT 2U
#define SCOPE_ABSTRACT_SOCKETS 1U /* ABI 6 */
#define SCOPE_SIGNALS 2U

#define FILES_READ (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILES_OF_A_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FILE_TRUNCATE)

int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : (int)abi;
}

static int allow(const struct landlock *landlock, const char *path, uint64_t files)
{
    struct stat status;
    AUTO_FD int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    struct landlock_path_beneath_attr rule = {.allowed_access = files & landlock->files, .parent_fd = fd};
    if (!S_ISDIR(status.st_mode))
        rule.allowed_access &= FILES_OF_A_FILE;
    if (syscall(SYS_landlock_add_rule, landlock->ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U) < 0)
        return -errno;
    return 0;
}

int landlock_open(unsigned flags, struct landlock *ret_landlock)
{
    int abi = landlock_abi();
    *ret_landlock = (struct landlock){.ruleset = -1, .files = 0};
    if (abi == 0)
        return 0;
    struct ruleset ruleset = {.files = FILES_ABI_1};
    size_t size = sizeof(ruleset.files);
    ruleset.files |= abi >= 2 ? FILE_REFER : 0;
    ruleset.files |= abi >= 3 ? FILE_TRUNCATE : 0;
    if (abi >= 4) {
        ruleset.network |= flags & LANDLOCK_NO_NETWORK ? NETWORK_BIND | NETWORK_CONNECT : 0;
        ruleset.network |= flags & LANDLOCK_NO_CONNECT ? NETWORK_CONNECT : 0;
        size = sizeof(ruleset.files) + sizeof(ruleset.network);
    }
    if (abi >= 5 && !(flags & LANDLOCK_READ_ALL))
        ruleset.files |= FILES_IOCTL;
    if (abi >= 6) {
        ruleset.scoped = flags & LANDLOCK_NO_SIGNALS ? SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS : 0;
        size = sizeof(ruleset);
    }
    long fd = syscall(SYS_landlock_create_ruleset, &ruleset, size, 0U);
    if (fd < 0)
        return -errno;
    ret_landlock->ruleset = (int)fd;
    ret_landlock->files = ruleset.files;
    ret_landlock->network = ruleset.network;
    if (flags & LANDLOCK_READ_ALL) {
        int result = allow(ret_landlock, "/", FILES_READ);
        return result < 0 ? result : allow(ret_landlock, "/dev/null", FILES_OF_A_FILE);
    }
    return 0;
}

void landlock_close(struct landlock *landlock)
{
    if (landlock->ruleset >= 0)
        (void)close(landlock->ruleset);
    landlock->ruleset = -1;
}

int landlock_allow(struct landlock *landlock, const char *path)
{
    return landlock->ruleset < 0 ? 0 : allow(landlock, path, ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE);
}

int landlock_allow_port(struct landlock *landlock, uint16_t port)
{
    const struct port_rule rule = {.allowed = NETWORK_CONNECT, .port = port};
    if (landlock->ruleset < 0 || (landlock->network & NETWORK_CONNECT) == 0)
        return 0;
    if (syscall(SYS_landlock_add_rule, landlock->ruleset, RULE_NET_PORT, &rule, 0U) < 0)
        return -errno;
    return 0;
}

int landlock_enter(struct landlock *landlock)
{
    if (landlock->ruleset >= 0 && syscall(SYS_landlock_restrict_self, landlock->ruleset, 0U) < 0)
        return -errno;
    return 0;
}
