#pragma once

#include <sys/stat.h>

#include "base/buf.h"

/*
 * Folders and files that somebody else may have laid out: nothing below the one that was named is followed through a
 * symbolic link, and nothing but regular files is read. What is written is readable for its owner alone.
 */
#define TREE_DEPTH_MAX 32U
#define TREE_NAMES_MAX 4000000U

/* A folder; at is AT_FDCWD for one the user has named, which may be a link. -ELOOP or -ENOTDIR: it is none. */
MUST_USE int tree_open(int at, const char *name, int *ret_fd);
/* The same, made where it is missing. */
MUST_USE int tree_make(int at, const char *name, int *ret_fd);

/* A folder below one, by its path; "" or "." is that one itself. No link is followed on the way. */
MUST_USE int tree_open_path(int root, const char *path, int *ret_fd);
/* The same for the folder that holds what the path names; *ret_name is that name, in the path. */
MUST_USE int tree_open_parent(int root, const char *path, int *ret_fd, const char **ret_name);

/* Writes the path of a name in a folder whose path is that one; "" has none. -ENAMETOOLONG. */
MUST_USE int tree_join(const char *path, const char *name, char *below, size_t size);

/* The names in a folder in their order, bytewise. -EOVERFLOW: too many. */
struct tree_names {
    char **names;
    size_t count;
    size_t room;
};
MUST_USE int tree_list(int dir, struct tree_names *ret_names);
void tree_names_deinit(struct tree_names *names);
bool tree_names_find(const struct tree_names *names, const char *name);

/* All of a regular file, appended. -EFBIG: more than max; -ENOENT; -ELOOP, -EINVAL: something else. ret_stat may be
 * NULL. */
MUST_USE int tree_read(int dir, const char *name, size_t max, struct buf *bytes, struct stat *ret_stat);
/* Opens a regular file for reading. */
MUST_USE int tree_open_file(int dir, const char *name, int *ret_fd, struct stat *ret_stat);

/* Writes a file that is there whole or not at all; its time becomes that one (seconds). */
MUST_USE int tree_write(int dir, const char *name, span_t bytes, int64_t seconds);
