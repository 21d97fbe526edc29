#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/record-layout.h"
#include "crypto/record.h"

static const uint8_t bound = RECORD_VERSION;

/* Length of chunk number `chunk` of `padded` plain bytes. */
static size_t chunk_len(uint64_t padded, uint64_t chunk)
{
    uint64_t left = padded - chunk * RECORD_CHUNK;
    return left < RECORD_CHUNK ? (size_t)left : RECORD_CHUNK;
}

static int chunk_open(struct aead *aead, uint64_t padded, uint64_t chunk, const uint8_t *sealed, uint8_t *out)
{
    size_t len = chunk_len(padded, chunk);
    uint8_t nonce[AEAD_NONCE_SIZE];
    record_nonce(chunk, (chunk + 1) * RECORD_CHUNK >= padded, nonce);
    int result = aead_open(aead, nonce, span_of(&bound, 1), span_of(sealed, len), sealed + len, out);
    return result == AEAD_FORGED ? (int)RECORD_FORGED : result;
}

int record_open(const struct secret *content_key, span_t sealed, struct buf *plain, struct record_meta *ret_meta,
                span_t *ret_message)
{
    if (secret_len(content_key) != RECORD_KEY_LEN || buf_len(plain) != 0)
        return -EINVAL;
    if (sealed.len > 0 && sealed.at[0] != RECORD_VERSION)
        return RECORD_UNKNOWN_VERSION;
    uint64_t padded = record_plain_len(sealed.len);
    if (padded == 0)
        return RECORD_FORGED;
    AUTO(aead) struct aead *aead = NULL;
    uint8_t *out = NULL;
    int result = aead_new(secret_bytes(content_key), &aead);
    if (result == 0)
        result = buf_reserve(plain, (size_t)padded, &out);
    if (result != 0)
        return result;
    for (uint64_t chunk = 0; result == 0 && chunk * RECORD_CHUNK < padded; chunk++)
        result =
            chunk_open(aead, padded, chunk, sealed.at + 1 + chunk * RECORD_SEALED_CHUNK, out + chunk * RECORD_CHUNK);
    if (result != 0)
        return result;
    uint64_t start = 0;
    uint64_t message_len = 0;
    result = record_head_parse(span_of(out, (size_t)padded), padded, ret_meta, &start, &message_len);
    if (result != RECORD_OK)
        return result;
    buf_commit(plain, (size_t)padded);
    *ret_message = span_slice(buf_span(plain), (size_t)start, (size_t)message_len);
    return RECORD_OK;
}

struct record_reader {
    struct aead *aead;
    int fd;
    uint64_t offset;
    uint64_t padded;
    uint64_t start; /* of the message in the plain bytes */
    uint64_t message_len;
    struct record_meta meta; /* points into head */
    uint8_t *head;
    uint64_t held; /* the chunk that stands open in `chunk`, or UINT64_MAX */
    uint8_t *chunk;
};

static int read_fully(int fd, uint8_t *into, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t got = pread(fd, into, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return RECORD_FORGED;
        into += got;
        len -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

/* Reads a chunk and opens it to where `out` points: reader->chunk, or room of the caller's for all of it. */
static int reader_open(struct record_reader *reader, uint64_t chunk, uint8_t *out)
{
    reader->held = UINT64_MAX;
    size_t len = chunk_len(reader->padded, chunk);
    uint64_t at = reader->offset + 1 + chunk * RECORD_SEALED_CHUNK;
    int result = read_fully(reader->fd, reader->chunk, len + AEAD_TAG_SIZE, at);
    return result != 0 ? result : chunk_open(reader->aead, reader->padded, chunk, reader->chunk, out);
}

static int reader_load(struct record_reader *reader, uint64_t chunk)
{
    if (reader->held == chunk)
        return 0;
    int result = reader_open(reader, chunk, reader->chunk);
    if (result == 0)
        reader->held = chunk;
    return result;
}

/* The metadata is kept apart from the chunk, which later reads replace. */
static int reader_start(struct record_reader *reader)
{
    uint8_t version = 0;
    int result = read_fully(reader->fd, &version, 1, reader->offset);
    if (result != 0)
        return result;
    if (version != RECORD_VERSION)
        return RECORD_UNKNOWN_VERSION;
    result = reader_load(reader, 0);
    if (result != 0)
        return result;
    span_t plain = span_of(reader->chunk, chunk_len(reader->padded, 0));
    result = record_head_parse(plain, reader->padded, &reader->meta, &reader->start, &reader->message_len);
    if (result != RECORD_OK)
        return result;
    reader->head = mem_new((size_t)reader->start);
    if (reader->head == NULL)
        return -ENOMEM;
    memcpy(reader->head, plain.at, (size_t)reader->start);
    return record_head_parse(span_of(reader->head, (size_t)reader->start), reader->padded, &reader->meta,
                             &reader->start, &reader->message_len);
}

int record_reader_new(const struct secret *content_key, int fd, uint64_t offset, uint64_t len,
                      struct record_reader **ret_reader)
{
    if (secret_len(content_key) != RECORD_KEY_LEN)
        return -EINVAL;
    uint64_t padded = record_plain_len(len);
    if (padded == 0)
        return RECORD_FORGED;
    AUTO(record_reader) struct record_reader *reader = mem_new(sizeof(*reader));
    if (reader == NULL)
        return -ENOMEM;
    reader->fd = fd;
    reader->offset = offset;
    reader->padded = padded;
    reader->held = UINT64_MAX;
    reader->chunk = mem_new(chunk_len(padded, 0) + AEAD_TAG_SIZE);
    if (reader->chunk == NULL)
        return -ENOMEM;
    int result = aead_new(secret_bytes(content_key), &reader->aead);
    if (result == 0)
        result = reader_start(reader);
    if (result == 0)
        *ret_reader = TAKE(reader);
    return result;
}

void record_reader_free(struct record_reader *reader)
{
    if (reader == NULL)
        return;
    aead_free(reader->aead);
    if (reader->chunk != NULL)
        secret_wipe(reader->chunk, chunk_len(reader->padded, 0));
    if (reader->head != NULL)
        secret_wipe(reader->head, (size_t)reader->start);
    scope_free(&reader->chunk);
    scope_free(&reader->head);
    scope_free(&reader);
}

const struct record_meta *record_reader_meta(const struct record_reader *reader)
{
    return &reader->meta;
}

uint64_t record_reader_message_len(const struct record_reader *reader)
{
    return reader->message_len;
}

int record_reader_read(struct record_reader *reader, uint64_t from, uint64_t len, struct buf *bytes)
{
    if (from >= reader->message_len)
        return RECORD_OK;
    if (len > reader->message_len - from)
        len = reader->message_len - from;
    uint64_t at = reader->start + from;
    uint8_t *out = NULL;
    int result = len > SIZE_MAX ? -ENOBUFS : buf_reserve(bytes, (size_t)len, &out);
    while (result == 0 && len > 0) {
        uint64_t chunk = at / RECORD_CHUNK;
        size_t within = (size_t)(at % RECORD_CHUNK);
        size_t take = chunk_len(reader->padded, chunk) - within;
        if (within == 0 && take <= len && reader->held != chunk) {
            result = reader_open(reader, chunk, out);
        } else {
            take = take < len ? take : (size_t)len;
            result = reader_load(reader, chunk);
            if (result == 0)
                memcpy(out, reader->chunk + within, take);
        }
        if (result != 0)
            return result;
        buf_commit(bytes, take);
        out += take;
        at += take;
        len -= take;
    }
    return result;
}
