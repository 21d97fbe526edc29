#pragma once

#include <sys/types.h>

#include "base/result.h"

/* Whom a role runs as. Where we are not root, all of these do nothing and say 0. */
struct priv_user {
    uid_t uid;
    gid_t gid;
    int root; /* 1: we are root, and become uid and gid */
};

enum priv_uid {
    PRIV_UID_DROP, /* become the user, no capability stays */
    PRIV_UID_KEEP, /* stay root, to start others, with the few capabilities that needs */
};

/* name NULL, empty or "root": root itself. -ENOENT: there is no such user. */
MUST_USE int priv_user_find(const char *name, struct priv_user *ret_user);

/* Gives the user a file, or a folder and what stands directly in it. */
MUST_USE int priv_user_give(const struct priv_user *user, const char *path);

/* Makes an empty file, readable by its owner only, unless it is there (root or not). */
MUST_USE int priv_user_make_file(const char *path);

/* The root directory becomes DATA/empty, which is made. */
MUST_USE int priv_user_chroot(const char *data);
MUST_USE int priv_user_become(const struct priv_user *user, enum priv_uid how);
