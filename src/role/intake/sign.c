#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "conf/conf.h"
#include "mime/address.h"
#include "mime/header.h"
#include "role/intake/intake-state.h"
#include "trust/arc/seal.h"
#include "trust/dkim/sign.h"
#include "trust/domain.h"

#define ARENA_MAX (4U << 20)
#define ASK_WAIT 30000                 /* milliseconds */
#define TURN_BYTES ((size_t)256 << 10) /* hashed before others have their turn */

/* What one message's signing has on the stack of its task. */
struct signing {
    struct task *task;
    struct intake *intake;
    struct arena *arena;
    span_t domain;
};

/* The domain of the first address in From: who sends is checked already, so it is one of ours. */
static int find_domain(struct signing *signing, span_t header)
{
    struct mime_address *address = NULL;
    int result = mime_address_parse(mime_field_value(header, SPAN("From")), signing->arena, &address);
    while (result == 0 && address != NULL && address->kind != MIME_ADDRESS_MAILBOX)
        address = address->next;
    if (result != 0 || address == NULL)
        return result;
    result = domain_normal(address->domain, signing->arena, &signing->domain);
    return result == -EINVAL ? 0 : result;
}

/* The call's answer, or a fault; without keeper -ENOTCONN. */
static int ask_keeper(struct signing *signing, struct ipc_message *request, struct ipc_message **ret_reply)
{
    struct channel *keeper = wiring_any(signing->intake->wiring, ROLE_KEEPER);
    if (keeper == NULL)
        return -ENOTCONN;
    return channel_call_within(signing->task, keeper, request, ASK_WAIT, ret_reply);
}

