#include "crypto/token.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "crypto/kdf.h"

/* Crockford's: no I, L, O or U. */
static const char capitals[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static const char smalls[] = "0123456789abcdefghjkmnpqrstvwxyz";

#define RECOVERY_DIGITS 36U /* 32 of code, 4 of checksum */
#define RECOVERY_CODE_DIGITS 32U
#define RECOVERY_GROUP 6U
#define APP_PASSWORD_DIGITS 28U
#define APP_PASSWORD_GROUP 4U

/* The five bits of digit number `at`. */
static uint8_t digit_of(const uint8_t *bytes, size_t at)
{
    size_t bit = at * 5;
    unsigned pair = (unsigned)bytes[bit / 8] << 8U;
    if (bit % 8 > 3)
        pair |= bytes[bit / 8 + 1];
    return (uint8_t)((pair >> (11U - bit % 8)) & 31U);
}

static void digit_put(uint8_t *bytes, size_t at, uint8_t digit)
{
    size_t bit = at * 5;
    unsigned pair = (unsigned)digit << (11U - bit % 8);
    bytes[bit / 8] |= (uint8_t)(pair >> 8U);
    if (bit % 8 > 3)
        bytes[bit / 8 + 1] |= (uint8_t)(pair & 255U);
}

static void group_write(uint8_t *text, const uint8_t *digits, size_t count, size_t group, const char *alphabet)
{
    for (size_t at = 0; at < count; at++) {
        if (at > 0 && at % group == 0)
            *text++ = '-';
        *text++ = (uint8_t)alphabet[digits[at]];
    }
}

/* 20 bits, so that a mistyped code is told from a wrong one. */
static void checksum(const uint8_t code[RECOVERY_SIZE], uint8_t ret_sum[3])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)"waxwing recovery code 1", 23);
    crypto_hash_sha256_update(&state, code, RECOVERY_SIZE);
    crypto_hash_sha256_final(&state, hash);
    memcpy(ret_sum, hash, 3);
    secret_wipe(&state, sizeof(state));
    secret_wipe(hash, sizeof(hash));
}

int recovery_code_new(struct secret **ret_code)
{
    return secret_new_random(RECOVERY_SIZE, ret_code);
}

int recovery_code_write(const struct secret *code, struct secret **ret_text)
{
    if (secret_len(code) != RECOVERY_SIZE)
        return -EINVAL;
    int result = secret_new(RECOVERY_TEXT_LEN, ret_text);
    if (result != 0)
        return result;
    uint8_t sum[3];
    uint8_t digits[RECOVERY_DIGITS];
    checksum(secret_bytes(code), sum);
    for (size_t at = 0; at < RECOVERY_CODE_DIGITS; at++)
        digits[at] = digit_of(secret_bytes(code), at);
    for (size_t at = 0; at < RECOVERY_DIGITS - RECOVERY_CODE_DIGITS; at++)
        digits[RECOVERY_CODE_DIGITS + at] = digit_of(sum, at);
    group_write(secret_edit(*ret_text), digits, RECOVERY_DIGITS, RECOVERY_GROUP, capitals);
    secret_wipe(digits, sizeof(digits));
    return 0;
}

/* 0 to 31, 32 for what is skipped, 33 for what has no place in a code. */
static uint8_t digit_read(uint8_t letter)
{
    letter = ascii_upper(letter);
    if (letter == '-' || letter == ' ' || letter == '\t')
        return 32;
    if (letter == 'O')
        return 0;
    if (letter == 'I' || letter == 'L')
        return 1;
    for (uint8_t digit = 0; digit < 32; digit++)
        if ((uint8_t)capitals[digit] == letter)
            return digit;
    return 33;
}

int recovery_code_read(span_t text, struct secret **ret_code)
{
    AUTO(secret) struct secret *code = NULL;
    int result = secret_new(RECOVERY_SIZE, &code);
    if (result != 0)
        return result;
    uint8_t sum[3];
    uint8_t said[3] = {0};
    size_t count = 0;
    for (size_t at = 0; at < text.len; at++) {
        uint8_t digit = digit_read(text.at[at]);
        if (digit == 32)
            continue;
        if (digit > 32 || count == RECOVERY_DIGITS)
            return RECOVERY_MISTYPED;
        if (count < RECOVERY_CODE_DIGITS)
            digit_put(secret_edit(code), count, digit);
        else
            digit_put(said, count - RECOVERY_CODE_DIGITS, digit);
        count++;
    }
    checksum(secret_bytes(code), sum);
    sum[2] &= 0xf0U;
    if (count != RECOVERY_DIGITS || memcmp(sum, said, sizeof(sum)) != 0)
        return RECOVERY_MISTYPED;
    *ret_code = TAKE(code);
    return RECOVERY_OK;
}

int app_password_new(struct secret **ret_text)
{
    int result = secret_new(APP_PASSWORD_LEN, ret_text);
    if (result != 0)
        return result;
    uint8_t digits[APP_PASSWORD_DIGITS];
    random_bytes(digits, sizeof(digits));
    for (size_t at = 0; at < sizeof(digits); at++)
        digits[at] &= 31U;
    group_write(secret_edit(*ret_text), digits, APP_PASSWORD_DIGITS, APP_PASSWORD_GROUP, smalls);
    secret_wipe(digits, sizeof(digits));
    return 0;
}

bool app_password_shaped(span_t text)
{
    if (text.len != APP_PASSWORD_LEN)
        return false;
    for (size_t at = 0; at < text.len; at++) {
        bool hyphen = at % (APP_PASSWORD_GROUP + 1) == APP_PASSWORD_GROUP;
        bool fits = hyphen ? text.at[at] == '-' : text.at[at] != 0 && strchr(smalls, text.at[at]) != NULL;
        if (!fits)
            return false;
    }
    return true;
}

int token_split(span_t token, span_t salt, struct secret **ret_proof, struct secret **ret_wrapping_key)
{
    AUTO(secret) struct secret *proof = NULL;
    AUTO(secret) struct secret *wrapping = NULL;
    int result = secret_new(KEY_SIZE, &proof);
    if (result == 0)
        result = secret_new(KEY_SIZE, &wrapping);
    if (result == 0)
        result = kdf_hkdf(token, salt, SPAN("waxwing token proof 1"), secret_edit(proof), KEY_SIZE);
    if (result == 0)
        result = kdf_hkdf(token, salt, SPAN("waxwing token wrapping 1"), secret_edit(wrapping), KEY_SIZE);
    if (result != 0)
        return result;
    *ret_proof = TAKE(proof);
    *ret_wrapping_key = TAKE(wrapping);
    return 0;
}
