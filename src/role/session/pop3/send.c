#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "crypto/secret.h"
#include "mime/downgrade.h"
#include "proto/pop3/content.h"
#include "role/session/message.h"
#include "role/session/pop3/pop3.h"
#include "vault/email.h"
#include "vault/mailbox.h"
#include "vault/member.h"

#define PIECE 65536U
#define DOWNGRADED_MAX (POP3_OUT_MAX / 4) /* a header: what goes out is at most twice as much */

/* A message while it is sent. */
struct sending {
    struct pop3_client *client;
    struct message *message;
    struct pop3_content content;
    struct buf piece;
    uint64_t taken; /* of the message, by what stands in piece first */
};

static int take_email(void *arg, const struct vault_member *member)
{
    uint64_t *email = arg;
    *email = member->email;
    return 0;
}

/* -ENOENT: somebody has deleted or moved it since the maildrop was opened. */
static int open_message(struct task *task, struct pop3_client *client, uint32_t *ret_header,
                        struct message **ret_message)
{
    struct session *session = client->session;
    struct vault_range range = {client->engine.entry->uid, client->engine.entry->uid};
    struct vault_email email;
    uint64_t id = 0;
    int result = vault_member_scan(session->vault, VAULT_INBOX, range, take_email, &id);
    if (result == 0)
        result = id == 0 ? -ENOENT : vault_email_get(session->vault, id, &email);
    if (result != 0)
        return result < 0 ? result : -ENOENT;
    *ret_header = email.header_size;
    result = message_open(task, session, &email.place, ret_message);
    secret_wipe(email.place.key, sizeof(email.place.key));
    return result;
}

static int read_piece(struct sending *sending, uint64_t from, uint64_t len)
{
    buf_clear(&sending->piece);
    return message_read(sending->message, from, len, &sending->piece);
}

/*
 * What goes out first: the header, where it is not too long, else some of it. Where the client has not said UTF8 and
 * the header has it, it is downgraded (RFC 6856 §4). -EOVERFLOW: that came out too large.
 */
static int prepare_start(struct sending *sending, uint32_t header_size)
{
    bool is_whole = header_size <= POP3_HEADER_MAX;
    sending->taken = is_whole ? header_size : POP3_HEADER_MAX;
    int result = read_piece(sending, 0, sending->taken);
    span_t header = buf_span(&sending->piece);
    if (result < 0 || (sending->client->engine.mode & POP3_UTF8_ON) != 0 || !is_whole || !mime_downgrade_needed(header))
        return result;
    AUTO_BUF struct buf ascii;
    buf_init(&ascii, DOWNGRADED_MAX);
    result = mime_downgrade_header(header, &ascii);
    buf_clear(&sending->piece);
    if (result == 0)
        result = buf_append(&sending->piece, buf_span(&ascii));
    return result == -ENOBUFS ? -EOVERFLOW : result;
}

/* The rest goes from the log to the client a piece at a time. */
static int send_rest(struct task *task, struct sending *sending, uint64_t from)
{
    struct buf *out = &sending->client->out;
    uint64_t end = message_len(sending->message);
    while (from < end && !sending->content.is_enough) {
        uint64_t len = end - from < PIECE ? end - from : PIECE;
        int result = read_piece(sending, from, len);
        if (result < 0)
            return result;
        from += len;
        pop3_content_feed(&sending->content, buf_span(&sending->piece), out);
        result = pop3_drain(task, sending->client);
        if (result < 0)
            return result;
    }
    pop3_content_end(&sending->content, out);
    return buf_fault(out);
}

static int send_message(struct task *task, struct sending *sending)
{
    struct pop3_client *client = sending->client;
    bool is_all = client->engine.lines == POP3_LINES_ALL;
    uint64_t octets = client->engine.entry->size - sending->taken + buf_len(&sending->piece); /* as downgraded */
    if (is_all)
        buf_append_format(&client->out, "+OK %llu octets\r\n", (unsigned long long)octets);
    else
        pop3_write_ok(&client->out, "The top of it follows");
    pop3_content_feed(&sending->content, buf_span(&sending->piece), &client->out);
    int result = pop3_drain(task, client);
    if (result == 0)
        result = send_rest(task, sending, sending->taken);
    if (result == 0 && is_all)
        client->engine.entry->is_shown = true;
    return result;
}

static void refuse(struct pop3_client *client, int fault)
{
    if (fault == -EOVERFLOW) { /* RFC 6856 §5 */
        pop3_write_err(&client->out, "[UTF8] That header can only be shown after UTF8");
        return;
    }
    if (fault != -ENOENT)
        log_warn("pop3.message.unreadable", F_FAULT(fault));
    pop3_write_fault(&client->out, fault);
}

int pop3_send(struct task *task, struct pop3_client *client)
{
    AUTO(message) struct message *message = NULL;
    struct sending sending = {.client = client};
    uint32_t header_size = 0;
    pop3_content_init(&sending.content, client->engine.lines);
    buf_init(&sending.piece, DOWNGRADED_MAX);
    int result = open_message(task, client, &header_size, &message);
    sending.message = message;
    if (result == 0)
        result = prepare_start(&sending, header_size);
    if (result < 0 && result != -ECANCELED) {
        refuse(client, result);
        result = 0;
    } else if (result == 0) { /* a fault in the midst of a message: only the end of the connection says so */
        result = send_message(task, &sending);
    }
    buf_deinit(&sending.piece);
    return result;
}
