#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/session/pop3/pop3.h"
#include "role/session/quiet.h"

#define READ_CHUNK 4096U

void pop3_write_fault(struct buf *out, int fault)
{
    switch (fault) {
    case -ENOENT:
        pop3_write_err(out, "That message is gone");
        break;
    case -EBADMSG:
        pop3_write_err(out, "[SYS/PERM] Damaged data");
        break;
    case -ENOSPC:
        pop3_write_err(out, "[SYS/TEMP] The disk is full");
        break;
    default:
        pop3_write_err(out, "[SYS/TEMP] Not possible just now, please try again");
        break;
    }
}

static int flush(struct task *task, struct pop3_client *client)
{
    int result = buf_fault(&client->out);
    if (result == 0)
        result = stream_write(task, client->stream, buf_span(&client->out), POP3_WRITE_MS);
    buf_clear(&client->out);
    return result < 0 ? result : stream_flush(task, client->stream, POP3_WRITE_MS);
}

int pop3_drain(struct task *task, struct pop3_client *client)
{
    int result = buf_fault(&client->out);
    if (result < 0 || buf_len(&client->out) < POP3_OUT_CHUNK)
        return result;
    result = stream_write(task, client->stream, buf_span(&client->out), POP3_WRITE_MS);
    buf_clear(&client->out);
    return result;
}

/* RFC 1939 §6: whatever comes of it, that was the connection. */
static void update(struct task *task, struct pop3_client *client)
{
    int result = pop3_update(task, client->session, &client->maildrop);
    client->is_over = true;
    if (result == 0) {
        pop3_write_ok(&client->out, "Goodbye");
        return;
    }
    log_warn("pop3.update.failed", F_FAULT(result));
    pop3_write_fault(&client->out, result);
}

static int run_line(struct task *task, struct pop3_client *client, span_t line)
{
    enum pop3_step step = pop3_engine_line(&client->engine, line, &client->out);
    while (step == POP3_STEP_MORE) {
        int result = pop3_drain(task, client);
        if (result < 0)
            return result;
        step = pop3_engine_more(&client->engine, &client->out);
    }
    if (step == POP3_STEP_UPDATE)
        update(task, client);
    return step == POP3_STEP_SEND ? pop3_send(task, client) : pop3_drain(task, client);
}

static int hold_vault(struct pop3_client *client)
{
    int result = client->holds_vault ? 0 : quiet_hold(client->session);
    client->holds_vault = result == 0;
    return result;
}

static void let_go_of_vault(struct pop3_client *client)
{
    if (client->holds_vault)
        quiet_let_go(client->session);
    client->holds_vault = false;
}

/* Waits on without the vault, which is closed if all others are silent, too; it is there again afterwards. */
static int read_resting(struct task *task, struct pop3_client *client, uint8_t *at, int64_t left, size_t *ret_got)
{
    client->session->parked++;
    let_go_of_vault(client);
    int result = stream_read(task, client->stream, at, READ_CHUNK, left, ret_got);
    client->session->parked--;
    int held = hold_vault(client);
    if (held == 0 || result != STREAM_OK)
        return result;
    pop3_write_fault(&client->out, held);
    (void)!flush(task, client);
    return held;
}

static int read_more(struct task *task, struct pop3_client *client)
{
    int64_t idle = (int64_t)client->session->conf->pop3_idle_timeout * 1000;
    int64_t brief = idle < POP3_REST_MS ? idle : POP3_REST_MS;
    uint8_t *at = NULL;
    size_t got = 0;
    int result = flush(task, client);
    if (result < 0)
        return result;
    if (buf_len(&client->input) == 0)
        buf_release(&client->input);
    buf_release(&client->out); /* a client that thinks holds next to nothing */
    result = buf_reserve(&client->input, READ_CHUNK, &at);
    if (result == 0)
        result = stream_read(task, client->stream, at, READ_CHUNK, brief, &got);
    if (result == -ETIMEDOUT && brief < idle)
        result = read_resting(task, client, at, idle - brief, &got);
    if (result != STREAM_OK)
        return result == STREAM_END ? -ECONNRESET : result;
    buf_commit(&client->input, got);
    return 0;
}

static int serve_next(struct task *task, struct pop3_client *client)
{
    span_t line;
    size_t len = 0;
    int result = 0;
    switch (pop3_reader_next(&client->reader, &client->input, &line, &len)) {
    case POP3_READ_MORE:
        return read_more(task, client);
    case POP3_READ_LINE:
        result = run_line(task, client, line);
        buf_consume(&client->input, len);
        break;
    case POP3_READ_LONG:
        client->engine.bad++;
        pop3_write_err(&client->out, "That line is too long");
        break;
    }
    if (client->engine.bad >= POP3_BAD_MAX)
        client->is_over = true;
    return result;
}

static int serve(struct task *task, struct pop3_client *client)
{
    int result = pop3_open(task, client->session, &client->maildrop);
    if (result == -ECANCELED)
        return result;
    if (result < 0) {
        log_warn("pop3.open.failed", F_FAULT(result));
        pop3_write_fault(&client->out, result);
        return flush(task, client);
    }
    pop3_engine_greet(&client->engine, &client->out);
    while (result == 0 && !client->is_over)
        result = serve_next(task, client);
    return result == 0 ? flush(task, client) : result;
}

static void client_free(struct pop3_client *client)
{
    struct session *session = client->session;
    stream_free(client->stream);
    buf_deinit(&client->input);
    buf_deinit(&client->out);
    pop3_maildrop_deinit(&client->maildrop);
    free(client);
    session->client_count--;
    session->pop3_count--;
    session_client_gone(session);
}

static void run(struct task *task, void *arg)
{
    struct pop3_client *client = arg;
    struct session *session = client->session;
    int result = hold_vault(client);
    if (result < 0) { /* without a word, for which the gate has one (splice.c) */
        client_free(client);
        return;
    }
    result = serve(task, client);
    if (result < 0) { /* silent, broken or cancelled: no QUIT (RFC 1939 §3, §6) */
        log_debug("pop3.ended", F_FAULT(result));
        if (client->holds_vault)
            pop3_leave(task, session, &client->maildrop);
    }
    let_go_of_vault(client);
    client_free(client);
}

/* RFC 2449 §8.1.1. The socket is new and its buffer empty: it takes one line. */
static int refuse(int fd)
{
    static const char line[] = "-ERR [IN-USE] Too many POP3 connections to this account\r\n";
    (void)!send(fd, line, sizeof(line) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    return -EMFILE;
}

int pop3_start(struct session *session, int fd, span_t prelude)
{
    AUTO_FD int socket = fd;
    if (session->pop3_count >= session->conf->pop3_connections_per_account)
        return refuse(fd);
    struct pop3_client *client = mem_new(sizeof(*client));
    if (client == NULL)
        return -ENOMEM;
    client->session = session;
    client->reader.max = POP3_LINE_MAX;
    client->engine = (struct pop3_engine){.maildrop = &client->maildrop, .mode = pop3_mode_read(prelude)};
    buf_init(&client->input, POP3_LINE_MAX + 2 * READ_CHUNK);
    buf_init(&client->out, POP3_OUT_MAX);
    session->client_count++;
    session->pop3_count++;
    int result = stream_new(session->loop, TAKE_FD(socket), &client->stream);
    if (result == 0)
        result = task_group_spawn(&session->tasks, session->loop, "pop3", run, client);
    if (result < 0)
        client_free(client);
    return result;
}
