#include "trust/tally.h"

#include <errno.h>

#include "mime/utf8.h"

/* XML could not hold any of these, and reports are XML or JSON. */
static bool is_text(uint32_t character)
{
    return character >= 0x20 && (character < 0x7f || character > 0x9f) && character != 0xfffe && character != 0xffff;
}

void tally_text_add(struct buf *list, span_t text, size_t most)
{
    const size_t start = buf_len(list);
    while (text.len > 0 && buf_fault(list) == 0) {
        uint32_t character = utf8_next(&text);
        size_t before = buf_len(list);
        (void)utf8_append(is_text(character) ? character : UTF8_REPLACEMENT, list);
        if (buf_len(list) - start > most) {
            buf_truncate(list, before);
            break;
        }
    }
    (void)buf_append_byte(list, 0);
}

int tally_text_next(span_t *list, struct arena *arena, const char **ret_text)
{
    span_t text = SPAN_NONE;
    *ret_text = NULL;
    if (!span_cut(list, 0, &text) || text.len == 0)
        return 0;
    *ret_text = arena_text(arena, text);
    return *ret_text == NULL ? -ENOMEM : 0;
}
