#include "role/session/client.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/imap/deflate.h"
#include "role/session/imap/context.h"
#include "role/session/imap/imap.h"
#include "role/session/imap/notify.h"
#include "role/session/imap/tell.h"
#include "role/session/quiet.h"
#include "role/session/wire.h"
#include "rt/watch.h"

#define READ_AHEAD 65536U
#define RETRY_MS 1000

int client_flush(struct task *task, struct client *client)
{
    int result = buf_fault(&client->out);
    if (result == 0)
        result = wire_write(task, client, buf_span(&client->out));
    buf_clear(&client->out);
    return result < 0 ? result : wire_flush(task, client);
}

int client_drain(struct task *task, struct client *client)
{
    if (buf_len(&client->out) < CLIENT_OUT_CHUNK && buf_fault(&client->out) == 0)
        return 0;
    int result = buf_fault(&client->out);
    if (result == 0)
        result = wire_write(task, client, buf_span(&client->out));
    buf_clear(&client->out);
    return result;
}

int client_tell(struct task *task, struct client *client, struct view_format format)
{
    bool more = client->view != NULL;
    client->heard = client->session->changes;
    while (more) {
        int result = view_tell(client->view, format, &client->out, &more);
        if (result == VIEW_GONE) {
            imap_write_status(&client->out, SPAN("*"), "BYE", "The selected mailbox was deleted");
            client->logged_out = true;
            return VIEW_GONE;
        }
        if (result == 0)
            result = client_drain(task, client);
        if (result < 0)
            return result;
    }
    return 0;
}

void client_leave(struct client *client)
{
    contexts_free(TAKE(client->contexts));
    view_free(TAKE(client->view));
    free(TAKE(client->saved));
    client->saved_count = 0;
    free(TAKE(client->memo));
}

/* --- what happens while a client waits --- */

static void tell(struct task *task, void *arg)
{
    struct client *client = arg;
    enum tell_moment moment = client->tag != NULL ? TELL_IN_IDLE : TELL_BETWEEN;
    int result = quiet_hold(client->session);
    if (result == 0) {
        do {
            result = tell_all(task, client, moment, VIEW_PLAIN);
            if (result >= 0)
                result = client_flush(task, client);
        } while (result == 0 && !client->logged_out && client->heard != client->session->changes);
        quiet_let_go(client->session);
    }
    buf_release(&client->out);
    if (client->parked)
        wire_rest(client);
    client->telling = false;
    if (result < 0 || client->logged_out)
        shutdown(stream_fd(client->stream), SHUT_RDWR); /* its own task sees the end */
}

void client_notify(struct client *client)
{
    if (!client->idling || client->telling)
        return;
    client->telling = true;
    int result = task_group_spawn(&client->tellers, client->session->loop, "idle", tell, client);
    if (result < 0)
        client->telling = false;
}

/* --- commands --- */

enum imap_state client_state(const struct client *client)
{
    unsigned state = client->view != NULL ? IMAP_SELECTED : IMAP_AUTHENTICATED;
    if ((client->enabled & (IMAP_ENABLE_REV2 | IMAP_ENABLE_UTF8)) != 0)
        state |= IMAP_UTF8;
    return (enum imap_state)state;
}

static int parse_and_run(struct task *task, struct client *client, size_t len)
{
    span_t bytes = span_upto(buf_span(&client->input), len);
    AUTO(arena) struct arena *arena = NULL;
    int result = arena_new(CLIENT_ARENA_MAX, &arena);
    if (result < 0)
        return result;
    AUTO_FREE struct imap_command *command = mem_new(sizeof(*command));
    if (command == NULL)
        return -ENOMEM;
    const char *why = NULL;
    result = imap_command_parse(bytes, client_state(client), arena, command, &why);
    if (result == IMAP_PARSE_OK) {
        client->bad = 0;
        client->followed = buf_len(&client->input) > len;
        return imap_run(task, client, command, arena);
    }
    client->bad++;
    imap_write_status(&client->out, command->tag, result < 0 ? "NO" : "BAD", result < 0 ? "Command too large" : why);
    return 0;
}

