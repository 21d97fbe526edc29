#include "trust/domain.h"

#include <errno.h>
#include <idn2.h>
#include <libpsl.h>
#include <string.h>

#include "mime/utf8.h"
#include "proto/dns/lookup.h"

#define LABEL_MAX 63U /* RFC 1035 §2.3.4 */

static span_t without_dot(span_t name)
{
    return span_ends(name, SPAN(".")) ? span_upto(name, name.len - 1) : name;
}

static bool is_sound(span_t name)
{
    if (name.len == 0 || name.len > DNS_NAME_MAX)
        return false;
    for (span_t label; span_cut(&name, '.', &label);) {
        if (label.len == 0 || label.len > LABEL_MAX)
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!ascii_is_alpha(label.at[i]) && !ascii_is_digit(label.at[i]) && label.at[i] != '-' &&
                label.at[i] != '_')
                return false;
    }
    return true;
}

static int to_ascii(span_t name, struct arena *arena, span_t *ret_name)
{
    char *text = arena_text(arena, name);
    if (text == NULL)
        return -ENOMEM;
    if (!utf8_is_valid(name) || span_find_byte(name, 0) < name.len)
        return -EINVAL;
    char *ascii = NULL;
    int result = idn2_lookup_u8((const uint8_t *)text, (uint8_t **)&ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    if (result != IDN2_OK)
        return result == IDN2_MALLOC ? -ENOMEM : -EINVAL;
    result = arena_copy(arena, span_of_text(ascii), ret_name);
    idn2_free(ascii);
    return result;
}

int domain_normal(span_t name, struct arena *arena, span_t *ret_name)
{
    name = without_dot(name);
    span_t normal = SPAN_NONE;
    int result = 0;
    if (ascii_is_clean(name))
        result = is_sound(name) ? arena_copy(arena, name, &normal) : -EINVAL;
    else
        result = name.len > 4U * DNS_NAME_MAX ? -EINVAL : to_ascii(name, arena, &normal);
    if (result != 0)
        return result;
    if (!is_sound(normal))
        return -EINVAL;
    uint8_t *bytes = (uint8_t *)(uintptr_t)normal.at;
    for (size_t i = 0; i < normal.len; i++)
        bytes[i] = ascii_lower(bytes[i]);
    *ret_name = normal;
    return 0;
}

bool domain_equal(span_t one, span_t other)
{
    return span_equal_nocase(without_dot(one), without_dot(other));
}

bool domain_is_below(span_t name, span_t parent)
{
    name = without_dot(name);
    parent = without_dot(parent);
    if (name.len <= parent.len)
        return span_equal_nocase(name, parent);
    span_t end = span_from(name, name.len - parent.len);
    return parent.len > 0 && name.at[name.len - parent.len - 1] == '.' && span_equal_nocase(end, parent);
}

span_t domain_organizational(span_t name)
{
    char text[DNS_NAME_MAX + 1];
    if (name.len == 0 || name.len > DNS_NAME_MAX || span_find_byte(name, 0) < name.len)
        return name;
    memcpy(text, name.at, name.len);
    text[name.len] = 0;
    const psl_ctx_t *list = psl_builtin();
    const char *found = list != NULL ? psl_registrable_domain(list, text) : NULL;
    return found != NULL ? span_from(name, (size_t)(found - text)) : name;
}

span_t domain_of_mailbox(span_t mailbox)
{
    size_t at = span_find_last_byte(mailbox, '@');
    return at < mailbox.len ? span_from(mailbox, at + 1) : mailbox;
}
