#include "trust/dkim/sign.h"

#include <errno.h>

#include "base/base64.h"

#define LINE_MAX_LEN 72U
#define FIELD_MAX 16384U
#define TEXT_MAX (DKIM_HEADER_MAX + 4U * DKIM_SIGNATURE_MAX)

/* In the order in which they are named (RFC 6376 §5.4.1). */
static const char *const oversigned[] = {
    "From",
    "Sender",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "To",
    "Cc",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
};
/* Signed as often as they are there: a list or a relay may add its own. */
static const char *const plain[] = {
    "List-Id",        "List-Help",        "List-Unsubscribe",  "List-Unsubscribe-Post",
    "List-Post",      "Autocrypt",        "Resent-From",       "Resent-To",
    "Resent-Date",    "Content-Language", "TLS-Report-Domain", "TLS-Report-Submitter",
    "DKIM-Signature", /* by ARC alone (RFC 8617
§4.1.2) */
};

/* A field that grows, folded between words (RFC 5322 §2.2.3). */
struct field {
    struct buf text;
    size_t column;
};

static void put(struct field *field, span_t word)
{
    if (field->column + word.len > LINE_MAX_LEN) {
        (void)buf_append_text(&field->text, "\r\n\t");
        field->column = 8;
        word = span_from(word, span_starts(word, SPAN(" ")) ? 1 : 0);
    }
    (void)buf_append(&field->text, word);
    field->column += word.len;
}

static void put_tag(struct field *field, const char *name, span_t value)
{
    AUTO_BUF struct buf tag;
    buf_init(&tag, 1024);
    (void)buf_append_format(&tag, " %s=%.*s;", name, SPAN_PRINT(value));
    put(field, buf_span(&tag));
}

static void put_number(struct field *field, const char *name, uint64_t value)
{
    AUTO_BUF struct buf digits;
    buf_init(&digits, 32);
    (void)buf_append_u64(&digits, value);
    put_tag(field, name, buf_span(&digits));
}

static int put_base64(struct field *field, span_t bytes)
{
    AUTO_BUF struct buf text;
    buf_init(&text, FIELD_MAX);
    int result = base64_encode(bytes, &text);
    span_t rest = buf_span(&text);
    while (result == 0 && rest.len > 0) {
        size_t room = field->column < LINE_MAX_LEN ? LINE_MAX_LEN - field->column : LINE_MAX_LEN - 8;
        put(field, span_upto(rest, room));
        rest = span_from(rest, room);
    }
    return result;
}

static size_t count_of(const struct dkim_header *header, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < header->count; i++)
        count += span_equal_nocase(header->fields[i].name, span_of_text(name)) ? 1 : 0;
    return count;
}

static void put_names(struct field *field, enum dkim_kind kind, const struct dkim_header *header)
{
    bool first = true;
    size_t count = COUNT_OF(oversigned) + COUNT_OF(plain) - (kind == DKIM_OF_MESSAGE ? 1 : 0);
    put(field, SPAN(" h="));
    for (size_t i = 0; i < count; i++) {
        bool over = i < COUNT_OF(oversigned);
        const char *name = over ? oversigned[i] : plain[i - COUNT_OF(oversigned)];
        size_t times = count_of(header, name) + (over ? 1 : 0);
        for (size_t j = 0; j < times && j < 16; j++) {
            if (!first)
                (void)buf_append_byte(&field->text, ':');
            field->column += first ? 0 : 1;
            first = false;
            put(field, span_of_text(name));
        }
    }
    (void)buf_append_byte(&field->text, ';');
    field->column++;
}

static int put_all(struct field *field, const struct dkim_signing *signing, const struct dkim_header *header)
{
    static const char *const names[] = {"DKIM-Signature:", "ARC-Message-Signature:", "ARC-Seal:"};
    put(field, span_of_text(names[signing->kind]));
    if (signing->kind == DKIM_OF_MESSAGE)
        put_tag(field, "v", SPAN("1"));
    else
        put_number(field, "i", signing->instance);
    put_tag(field, "a", signing->algorithm == DKIM_RSA_SHA256 ? SPAN("rsa-sha256") : SPAN("ed25519-sha256"));
    if (signing->kind == DKIM_OF_ARC_SEAL)
        put_tag(field, "cv", span_of_text(signing->chain));
    else
        put_tag(field, "c", SPAN("relaxed/relaxed"));
    put_tag(field, "d", signing->domain);
    put_tag(field, "s", signing->selector);
    put_number(field, "t", signing->now);
    if (signing->lifetime > 0)
        put_number(field, "x", signing->now + signing->lifetime);
    if (signing->kind == DKIM_OF_ARC_SEAL) {
        put(field, SPAN(" b="));
        return 0;
    }
    put_names(field, signing->kind, header);
    put(field, SPAN(" bh="));
    int result = put_base64(field, span_of(signing->body_hash, DKIM_HASH_SIZE));
    put(field, SPAN("; b="));
    return result;
}

static int hash_seal(const struct dkim_signing *signing, const struct dkim_signature *own, uint8_t *ret_hash)
{
    AUTO_BUF struct buf text;
    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < signing->seal->count; i++)
        (void)dkim_canon_field(DKIM_RELAXED, signing->seal->fields[i].whole, &text);
    (void)dkim_header_append_own(own, &text);
    return buf_fault(&text) != 0 ? buf_fault(&text) : dkim_hash(buf_span(&text), ret_hash);
}

/* What verifiers will read out of the field as it is now. */
static int hash(const struct dkim_signing *signing, const struct dkim_header *header, span_t field, uint8_t *ret_hash)
{
    struct dkim_signature own = {.field = field, .empty_b = span_from(field, field.len), .header_canon = DKIM_RELAXED};
    if (signing->kind == DKIM_OF_ARC_SEAL)
        return hash_seal(signing, &own, ret_hash);
    size_t start = span_find(field, SPAN("h=")) + 2;
    span_t list = span_from(field, start);
    list = span_upto(list, span_find_byte(list, ';'));
    AUTO_BUF struct buf names;
    buf_init(&names, FIELD_MAX);
    for (size_t i = 0; i < list.len; i++)
        if (!ascii_is_space(list.at[i]) && list.at[i] != '\r' && list.at[i] != '\n')
            (void)buf_append_byte(&names, list.at[i]);
    own.names = buf_span(&names);
    return buf_fault(&names) != 0 ? buf_fault(&names) : dkim_header_hash(header, &own, ret_hash);
}

int dkim_sign(const struct dkim_signing *signing, const struct dkim_header *header, const struct dkim_signer *signer,
              struct buf *lines)
{
    uint8_t digest[DKIM_HASH_SIZE];
    struct field field = {.column = 0};
    AUTO_BUF struct buf signature;
    buf_init(&field.text, FIELD_MAX);
    buf_init(&signature, FIELD_MAX);
    int result = put_all(&field, signing, header);
    if (result == 0)
        result = buf_fault(&field.text);
    if (result == 0)
        result = hash(signing, header, buf_span(&field.text), digest);
    if (result == 0)
        result = signer->sign(signer->context, signing->algorithm, signing->selector, digest, &signature);
    if (result == 0)
        result = put_base64(&field, buf_span(&signature));
    (void)buf_append_text(&field.text, "\r\n");
    if (result == 0)
        result = buf_fault(&field.text);
    if (result == 0)
        result = buf_append(lines, buf_span(&field.text));
    buf_deinit(&field.text);
    return result;
}
