#include "trust/dkim/body.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define STAGE_SIZE 4096U

struct hash {
    enum dkim_canon canon;
    uint64_t limit;
    uint64_t left;
    EVP_MD_CTX *context;
    uint8_t digest[DKIM_HASH_SIZE];
};

/* One canonical form under way. Line ends wait until something follows them, as those at the body's end do not count.
 */
struct form {
    bool is_wanted;
    bool has_cr;
    bool has_space; /* relaxed: white space that waits */
    bool has_text;  /* something has gone out */
    uint64_t line_ends;
    uint64_t len;
    size_t staged;
    uint8_t stage[STAGE_SIZE];
};

struct dkim_body {
    struct form forms[2]; /* by enum dkim_canon */
    struct hash hashes[DKIM_BODY_HASHES_MAX];
    size_t count;
    bool failed;
};

int dkim_body_new(struct dkim_body **ret_body)
{
    *ret_body = mem_new(sizeof(**ret_body));
    return *ret_body != NULL ? 0 : -ENOMEM;
}

void dkim_body_free(struct dkim_body *body)
{
    for (size_t i = 0; body != NULL && i < body->count; i++)
        EVP_MD_CTX_free(body->hashes[i].context);
    free(body);
}

int dkim_body_want(struct dkim_body *body, enum dkim_canon canon, uint64_t limit, size_t *ret_index)
{
    for (size_t i = 0; i < body->count; i++) {
        if (body->hashes[i].canon != canon || body->hashes[i].limit != limit)
            continue;
        *ret_index = i;
        return DKIM_BODY_OK;
    }
    if (body->count == DKIM_BODY_HASHES_MAX)
        return DKIM_BODY_TOO_MANY;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(context);
        return -ENOMEM;
    }
    body->hashes[body->count] = (struct hash){.canon = canon, .limit = limit, .left = limit, .context = context};
    body->forms[canon].is_wanted = true;
    *ret_index = body->count++;
    return DKIM_BODY_OK;
}

static void flush(struct dkim_body *body, enum dkim_canon canon)
{
    struct form *form = &body->forms[canon];
    for (size_t i = 0; i < body->count; i++) {
        struct hash *hash = &body->hashes[i];
        size_t len = form->staged < hash->left ? form->staged : (size_t)hash->left;
        if (hash->canon != canon || len == 0)
            continue;
        body->failed = EVP_DigestUpdate(hash->context, form->stage, len) != 1 || body->failed;
        hash->left -= hash->limit == DKIM_NO_LIMIT ? 0 : len;
    }
    form->staged = 0;
}

static void emit(struct dkim_body *body, enum dkim_canon canon, span_t bytes)
{
    struct form *form = &body->forms[canon];
    form->len += bytes.len;
    while (bytes.len > 0) {
        if (form->staged == STAGE_SIZE)
            flush(body, canon);
        size_t room = STAGE_SIZE - form->staged;
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(form->stage + form->staged, bytes.at, len);
        form->staged += len;
        bytes = span_from(bytes, len);
    }
}

/* What waited, as text follows. */
static void emit_waiting(struct dkim_body *body, enum dkim_canon canon)
{
    struct form *form = &body->forms[canon];
    for (; form->line_ends > 0; form->line_ends--)
        emit(body, canon, SPAN("\r\n"));
    if (form->has_space)
        emit(body, canon, SPAN(" "));
    form->has_space = false;
    form->has_text = true;
}

static void emit_lone_cr(struct dkim_body *body, enum dkim_canon canon)
{
    body->forms[canon].has_cr = false;
    emit_waiting(body, canon);
    emit(body, canon, SPAN("\r"));
}

static size_t text_len(enum dkim_canon canon, span_t rest)
{
    if (canon == DKIM_SIMPLE)
        return span_find_byte(rest, '\r');
    size_t len = 0;
    while (len < rest.len && rest.at[len] != ' ' && rest.at[len] != '\r' && rest.at[len] != '\t')
        len++;
    return len;
}

static void add(struct dkim_body *body, enum dkim_canon canon, span_t rest)
{
    struct form *form = &body->forms[canon];
    while (rest.len > 0) {
        if (form->has_cr && rest.at[0] == '\n') {
            form->has_cr = false;
            form->has_space = false; /* none at the end of a line (RFC 6376 §3.4.4) */
            form->line_ends++;
            rest = span_from(rest, 1);
            continue;
        }
        if (form->has_cr)
            emit_lone_cr(body, canon);
        size_t len = text_len(canon, rest);
        if (len > 0) {
            emit_waiting(body, canon);
            emit(body, canon, span_upto(rest, len));
        } else {
            form->has_cr = rest.at[0] == '\r';
            form->has_space = form->has_space || rest.at[0] != '\r';
            len = 1;
        }
        rest = span_from(rest, len);
    }
}

void dkim_body_add(struct dkim_body *body, span_t chunk)
{
    for (unsigned canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++)
        if (body->forms[canon].is_wanted)
            add(body, (enum dkim_canon)canon, chunk);
}

/* One line end after the last text; a body without text is one line end (RFC 6376 §3.4.3), or nothing (§3.4.4). */
static void end(struct dkim_body *body, enum dkim_canon canon)
{
    struct form *form = &body->forms[canon];
    if (form->has_cr)
        emit_lone_cr(body, canon);
    if (form->has_text || canon == DKIM_SIMPLE)
        emit(body, canon, SPAN("\r\n"));
    flush(body, canon);
}

int dkim_body_finish(struct dkim_body *body)
{
    for (unsigned canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++)
        if (body->forms[canon].is_wanted)
            end(body, (enum dkim_canon)canon);
    for (size_t i = 0; i < body->count; i++)
        if (EVP_DigestFinal_ex(body->hashes[i].context, body->hashes[i].digest, NULL) != 1)
            body->failed = true;
    return body->failed ? -EIO : 0;
}

const uint8_t *dkim_body_hash(const struct dkim_body *body, size_t index, uint64_t *ret_len)
{
    assert(index < body->count);
    *ret_len = body->forms[body->hashes[index].canon].len;
    return body->hashes[index].digest;
}