static int refuse(struct client *client, enum imap_read read)
{
    span_t tag = imap_reader_tag(buf_span(&client->input));
    if (read == IMAP_READ_LITERAL_BIG)
        imap_write_status(&client->out, tag, "NO", "[TOOBIG] Literal too large"); /* RFC 7889 §4 */
    else if (read == IMAP_READ_COMMAND_BIG)
        imap_write_status(&client->out, tag, "NO", "[LIMIT] Too much in one command"); /* RFC 5530 §3 */
    else
        imap_write_status(&client->out, tag, "BAD", "Line too long");
    client->bad++;
    imap_reader_refuse(&client->reader, &client->input);
    return 0;
}

/* All that is there is dealt with: the answers go out, and a client that waits hears of what came meanwhile. */
static int catch_up(struct task *task, struct client *client)
{
    if (client->idling) /* what is to go out is written by those who tell */
        return 0;
    int result = client_flush(task, client);
    if (buf_len(&client->input) == 0)
        buf_release(&client->input);
    buf_release(&client->out);
    if (result < 0 || (client->tag == NULL && client->notify == NULL))
        return result;
    client->idling = true;
    if (client->heard != client->session->changes)
        client_notify(client);
    return 0;
}

/* RFC 4978 §3: the answer goes out as it is, and what follows is compressed. */
static int start_deflate(struct task *task, struct client *client)
{
    int result = client_flush(task, client);
    client->deflate = TAKE(client->deflate_next);
    return result;
}

static int serve_command(struct task *task, struct client *client, enum imap_read read, uint64_t len)
{
    int result = 0;
    if (read == IMAP_READ_COMMAND) {
        result = parse_and_run(task, client, (size_t)len);
        buf_consume(&client->input, (size_t)len);
        if (result == 0 && client->deflate_next != NULL)
            result = start_deflate(task, client);
    } else if (read == IMAP_READ_CONTINUE) {
        buf_append_text(&client->out, "+ OK\r\n");
    } else {
        result = refuse(client, read);
    }
    if (result == 0 && client->bad > CLIENT_BAD_MAX) {
        imap_write_status(&client->out, SPAN("*"), "BYE", "Too many bad commands");
        client->logged_out = true;
    }
    return result;
}

/* Runs all commands that are there; 0 when more input is needed. */
static int serve_input(struct task *task, struct client *client)
{
    while (!client->logged_out) {
        uint64_t len = 0;
        int result = 0;
        enum imap_read read = IMAP_READ_MORE;
        if (client->tag != NULL) {
            result = imap_idle_input(task, client);
            if (result == IMAP_IDLE_GOES_ON)
                return catch_up(task, client);
        } else {
            client->idling = false;
            task_group_wait(task, &client->tellers);
            read = imap_reader_next(&client->reader, &client->input, &len);
            if (read == IMAP_READ_MORE)
                return catch_up(task, client);
            result = serve_command(task, client, read, len);
        }
        if (result < 0)
            return result;
    }
    return 0;
}

static int greet(struct task *task, struct client *client)
{
    struct buf text AUTO_BUF;
    buf_init(&text, 4096);
    buf_append_text(&text, "[CAPABILITY ");
    imap_write_capabilities(client->session, &text);
    buf_append_text(&text, "] Logged in");
    buf_append_byte(&text, 0);
    imap_write_status(&client->out, span_of_text(client->tag), "OK", (const char *)buf_span(&text).at);
    client->greeted = true;
    scope_free(&client->tag);
    return client_flush(task, client);
}

/* -ETIMEDOUT: silent, but not for too long. */
static int serve(struct task *task, struct client *client)
{
    int result = client->greeted ? 0 : greet(task, client);
    while (result == 0 && !client->logged_out) {
        result = serve_input(task, client);
        if (result == 0 && !client->logged_out)
            result = wire_read(task, client);
    }
    if (result < 0)
        return result;
    return client->given_back ? imap_give_back(task, client) : client_flush(task, client);
}

/* The last word, where no other is being said. */
static int say_bye(struct task *task, struct client *client, const char *text)
{
    if (client->telling)
        return 0;
    client->idling = false;
    imap_write_status(&client->out, SPAN("*"), "BYE", text);
    return client_flush(task, client);
}

