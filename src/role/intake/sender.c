#include <errno.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "ipc/envelope.h"
#include "mime/address.h"
#include "mime/header.h"
#include "role/intake/intake-state.h"

#define ASK_WAIT 30000 /* milliseconds */
#define ARENA_MAX (4U << 20)

static bool holds_account(span_t rows, uint64_t account)
{
    for (; rows.len >= RECIPIENT_ROW_SIZE; rows = span_from(rows, RECIPIENT_ROW_SIZE))
        if (bytes_get_u64(rows.at) == account)
            return true;
    return false;
}

/* An address belongs to whom its mail goes to. */
static int address_check(struct task *task, struct intake *intake, const struct mime_address *address, uint64_t account)
{
    AUTO_BUF struct buf text;
    buf_init(&text, 1024);
    (void)buf_append(&text, address->local);
    (void)buf_append_byte(&text, '@');
    (void)buf_append(&text, address->domain);
    struct channel *keeper = wiring_any(intake->wiring, ROLE_KEEPER);
    if (buf_fault(&text) != 0)
        return SENDER_FOREIGN;
    if (keeper == NULL)
        return SENDER_UNKNOWN;
    struct ipc_message request = {.type = IPC_resolve, .resolve = {.address = buf_span(&text)}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, keeper, &request, ASK_WAIT, &reply);
    if (result != 0)
        return result == -ECANCELED ? result : SENDER_UNKNOWN;
    if (reply->resolved.outcome == RESOLVE_UNAVAILABLE)
        return SENDER_UNKNOWN;
    return holds_account(reply->resolved.recipients, account) ? SENDER_OK : SENDER_FOREIGN;
}

int intake_check_sender(struct task *task, struct intake *intake, span_t header, uint64_t account)
{
    AUTO(arena) struct arena *arena = NULL;
    int result = arena_new(ARENA_MAX, &arena);
    unsigned count = 0;
    struct mime_field field;
    while (result == 0 && mime_field_next(&header, &field)) {
        if (!span_equal_nocase(field.name, SPAN("From")))
            continue;
        struct mime_address *address = NULL;
        result = mime_address_parse(field.value, arena, &address);
        for (; result == 0 && address != NULL; address = address->next) {
            if (address->kind != MIME_ADDRESS_MAILBOX)
                continue;
            if (address->local.at == NULL || address->domain.at == NULL || ++count > SENDER_ADDRESSES_MAX)
                return SENDER_FOREIGN;
            result = address_check(task, intake, address, account);
        }
    }
    return result == -ENOMEM || result == -ENOBUFS ? SENDER_UNKNOWN : result;
}

/* What is behind the limit, and what to do. */
static int refuse(const struct ipc_spend_done *spent, char ret_text[SENDER_TEXT_MAX])
{
    unsigned long long limit = spent->per_hour;
    unsigned long long minutes = (spent->wait + 59) / 60;
    if (spent->outcome == SPEND_BEYOND)
        (void)snprintf(ret_text, SENDER_TEXT_MAX,
                       "You may write to %llu people elsewhere within an hour, and this message is for more; please "
                       "send it to fewer at a time",
                       limit);
    else if (spent->outcome == SPEND_MESSAGES)
        (void)snprintf(
            ret_text, SENDER_TEXT_MAX,
            "You may send %llu messages elsewhere within an hour, and have; please try again in %llu minutes", limit,
            minutes);
    else
        (void)snprintf(ret_text, SENDER_TEXT_MAX,
                       "You may write to %llu people elsewhere within an hour, and this message goes beyond that; "
                       "please try again in %llu minutes",
                       limit, minutes);
    return spent->outcome == SPEND_BEYOND ? SENDER_BEYOND : SENDER_EXHAUSTED;
}

int intake_check_allowance(struct task *task, struct intake *intake, const struct ipc_deliver *deliver,
                           char ret_text[SENDER_TEXT_MAX])
{
    if (envelope_rows_leaving(deliver->remote) == 0)
        return SENDER_OK;
    struct channel *keeper = wiring_any(intake->wiring, ROLE_KEEPER);
    if (keeper == NULL)
        return SENDER_UNKNOWN;
    struct ipc_message request = {.type = IPC_spend, .spend = {.account = deliver->account, .remote = deliver->remote}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, keeper, &request, ASK_WAIT, &reply);
    if (result != 0)
        return result == -ECANCELED ? result : SENDER_UNKNOWN;
    return reply->spend_done.outcome == SPEND_OK ? (int)SENDER_OK : refuse(&reply->spend_done, ret_text);
}
