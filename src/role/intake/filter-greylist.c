#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "role/intake/filter.h"

#define ASK_WAIT 5000 /* milliseconds */
#define KEY_MAX 1400U

/* The client's network, since large senders try again from a neighbour; who writes, and to whom. */
static int write_key(const struct ip *client, const struct ipc_deliver *envelope, struct buf *key)
{
    (void)buf_append(key, span_of(client->bytes, client->is_six ? 8 : 3));
    (void)buf_append(key, envelope->sender);
    (void)buf_append_byte(key, 0);
    (void)buf_append(key, span_upto(envelope->recipients, 8));
    return buf_fault(key);
}

static int silent(char reason[FILTER_REASON_MAX], int fault)
{
    (void)snprintf(reason, FILTER_REASON_MAX, "keeper: %s", strerror(-fault));
    return FILTER_SILENT;
}

int filter_ask_greylist(struct task *task, struct intake *intake, const struct filter_letter *letter,
                        struct filter_opinion *opinion, char reason[FILTER_REASON_MAX])
{
    struct ip client;
    if (!ip_parse(letter->envelope->client, &client))
        return 0;
    AUTO_BUF struct buf key;
    buf_init(&key, KEY_MAX);
    int result = write_key(&client, letter->envelope, &key);
    struct channel *keeper = wiring_any(intake->wiring, ROLE_KEEPER);
    if (result != 0)
        return result;
    if (keeper == NULL)
        return silent(reason, -ENOTCONN);
    struct ipc_message request = {.type = IPC_greylist, .greylist = {.key = buf_span(&key)}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    result = channel_call_within(task, keeper, &request, ASK_WAIT, &reply);
    if (result == 0 && reply->greylist_done.waits != 0)
        filter_advise(opinion, FILTER_LATER, SPAN("We do not know you yet: please try again in a few minutes"));
    return result == 0 || result == -ECANCELED ? result : silent(reason, result);
}
