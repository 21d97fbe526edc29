#include "proto/imap/url.h"

#include <errno.h>

#include "proto/imap/mailbox.h"

static bool take(span_t *rest, span_t token)
{
    if (!span_starts_nocase(*rest, token))
        return false;
    *rest = span_from(*rest, token.len);
    return true;
}

/* The piece up to the next byte of a kind, or to the end. */
static span_t take_up_to(span_t *rest, uint8_t byte)
{
    size_t len = span_find_byte(*rest, byte);
    span_t piece = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    return piece;
}

/* RFC 3986 §2.1. What no name or section has in it, a control byte, is refused with what is no escape. */
static int undo_percent(span_t text, struct arena *arena, span_t *ret_plain)
{
    uint8_t *plain = arena_alloc(arena, text.len + 1);
    if (plain == NULL)
        return -ENOMEM;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (byte == '%') {
            int high = text.len - i > 2 ? ascii_hex_value(text.at[i + 1]) : -1;
            int low = text.len - i > 2 ? ascii_hex_value(text.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return IMAP_URL_BAD;
            byte = (uint8_t)(high << 4 | low);
            i += 2;
        }
        if (byte < 0x20 || byte == 0x7f)
            return IMAP_URL_BAD;
        plain[len++] = byte;
    }
    *ret_plain = span_of(plain, len);
    return 0;
}

static bool read_number(span_t digits, uint32_t *ret_number)
{
    uint64_t number = 0;
    bool well = span_to_u64(digits, UINT32_MAX, &number) == 0 && number > 0;
    *ret_number = (uint32_t)number;
    return well;
}

static int take_mailbox(span_t *rest, struct arena *arena, struct imap_url *url)
{
    if (span_starts(*rest, SPAN(";")))
        return 0;
    if (!take(rest, SPAN("/")) || span_starts(*rest, SPAN("/")))
        return IMAP_URL_BAD;
    /* RFC 5092 §11: a ";" stands in no enc-mailbox, so the first one ends it; with the "/" before it where it is UID's.
     */
    span_t name = take_up_to(rest, ';');
    bool is_bare = name.len > 0 && name.at[name.len - 1] == '/';
    if (is_bare)
        name.len--;
    int result = name.len == 0 ? IMAP_URL_BAD : undo_percent(name, arena, &name);
    if (result == 0)
        result = imap_mailbox_decode_utf8(name, arena, &url->mailbox);
    if (result != 0)
        return result == -EINVAL ? IMAP_URL_BAD : result;
    if (is_bare)
        return 0;
    if (!take(rest, SPAN(";UIDVALIDITY=")) || !read_number(take_up_to(rest, '/'), &url->uidvalidity))
        return IMAP_URL_BAD;
    return take(rest, SPAN("/")) ? 0 : IMAP_URL_BAD;
}

/* The section as FETCH has it, in brackets. */
static int read_section(span_t text, struct arena *arena, struct imap_section *ret_section)
{
    span_t plain = SPAN_NONE;
    int result = text.len == 0 ? IMAP_URL_BAD : undo_percent(text, arena, &plain);
    if (result != 0)
        return result;
    uint8_t *bracketed = arena_alloc(arena, plain.len + 2);
    if (bracketed == NULL)
        return -ENOMEM;
    bracketed[0] = '[';
    for (size_t i = 0; i < plain.len; i++)
        bracketed[i + 1] = plain.at[i];
    bracketed[plain.len + 1] = ']';
    span_t rest = span_of(bracketed, plain.len + 2);
    result = imap_section_parse(&rest, arena, ret_section);
    return result != 0 ? result : rest.len > 0 ? IMAP_URL_BAD : 0;
}

/* partial-range = number ["." nz-number] */
static bool read_partial(span_t text, struct imap_section *section)
{
    span_t start = take_up_to(&text, '.');
    section->has_partial = true;
    section->partial_len = UINT64_MAX;
    if (span_to_u64(start, INT64_MAX, &section->partial_start) < 0)
        return false;
    return text.len == 0 ||
           (span_to_u64(span_from(text, 1), INT64_MAX, &section->partial_len) == 0 && section->partial_len > 0);
}

int imap_url_parse(span_t text, struct arena *arena, struct imap_url *ret_url)
{
    struct imap_url url = {.uid = 0};
    int result = take_mailbox(&text, arena, &url);
    if (result != 0)
        return result;
    if (!take(&text, SPAN(";UID=")) || !read_number(take_up_to(&text, '/'), &url.uid))
        return IMAP_URL_BAD;
    if (take(&text, SPAN("/;SECTION=")))
        result = read_section(take_up_to(&text, '/'), arena, &url.section);
    if (result == 0 && take(&text, SPAN("/;PARTIAL=")) && !read_partial(take_up_to(&text, '/'), &url.section))
        result = IMAP_URL_BAD;
    if (result != 0 || text.len > 0)
        return result < 0 ? result : IMAP_URL_BAD;
    *ret_url = url;
    return 0;
}
