#include "role/keeper/passphrase.h"

#include <errno.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "crypto/password.h"

/* All in memory that is wiped: two arrays of UTF-16 and one of UTF-8. */
#define UNITS PASSWORD_MAX
#define WORK_SIZE (2 * UNITS * sizeof(UChar) + PASSWORD_MAX)

static void map_spaces(UChar *units, int32_t len)
{
    for (int32_t at = 0; at < len; at++)
        if (units[at] > 0x7f && u_charType(units[at]) == U_SPACE_SEPARATOR)
            units[at] = ' ';
}

int passphrase_prepare(span_t password, struct secret **ret_prepared)
{
    AUTO(secret) struct secret *work = NULL;
    if (password.len == 0 || password.len > PASSWORD_MAX)
        return secret_copy(password, ret_prepared);
    int result = secret_new(WORK_SIZE, &work);
    if (result != 0)
        return result;
    UChar *one = (UChar *)(void *)secret_edit(work);
    UChar *two = one + UNITS;
    char *text = (char *)(two + UNITS);
    int32_t len = 0;
    UErrorCode code = U_ZERO_ERROR;
    const UNormalizer2 *nfc = unorm2_getNFCInstance(&code);
    u_strFromUTF8(one, UNITS, &len, (const char *)password.at, (int32_t)password.len, &code);
    if (U_SUCCESS(code))
        map_spaces(one, len);
    len = unorm2_normalize(nfc, one, len, two, UNITS, &code);
    u_strToUTF8(text, PASSWORD_MAX, &len, two, len, &code);
    if (U_FAILURE(code))
        return secret_copy(password, ret_prepared);
    return secret_copy(span_of(text, (size_t)len), ret_prepared);
}
