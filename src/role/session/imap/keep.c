#include "role/session/imap/keep.h"

#include <errno.h>

static int parse(const struct run *run, struct kept *kept)
{
    span_t bytes = SPAN_NONE;
    const char *why = NULL;
    int result = arena_copy(kept->arena, run->command->bytes, &bytes);
    kept->command = arena_alloc(kept->arena, sizeof(*kept->command));
    if (result < 0 || kept->command == NULL)
        return -ENOMEM;
    result = imap_command_parse(bytes, client_state(run->client), kept->arena, kept->command, &why);
    return result > 0 ? -EINVAL : result;
}

int kept_new(const struct run *run, struct kept *ret_kept)
{
    struct kept kept = {0};
    int result = arena_new(CLIENT_ARENA_MAX, &kept.arena);
    if (result == 0)
        result = parse(run, &kept);
    if (result < 0)
        kept_free(&kept);
    else
        *ret_kept = kept;
    return result;
}

void kept_free(struct kept *kept)
{
    arena_free(kept->arena);
    *kept = (struct kept){0};
}
