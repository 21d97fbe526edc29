#include <assert.h>

#include "proto/imap/bodystructure.h"
#include "proto/imap/envelope.h"
#include "proto/imap/match.h"
#include "proto/imap/section.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything IMAP shows of a message, whatever the message. */
static void show(const struct mime_part *root)
{
    AUTO_BUF struct buf line;
    AUTO(arena) struct arena *arena = NULL;
    AUTO(imap_match) struct imap_match *match = NULL;
    struct imap_summary summary;
    buf_init(&line, (size_t)16 * 1024 * 1024);
    assert(imap_envelope_append(root->header, &line) == 0);
    assert(imap_body_append(root, &line) == 0);
    assert(imap_bodystructure_append(root, &line) == 0);
    if (arena_new(IMAP_SUMMARY_ARENA, &arena) == 0)
        assert(imap_summary_read(root->header, arena, &summary) == 0);
    if (imap_match_new(IMAP_MATCH_TEXT, SPAN_NONE, SPAN("needle"), &match) == 0)
        assert(imap_match_message(match, root) >= 0);
}

/* The first line is the section, the rest the message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf scratch;
    struct mime_part *root = NULL;
    struct imap_section section;
    span_t message = span_of(data, size);
    buf_init(&scratch, size + 1024);
    if (arena_new(MIME_ARENA_MAX * 2, &arena) < 0)
        return 0;
    int result = imap_section_parse(&message, arena, &section);
    assert(result >= 0);
    bool has_section = result == 0;
    message = span_from(message, span_find_byte(message, '\n') + 1);
    result = mime_parse(message, arena, &root);
    assert(result == 0);
    show(root);
    if (has_section) {
        span_t bytes;
        result = imap_section_read(root, message, &section, &scratch, &bytes);
        assert(result == IMAP_SECTION_ABSENT || (result == 0 && bytes.len <= size + 2));
        buf_clear(&scratch);
        assert(imap_section_append(&section, &scratch) == 0);
    }
    return 0;
}
