#include <string.h>

#include "vault/engine.h"

static bool is_tail(span_t text, size_t at)
{
    return at < text.len && (text.at[at] & 0xc0U) == 0x80;
}

/* Length of the character at the start, 0 where it is not UTF-8 (RFC 3629 §4). */
static size_t character_len(span_t text)
{
    uint8_t first = text.at[0];
    uint8_t second = text.len > 1 ? text.at[1] : 0;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4 || !is_tail(text, 1))
        return 0;
    if (first < 0xe0)
        return 2;
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || !is_tail(text, 2))
        return 0;
    if (first < 0xf0)
        return 3;
    if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f) || !is_tail(text, 3))
        return 0;
    return 4;
}

static bool is_control(uint8_t byte)
{
    return byte < 0x20 || byte == 0x7f;
}

static bool text_is_good(span_t text)
{
    while (text.len > 0) {
        size_t len = character_len(text);
        if (len == 0 || is_control(text.at[0]))
            return false;
        text = span_from(text, len);
    }
    return true;
}

int engine_name(span_t name, char ret_name[VAULT_NAME_MAX + 1])
{
    if (span_ends(name, SPAN("/"))) /* RFC 3501 §6.3.3: it only declares an intention */
        name = span_upto(name, name.len - 1);
    if (name.len > VAULT_NAME_MAX)
        return VAULT_LIMIT;
    if (name.len == 0 || !text_is_good(name))
        return VAULT_NAME_BAD;
    size_t depth = 0;
    span_t rest = name;
    span_t level = SPAN_NONE;
    for (bool more = true; more; depth++) {
        size_t slash = span_find_byte(rest, '/');
        more = slash < rest.len;
        level = span_upto(rest, slash);
        if (level.len == 0)
            return VAULT_NAME_BAD;
        rest = span_from(rest, slash + 1);
    }
    if (depth > VAULT_DEPTH_MAX)
        return VAULT_LIMIT;
    memcpy(ret_name, name.at, name.len);
    ret_name[name.len] = '\0';
    size_t first = span_find_byte(name, '/');
    if (span_equal_nocase(span_upto(name, first), SPAN("INBOX"))) /* RFC 3501 §5.1 */
        memcpy(ret_name, "INBOX", 5);
    return 0;
}
