#include "role/keeper/name.h"

#include <errno.h>
#include <idn2.h>
#include <string.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#define UNITS_MAX 1024

static int fault_of(UErrorCode code)
{
    return code == U_MEMORY_ALLOCATION_ERROR ? -ENOMEM : (int)NAME_BAD;
}

/* NFC of the case folding of NFC: stable, so that it is the same however often it is done. */
static int fold(span_t text, char *out, size_t room)
{
    UChar one[UNITS_MAX];
    UChar two[UNITS_MAX];
    UErrorCode code = U_ZERO_ERROR;
    int32_t len = 0;
    const UNormalizer2 *nfc = unorm2_getNFCInstance(&code);
    u_strFromUTF8(one, UNITS_MAX, &len, (const char *)text.at, (int32_t)text.len, &code);
    len = unorm2_normalize(nfc, one, len, two, UNITS_MAX, &code);
    len = u_strFoldCase(one, UNITS_MAX, two, len, U_FOLD_CASE_DEFAULT, &code);
    len = unorm2_normalize(nfc, one, len, two, UNITS_MAX, &code);
    u_strToUTF8(out, (int32_t)room, &len, two, len, &code);
    if (U_FAILURE(code) || len < 1 || (size_t)len >= room)
        return fault_of(code);
    out[len] = '\0';
    return NAME_OK;
}

/* "a\"b"@… is a"b@… (RFC 5321 §4.1.2). */
static int unquote(span_t quoted, char *out, size_t room, size_t *ret_len)
{
    size_t len = 0;
    if (quoted.len < 2 || quoted.at[quoted.len - 1] != '"')
        return NAME_BAD;
    for (size_t at = 1; at + 1 < quoted.len; at++) {
        if (quoted.at[at] == '\\' && ++at + 1 >= quoted.len)
            return NAME_BAD;
        if (len >= room)
            return NAME_BAD;
        out[len++] = (char)quoted.at[at];
    }
    *ret_len = len;
    return NAME_OK;
}

static int local_parse(span_t local, char ret_local[NAME_LOCAL_MAX + 1])
{
    char plain[NAME_LOCAL_MAX];
    size_t len = 0;
    if (local.len == 0 || local.len > NAME_LOCAL_MAX)
        return NAME_BAD;
    if (local.at[0] == '"') {
        int result = unquote(local, plain, sizeof(plain), &len);
        if (result != NAME_OK)
            return result;
        local = span_of(plain, len);
    }
    for (size_t at = 0; at < local.len; at++)
        if (local.at[at] < ' ' || local.at[at] == 0x7f)
            return NAME_BAD;
    return fold(local, ret_local, NAME_LOCAL_MAX + 1);
}

int name_parse_domain(span_t domain, char ret_domain[NAME_DOMAIN_MAX + 1])
{
    uint8_t text[NAME_DOMAIN_MAX * 2];
    if (domain.len > 1 && domain.at[domain.len - 1] == '.')
        domain.len--;
    if (domain.len == 0 || domain.len >= sizeof(text) || span_find_byte(domain, 0) != domain.len)
        return NAME_BAD;
    for (size_t at = 0; at < domain.len; at++) {
        uint8_t byte = domain.at[at];
        text[at] = ascii_lower(byte);
        if (byte < 0x80 && !ascii_is_alpha(byte) && !ascii_is_digit(byte) && byte != '-' && byte != '.')
            return NAME_BAD;
    }
    text[domain.len] = '\0';
    uint8_t *ascii = NULL;
    int result = idn2_lookup_u8(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (result == IDN2_MALLOC)
        return -ENOMEM;
    size_t len = result == IDN2_OK ? strlen((const char *)ascii) : 0;
    if (len > 0 && len <= NAME_DOMAIN_MAX)
        memcpy(ret_domain, ascii, len + 1);
    idn2_free(ascii);
    return len > 0 && len <= NAME_DOMAIN_MAX ? NAME_OK : NAME_BAD;
}

int name_parse_pattern(span_t address, struct name *ret_name)
{
    struct name name;
    size_t at = span_find_last_byte(address, '@');
    if (at == address.len)
        return NAME_BAD;
    name.local[0] = '\0';
    int result = at == 0 ? 0 : local_parse(span_upto(address, at), name.local);
    if (result == NAME_OK)
        result = name_parse_domain(span_from(address, at + 1), name.domain);
    if (result == NAME_OK)
        *ret_name = name;
    return result;
}

int name_parse(span_t address, struct name *ret_name)
{
    return address.len > 0 && address.at[0] == '@' ? (int)NAME_BAD : name_parse_pattern(address, ret_name);
}

int name_write(const struct name *name, struct buf *text)
{
    return buf_append_format(text, "%s@%s", name->local, name->domain);
}

bool name_cut_detail(struct name *name)
{
    char *plus = strchr(name->local, '+');
    if (plus == NULL || plus == name->local)
        return false;
    *plus = '\0';
    return true;
}
