#include <string.h>
#include <time.h>

#include "base/log.h"
#include "role/keeper/domainkeys.h"
#include "role/keeper/keeper-state.h"
#include "role/keeper/signingkey.h"

static bool read_name(span_t name, char *into, size_t room)
{
    if (name.len == 0 || name.len >= room || span_find_byte(name, 0) < name.len)
        return false;
    memcpy(into, name.at, name.len);
    into[name.len] = '\0';
    return true;
}

void keeper_dkim_keys(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    (void)task;
    struct domainkeys keys = {.count = 0};
    char domain[NAME_DOMAIN_MAX + 1];
    AUTO_BUF struct buf rows;
    buf_init(&rows, DOMAINKEYS_MAX * (DIRECTORY_SELECTOR_SIZE + 2));
    int result = 0;
    if (read_name(request->message->dkim_keys.domain, domain, sizeof(domain)))
        result = domainkeys_read(keeper->directory, domain, (uint64_t)time(NULL), &keys);
    for (size_t i = 0; result == 0 && i < keys.count; i++) {
        const struct domainkey *key = &keys.keys[i];
        if (key->state != DOMAINKEY_SIGNS)
            continue;
        (void)buf_append_byte(&rows, (uint8_t)key->row.algorithm);
        (void)buf_append_byte(&rows, (uint8_t)strlen(key->row.selector));
        (void)buf_append_text(&rows, key->row.selector);
    }
    if (result < 0)
        log_error("keeper.dkim.failed", F_FAULT(result));
    struct ipc_message reply = {.type = IPC_dkim_keys_done, .dkim_keys_done = {.keys = buf_span(&rows)}};
    keeper_reply(request, &reply);
}

void keeper_sign(struct task *task, struct keeper *keeper, struct keeper_request *request)
{
    (void)task;
    char domain[NAME_DOMAIN_MAX + 1];
    char selector[DIRECTORY_SELECTOR_SIZE];
    const struct ipc_sign *asked = &request->message->sign;
    AUTO_BUF struct buf signature;
    buf_init(&signature, SIGNATURE_MAX);
    int result = DIRECTORY_NONE;
    if (asked->hash.len == DKIM_HASH_SIZE && read_name(asked->domain, domain, sizeof(domain)) &&
        read_name(asked->selector, selector, sizeof(selector)))
        result = domainkeys_sign(keeper->signing, keeper->directory, domain, selector, asked->hash.at, &signature);
    if (result < 0)
        log_error("keeper.sign.failed", F_FAULT(result));
    keeper->signatures += result == DIRECTORY_OK;
    struct ipc_message reply = {.type = IPC_sign_done};
    if (result == DIRECTORY_OK)
        reply.sign_done.signature = buf_span(&signature);
    keeper_reply(request, &reply);
}
