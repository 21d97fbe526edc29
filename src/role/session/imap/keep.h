#pragma once

#include "role/session/imap/imap.h"

/*
 * A command that stays in effect after it has ended (NOTIFY, RETURN (UPDATE)): its bytes, parsed once more into memory
 * of their own.
 */
struct kept {
    struct arena *arena;
    struct imap_command *command;
};

MUST_USE int kept_new(const struct run *run, struct kept *ret_kept);
void kept_free(struct kept *kept);