static int sign_hash(void *context, enum dkim_algorithm algorithm, span_t selector, const uint8_t *hash,
                     struct buf *signature)
{
    struct signing *signing = context;
    struct ipc_message request = {
        .type = IPC_sign,
        .sign = {.domain = signing->domain, .selector = selector, .hash = span_of(hash, DKIM_HASH_SIZE)}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    (void)algorithm; /* the selector says it */
    int result = ask_keeper(signing, &request, &reply);
    if (result != 0)
        return result;
    if (reply->sign_done.signature.len == 0)
        return -ENOKEY;
    return buf_append(signature, reply->sign_done.signature);
}

static int hash_body(struct signing *signing, struct dkim_body *body, span_t rest)
{
    int result = 0;
    while (result == 0 && rest.len > 0) {
        dkim_body_add(body, span_upto(rest, TURN_BYTES));
        rest = span_from(rest, TURN_BYTES);
        if (rest.len > 0)
            result = task_yield(signing->task);
    }
    return result != 0 ? result : dkim_body_finish(body);
}

/* With each key that keeper named (RFC 8463 §3.1: both algorithms side by side). */
static int sign_with_all(struct signing *signing, span_t keys, const struct dkim_header *header,
                         const uint8_t *body_hash, struct buf *lines)
{
    const struct dkim_signer signer = {.sign = sign_hash, .context = signing};
    int result = 0;
    while (result == 0 && keys.len > 2) {
        const struct dkim_signing one = {
            .kind = DKIM_OF_MESSAGE,
            .algorithm = keys.at[0] == DKIM_RSA_SHA256 ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256,
            .domain = signing->domain,
            .selector = span_slice(keys, 2, keys.at[1]),
            .now = (uint64_t)time(NULL),
            .body_hash = body_hash,
        };
        keys = span_from(keys, 2U + keys.at[1]);
        result = dkim_sign(&one, header, &signer, lines);
    }
    return result;
}

static int sign_message(struct signing *signing, span_t message, struct buf *lines)
{
    AUTO(dkim_body) struct dkim_body *body = NULL;
    AUTO(ipc_message) struct ipc_message *keys = NULL;
    struct dkim_header header;
    size_t index = 0;
    uint64_t len = 0;
    const size_t header_len = mime_header_len(message);
    int result = find_domain(signing, span_upto(message, header_len));
    if (result != 0 || signing->domain.len == 0)
        return result;
    struct ipc_message request = {.type = IPC_dkim_keys, .dkim_keys = {.domain = signing->domain}};
    result = ask_keeper(signing, &request, &keys);
    if (result != 0 || keys->dkim_keys_done.keys.len == 0)
        return result;
    result = dkim_header_index(span_upto(message, header_len), signing->arena, &header);
    if (result == 0)
        result = dkim_body_new(&body);
    if (result == 0)
        result = dkim_body_want(body, DKIM_RELAXED, DKIM_NO_LIMIT, &index);
    if (result == 0)
        result = hash_body(signing, body, span_from(message, header_len));
    if (result != 0 || header.is_too_large)
        return result;
    return sign_with_all(signing, keys->dkim_keys_done.keys, &header, dkim_body_hash(body, index, &len), lines);
}

int intake_sign(struct task *task, struct intake *intake, span_t message, struct buf *lines)
{
    AUTO(arena) struct arena *arena = NULL;
    struct signing signing = {.task = task, .intake = intake};
    int result = arena_new(ARENA_MAX, &arena);
    signing.arena = arena;
    if (result == 0)
        result = sign_message(&signing, message, lines);
    if (result == 0 || result == -ECANCELED)
        return result;
    log_warn("intake.sign.failed", F_FAULT(result));
    buf_clear(lines);
    return result;
}

/* --- sealing what is sent on ----------------------------------------------------------------------------------------
 */

/* RFC 8617 knows RSA alone, and a set has one signature. */
static span_t rsa_selector(span_t keys)
{
    for (; keys.len > 2; keys = span_from(keys, 2U + keys.at[1]))
        if (keys.at[0] == DKIM_RSA_SHA256)
            return span_slice(keys, 2, keys.at[1]);
    return SPAN_NONE;
}

/* The chain as it stands in this header, with what was found out about it before the message was stamped. */
static int find_chain(struct signing *signing, const struct intake_judged *judged, const struct dkim_header *header,
                      struct dkim_body *body, struct arc_chain **ret_chain)
{
    int result = arc_chain_new(header, body, signing->arena, ret_chain);
    if (result != 0 || !judged->is_judged)
        return result;
    (*ret_chain)->result = judged->arc;
    (*ret_chain)->has_failed_before = judged->has_arc_failed_before;
    return 0;
}

static int seal(struct signing *signing, const struct intake_sealing *asked, span_t selector, struct buf *lines)
{
    AUTO(dkim_body) struct dkim_body *body = NULL;
    const struct dkim_signer signer = {.sign = sign_hash, .context = signing};
    struct dkim_header header;
    struct arc_chain *chain = NULL;
    size_t index = 0;
    uint64_t len = 0;
    const size_t header_len = mime_header_len(asked->message);
    int result = dkim_header_index(span_upto(asked->message, header_len), signing->arena, &header);
    if (result == 0)
        result = dkim_body_new(&body);
    if (result == 0)
        result = find_chain(signing, asked->judged, &header, body, &chain);
    if (result == 0)
        result = dkim_body_want(body, DKIM_RELAXED, DKIM_NO_LIMIT, &index);
    if (result == 0)
        result = hash_body(signing, body, span_from(asked->message, header_len));
    /* Nobody has looked at a chain that came from a network that is not judged. */
    if (result != 0 || header.is_too_large ||
        (!asked->judged->is_judged && (chain->count > 0 || chain->result != ARC_NONE)))
        return result;
    const struct arc_sealing sealing = {
        .chain = chain,
        .host = span_of_text(signing->intake->start->conf->server_hostname),
        .results = asked->judged->is_judged ? buf_span(&asked->judged->results) : SPAN("; none"),
        .domain = signing->domain,
        .selector = selector,
        .algorithm = DKIM_RSA_SHA256,
        .now = (uint64_t)time(NULL),
        .body_hash = dkim_body_hash(body, index, &len),
    };
    result = arc_seal(&sealing, &header, &signer, lines);
    return result < 0 ? result : 0;
}

static int seal_message(struct signing *signing, const struct intake_sealing *asked, struct buf *lines)
{
    AUTO(ipc_message) struct ipc_message *keys = NULL;
    int result = domain_normal(asked->domain, signing->arena, &signing->domain);
    if (result != 0)
        return result == -EINVAL ? 0 : result;
    struct ipc_message request = {.type = IPC_dkim_keys, .dkim_keys = {.domain = signing->domain}};
    result = ask_keeper(signing, &request, &keys);
    if (result != 0)
        return result;
    span_t selector = rsa_selector(keys->dkim_keys_done.keys);
    return selector.len == 0 ? 0 : seal(signing, asked, selector, lines);
}

int intake_seal(struct task *task, struct intake *intake, const struct intake_sealing *sealing, struct buf *lines)
{
    AUTO(arena) struct arena *arena = NULL;
    struct signing signing = {.task = task, .intake = intake};
    int result = arena_new(ARENA_MAX, &arena);
    signing.arena = arena;
    if (result == 0)
        result = seal_message(&signing, sealing, lines);
    if (result == -ENOBUFS) { /* results that long fit in no header */
        buf_clear(lines);
        return 0;
    }
    if (result < 0 && result != -ECANCELED)
        log_warn("intake.seal.failed", F_FAULT(result));
    return result;
}
