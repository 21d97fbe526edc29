#include <assert.h>

#include "mime/message.h"
#include "mime/text.h"
#include "mime/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the bytes: a tree whose parts lie within their parents, in order. */
static void check_part(const struct mime_part *part, size_t size)
{
    assert(part->header_start + part->header.len == part->body_start);
    assert(part->body_start + part->body.len <= size);
    assert(part->depth <= MIME_DEPTH_MAX);
    const struct mime_part *parent = part->parent;
    if (parent != NULL) {
        assert(part->header_start >= parent->body_start);
        assert(part->body.len == 0 || part->body_start + part->body.len <= parent->body_start + parent->body.len);
    }
    if (part->next != NULL)
        assert(part->next->header_start >= part->body_start + part->body.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf text;
    struct mime_part *root = NULL;
    buf_init(&text, (size_t)1024 * 1024);
    if (arena_new(MIME_ARENA_MAX, &arena) < 0)
        return 0;
    int result = mime_parse(span_of(data, size), arena, &root);
    assert(result == 0);
    size_t count = 0;
    for (const struct mime_part *part = root; part != NULL; part = mime_part_after(root, part)) {
        check_part(part, size);
        span_t name;
        result = mime_param_decode(part->params, SPAN("name"), arena, &name);
        assert(result == 0 && utf8_is_valid(name));
        if (part->first == NULL && ++count < 16)
            (void)mime_text_append(part, &text);
        assert(utf8_is_valid(buf_span(&text)));
        buf_clear(&text);
    }
    return 0;
}