static void client_free(struct client *client)
{
    struct session *session = client->session;
    list_remove(&client->link);
    session->client_count--;
    session->parked -= client->parked;
    timer_free(client->patience);
    notify_free(client->notify, session);
    client_leave(client);
    stream_free(client->stream);
    imap_deflate_free(client->deflate);
    imap_deflate_free(client->deflate_next);
    buf_deinit(&client->input);
    buf_deinit(&client->out);
    free(client->tag);
    free(client);
    session_client_gone(session);
}

static void end(struct task *task, struct client *client, int result)
{
    client->idling = false;
    task_group_cancel(&client->tellers);
    task_group_wait(task, &client->tellers);
    if (result < 0 && result != -ECANCELED)
        log_debug("client.ended", F_FAULT(result));
    client_free(client);
}

static int park(struct client *client);

static void run(struct task *task, void *arg)
{
    struct client *client = arg;
    int result = quiet_wake(client->session);
    if (result < 0)
        result = say_bye(task, client, "[UNAVAILABLE] The mailbox cannot be opened just now");
    else if (client->is_late)
        result = say_bye(task, client, "Idle for too long"); /* RFC 3501 §5.4 */
    else
        result = serve(task, client);
    if (result == -ETIMEDOUT && !client->logged_out && park(client) == 0)
        return;
    end(task, client, result);
}

/* --- parking --- */

/* Where no task can be had now, the timer tries again. */
static void unpark(struct client *client)
{
    struct session *session = client->session;
    (void)!stream_call(client->stream, 0, NULL, NULL);
    if (session->is_ending)
        return;
    if (task_group_spawn(&session->tasks, session->loop, "imap", run, client) < 0) {
        timer_start(client->patience, RETRY_MS);
        return;
    }
    timer_stop(client->patience);
    client->parked = false;
    session->parked--;
}

static void on_input(void *arg, unsigned ready)
{
    (void)ready;
    unpark(arg);
}

static void on_patience(void *arg)
{
    struct client *client = arg;
    client->is_late = loop_now(client->session->loop) >= client->deadline;
    unpark(client);
}

static int park(struct client *client)
{
    struct session *session = client->session;
    int result = client->patience != NULL ? 0 : timer_new(session->loop, on_patience, client, &client->patience);
    if (result == 0)
        result = stream_call(client->stream, WATCH_READ, on_input, client);
    if (result < 0)
        return result;
    int64_t left = (int64_t)session->conf->imap_idle_timeout * 1000 - CLIENT_PARK_MS;
    client->deadline = loop_now(session->loop) + left;
    timer_start(client->patience, left);
    wire_rest(client);
    client->parked = true;
    session->parked++;
    quiet_consider(session);
    return 0;
}

void client_end_parked(struct session *session)
{
    for (struct list_link *link; (link = list_first(&session->clients)) != NULL;)
        client_free(LIST_ITEM(link, struct client, link));
}

int client_start(struct session *session, int fd, span_t prelude)
{
    AUTO_FD int socket = fd;
    /* Too many connections at once: the end without a byte makes gate answer NO [UNAVAILABLE]. */
    if (session->client_count >= session->conf->imap_connections_per_account)
        return -EMFILE;
    struct client *client = mem_new(sizeof(*client));
    if (client == NULL)
        return -ENOMEM;
    uint64_t message_max = session->conf->smtp_message_max;
    client->session = session;
    imap_reader_init(&client->reader, IMAP_LINE_MAX, IMAP_LITERAL_MAX, message_max);
    buf_init(&client->input, (size_t)message_max + IMAP_LINE_MAX + (size_t)16 * IMAP_LITERAL_MAX + READ_AHEAD);
    buf_init(&client->out, CLIENT_OUT_MAX);
    task_group_init(&client->tellers);
    list_push(&session->clients, &client->link);
    session->client_count++;
    client->tag = mem_new(prelude.len + 1);
    for (size_t i = 0; client->tag != NULL && i < prelude.len; i++)
        client->tag[i] = (char)prelude.at[i];
    int result = client->tag == NULL ? -ENOMEM : stream_new(session->loop, TAKE_FD(socket), &client->stream);
    if (result == 0)
        result = task_group_spawn(&session->tasks, session->loop, "imap", run, client);
    if (result < 0)
        client_free(client);
    return result;
}
