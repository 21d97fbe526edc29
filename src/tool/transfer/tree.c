#include "tool/transfer/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define PART_NAME "waxwing-part.tmp"
#define NAME_SIZE 256U

int tree_open(int at, const char *name, int *ret_fd)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (at == AT_FDCWD ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

int tree_make(int at, const char *name, int *ret_fd)
{
    if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    return tree_open(at, name, ret_fd);
}

static int open_levels(int root, span_t path, int *ret_fd)
{
    char name[NAME_SIZE];
    AUTO_FD int at = -1;
    span_t level;
    int result = tree_open(root, ".", &at);
    while (result == 0 && path.len > 0 && span_cut(&path, '/', &level)) {
        int next = -1;
        if (level.len == 0 || level.len >= sizeof(name))
            return level.len == 0 ? -EINVAL : -ENAMETOOLONG;
        memcpy(name, level.at, level.len);
        name[level.len] = '\0';
        result = tree_open(at, name, &next);
        scope_close(&at);
        at = next;
    }
    if (result == 0)
        *ret_fd = TAKE_FD(at);
    return result;
}

int tree_open_path(int root, const char *path, int *ret_fd)
{
    return open_levels(root, span_of_text(path), ret_fd);
}

int tree_open_parent(int root, const char *path, int *ret_fd, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    int result = open_levels(root, span_of(path, slash == NULL ? 0 : (size_t)(slash - path)), ret_fd);
    if (result == 0)
        *ret_name = slash == NULL ? path : slash + 1;
    return result;
}

int tree_join(const char *path, const char *name, char *below, size_t size)
{
    int length = snprintf(below, size, "%s%s%s", path, path[0] == '\0' ? "" : "/", name);
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

static int compare(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

static int add_name(struct tree_names *names, const char *name)
{
    if (names->count == TREE_NAMES_MAX)
        return -EOVERFLOW;
    char **more = mem_grow(names->names, names->count, &names->room, sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    names->names = more;
    char *copy = mem_copy_text(name);
    if (copy == NULL)
        return -ENOMEM;
    names->names[names->count++] = copy;
    return 0;
}

static int read_names(DIR *stream, struct tree_names *names)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (entry == NULL)
            return -errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int result = add_name(names, entry->d_name);
        if (result < 0)
            return result;
    }
}

int tree_list(int dir, struct tree_names *ret_names)
{
    struct tree_names names = {.names = NULL};
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        int fault = -errno;
        close(fd);
        return fault;
    }
    int result = read_names(stream, &names);
    (void)closedir(stream);
    if (result < 0) {
        tree_names_deinit(&names);
        return result;
    }
    if (names.count > 0)
        qsort(names.names, names.count, sizeof(*names.names), compare);
    *ret_names = names;
    return 0;
}

void tree_names_deinit(struct tree_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct tree_names){.names = NULL};
}

bool tree_names_find(const struct tree_names *names, const char *name)
{
    return names->count > 0 && bsearch(&name, names->names, names->count, sizeof(*names->names), compare) != NULL;
}

int tree_open_file(int dir, const char *name, int *ret_fd, struct stat *ret_stat)
{
    AUTO_FD int fd =
        openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (dir == AT_FDCWD ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return -errno;
    if (fstat(fd, ret_stat) < 0)
        return -errno;
    if (!S_ISREG(ret_stat->st_mode))
        return -EINVAL;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int tree_read(int dir, const char *name, size_t max, struct buf *bytes, struct stat *ret_stat)
{
    struct stat status;
    AUTO_FD int fd = -1;
    int result = tree_open_file(dir, name, &fd, &status);
    if (result < 0)
        return result;
    if (status.st_size < 0 || (uint64_t)status.st_size > max)
        return -EFBIG;
    uint8_t *at = NULL;
    size_t left = (size_t)status.st_size;
    result = buf_reserve(bytes, left + 1, &at);
    while (result == 0 && left > 0) {
        ssize_t got = read(fd, at, left);
        if (got < 0 && errno != EINTR)
            result = -errno;
        if (got == 0)
            break;
        if (got > 0) {
            buf_commit(bytes, (size_t)got);
            at += got;
            left -= (size_t)got;
        }
    }
    if (result == 0 && ret_stat != NULL)
        *ret_stat = status;
    return result;
}

static int write_all(int fd, span_t bytes)
{
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.at, bytes.len);
        if (put < 0 && errno != EINTR)
            return -errno;
        bytes = span_from(bytes, put < 0 ? 0 : (size_t)put);
    }
    return 0;
}

int tree_write(int dir, const char *name, span_t bytes, int64_t seconds)
{
    if (unlinkat(dir, PART_NAME, 0) < 0 && errno != ENOENT)
        return -errno;
    AUTO_FD int fd = openat(dir, PART_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int result = write_all(fd, bytes);
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    if (result == 0 && futimens(fd, times) < 0)
        result = -errno;
    if (result == 0 && renameat(dir, PART_NAME, dir, name) < 0)
        result = -errno;
    if (result < 0)
        (void)unlinkat(dir, PART_NAME, 0);
    return result;
}
