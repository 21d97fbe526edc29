#include "crypto/wrap.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "crypto/aead.h"

#define WRAP_VERSION 1U
#define NONCE_AT 1U
#define BODY_AT (NONCE_AT + AEAD_NONCE_SIZE)
#define TAG_AT (BODY_AT + WRAP_SECRET_SIZE)
#define BOUND_MAX 1024U

static int bind_to(span_t bound, struct buf *all)
{
    buf_init(all, BOUND_MAX + 64);
    buf_append(all, SPAN("waxwing wrapped secret"));
    buf_append_byte(all, WRAP_VERSION);
    buf_append(all, bound);
    return buf_fault(all);
}

int wrap_seal(const struct secret *wrapping_key, span_t bound, const struct secret *secret,
              uint8_t ret_wrapped[WRAP_SIZE])
{
    if (secret_len(wrapping_key) != AEAD_KEY_SIZE || secret_len(secret) != WRAP_SECRET_SIZE)
        return -EINVAL;
    AUTO_BUF struct buf all = {0};
    AUTO(aead) struct aead *aead = NULL;
    int result = bind_to(bound, &all);
    if (result == 0)
        result = aead_new(secret_bytes(wrapping_key), &aead);
    if (result != 0)
        return result;
    ret_wrapped[0] = WRAP_VERSION;
    random_bytes(ret_wrapped + NONCE_AT, AEAD_NONCE_SIZE);
    return aead_seal(aead, ret_wrapped + NONCE_AT, buf_span(&all), secret_span(secret), ret_wrapped + BODY_AT,
                     ret_wrapped + TAG_AT);
}

int wrap_open(const struct secret *wrapping_key, span_t bound, span_t wrapped, struct secret **ret_secret)
{
    if (secret_len(wrapping_key) != AEAD_KEY_SIZE)
        return -EINVAL;
    if (wrapped.len < 1)
        return WRAP_FORGED;
    if (wrapped.at[0] != WRAP_VERSION)
        return WRAP_UNKNOWN_VERSION;
    if (wrapped.len != WRAP_SIZE)
        return WRAP_FORGED;
    AUTO_BUF struct buf all = {0};
    AUTO(aead) struct aead *aead = NULL;
    AUTO(secret) struct secret *secret = NULL;
    int result = bind_to(bound, &all);
    if (result == 0)
        result = aead_new(secret_bytes(wrapping_key), &aead);
    if (result == 0)
        result = secret_new(WRAP_SECRET_SIZE, &secret);
    if (result != 0)
        return result;
    result = aead_open(aead, wrapped.at + NONCE_AT, buf_span(&all), span_slice(wrapped, BODY_AT, WRAP_SECRET_SIZE),
                       wrapped.at + TAG_AT, secret_edit(secret));
    if (result < 0)
        return result;
    if (result != AEAD_OK)
        return WRAP_FORGED;
    *ret_secret = TAKE(secret);
    return WRAP_OK;
}
