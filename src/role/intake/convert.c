#include <errno.h>

#include "mime/message.h"
#include "mime/sevenbit.h"
#include "role/intake/intake-state.h"

int intake_convert(span_t message, size_t front, size_t most, struct buf *block)
{
    AUTO(arena) struct arena *arena = NULL;
    uint8_t *room = NULL;
    buf_init(block, front + most);
    int result = arena_new(MIME_ARENA_MAX, &arena);
    if (result == 0)
        result = buf_reserve(block, front, &room);
    if (result != 0)
        return result;
    buf_commit(block, front);
    result = mime_sevenbit(message, arena, block);
    return result == MIME_SEVENBIT_SIGNED ? (int)DELIVER_REFUSED : result == -ENOBUFS ? (int)DELIVER_TOO_LARGE : result;
}
