#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "role/courier/courier-state.h"

#define ROUTE_ARENA_MAX (1U << 20)
#define COMMANDS_MAX 131072U
#define COUNTED_MAX TALLY_ROWS_MAX
#define QUESTIONS_MAX 160U /* to name servers, for one connection */
#define QUESTIONS_MS 120000
#define GREETING_MS 300000 /* RFC 5321 §4.5.3.2.1 */
#define TLS_MS 30000
#define IDLE_MS 3000 /* for another message to the same place */
#define QUIT_MS 3000
#define MINUTE 60

int64_t reply_patience(const struct connection *connection)
{
    return (int64_t)connection->courier->conf->courier_reply_timeout * 1000;
}

static void connection_close(struct connection *connection)
{
    stream_free(connection->stream);
    connection->stream = NULL;
    buf_clear(&connection->commands);
}

/* --- one step after the other ------------------------------------------------------------------------------------- */

static int send_commands(struct task *task, struct connection *connection, int64_t timeout_ms)
{
    int result = buf_fault(&connection->commands);
    if (result == 0 && buf_len(&connection->commands) > 0) {
        result = stream_write(task, connection->stream, buf_span(&connection->commands), timeout_ms);
        if (result == 0)
            result = stream_flush(task, connection->stream, timeout_ms);
    }
    buf_clear(&connection->commands);
    return result;
}

/* What is wrong by a policy, whether or not that stops us. */
static void note_trouble(const struct connection *connection)
{
    const struct demand *demand = &connection->demand;
    const char *trouble = stream_tls_trouble(connection->stream);
    if (trouble[0] == '\0' && demand->is_unnamed)
        trouble = "the policy does not name the server";
    if (trouble[0] == '\0' || demand->policy == TLSRPT_NO_POLICY_FOUND)
        return;
    log_warn("courier.tls.unproved", F_HASH("destination", span_of_text(connection->destination->name)),
             F_TEXT("policy", tlsrpt_policy_type_name(demand->policy)), F_TEXT("reason", trouble));
}

static int start_tls(struct task *task, struct connection *connection)
{
    int result =
        stream_start_tls_client(task, connection->stream, connection->courier->tls, &connection->demand.tls, TLS_MS);
    connection->is_proved = result == 0 && stream_tls_trouble(connection->stream)[0] == '\0';
    note_trouble(connection);
    return result;
}

/* The time is that of the whole reply, however many lines it has, or one might go on for days. */
static int read_line(struct task *task, struct connection *connection, int64_t timeout_ms, enum smtp_client_step *step)
{
    span_t line = SPAN_NONE;
    const struct smtp_response *response = &connection->client.response;
    int64_t now = loop_now(connection->courier->loop);
    if (response->lines == 0 || response->is_complete)
        connection->reply_until = now + timeout_ms;
    if (now >= connection->reply_until)
        return -ETIMEDOUT;
    int result =
        stream_read_line(task, connection->stream, SMTP_RESPONSE_LINE_MAX, connection->reply_until - now, &line);
    if (result != STREAM_OK)
        return result == STREAM_END ? -ECONNRESET : result == STREAM_TOO_LONG ? -EBADMSG : result;
    *step = smtp_client_line(&connection->client, line, &connection->commands);
    return 0;
}

int connection_go_on(struct task *task, struct connection *connection, enum smtp_client_step *step, int64_t timeout_ms)
{
    for (;;) {
        int result = send_commands(task, connection, timeout_ms);
        if (result == 0 && *step == SMTP_CLIENT_READ) {
            result = read_line(task, connection, timeout_ms, step);
        } else if (result == 0 && *step == SMTP_CLIENT_TLS) {
            /* RFC 3207 §5: what somebody slipped in before the handshake must not count after it. */
            result = stream_has_buffered(connection->stream) ? -EPROTO : start_tls(task, connection);
            if (result == 0)
                *step = smtp_client_tls(&connection->client, &connection->commands);
        } else {
            return result;
        }
        if (result < 0)
            return result;
    }
}

/* --- opening --------------------------------------------------------------------------------------------------------
 */

static const struct address *source_for(const struct courier *courier, const struct address *to)
{
    for (size_t i = 0; i < courier->source_count; i++)
        if (courier->sources[i].any.sa_family == to->any.sa_family)
            return &courier->sources[i];
    return NULL;
}

static const char *fault_text(int fault)
{
    bool is_line = fault == -EBADMSG || fault == -EMSGSIZE;
    return is_line ? "its answer is far too long a line" : strerror(-fault);
}

static struct smtp_response response_of_fault(const struct connection *connection, int fault)
{
    const char *trouble = connection->stream != NULL ? stream_tls_trouble(connection->stream) : "";
    char text[SMTP_RESPONSE_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s%s: %s", connection->host->name,
                   connection->stream == NULL ? " cannot be reached" : " broke off",
                   trouble[0] != '\0' ? trouble : fault_text(fault));
    return connection->stream == NULL ? response_of(451, 4, 1, text)
           : fault == -EPROTO         ? response_of(451, 7, 5, text)
                                      : response_of(451, 4, 2, text);
}

static void set_up(struct connection *connection, enum smtp_client_demand tls)
{
    const struct smtp_client_settings settings = {.hostname = span_of_text(connection->courier->conf->server_hostname),
                                                  .tls = tls,
                                                  .user = connection->host->user,
                                                  .password = connection->host->password};
    smtp_client_init(&connection->client, &settings);
}

/* Up to where a message may be sent. */
static int greet(struct task *task, struct connection *connection)
{
    enum smtp_client_step step = SMTP_CLIENT_READ;
    int result = 0;
    if (connection->host->tls == ROUTE_TLS_IMPLICIT) {
        result = start_tls(task, connection);
        smtp_client_is_tls(&connection->client);
    }
    int64_t patience = reply_patience(connection);
    if (result == 0)
        result = connection_go_on(task, connection, &step, patience < GREETING_MS ? patience : GREETING_MS);
    return result < 0 ? result : step == SMTP_CLIENT_READY ? 0 : 1;
}

static void note_source(struct connection *connection, int fd)
{
    struct address source;
    socklen_t len = sizeof(source);
    connection->source[0] = '\0';
    if (getsockname(fd, &source.any, &len) == 0)
        address_text(&source, connection->source);
}

/* 0: ready. 1: it is not, and *ret_response says why. */
static int open_once(struct task *task, struct connection *connection, const struct address *to,
                     enum smtp_client_demand tls, struct smtp_response *ret_response)
{
    const struct courier *courier = connection->courier;
    int fd = -1;
    set_up(connection, tls);
    connection->is_proved = false;
    int result =
        connect_to(task, to, source_for(courier, to), (int64_t)courier->conf->courier_connect_timeout * 1000, &fd);
    if (result == 0)
        note_source(connection, fd);
    if (result == 0)
        result = stream_new(courier->loop, fd, &connection->stream);
    if (result == 0)
        result = greet(task, connection);
    if (result == -ECANCELED)
        return result;
    count_session(connection, result);
    if (result == 0)
        return 0;
    *ret_response = result > 0 ? connection->client.failure : response_of_fault(connection, result);
    const struct smtp_client *client = &connection->client;
    bool was_handshake = client->state == SMTP_CLIENT_AT_HANDSHAKE;
    if (tls == SMTP_CLIENT_TLS_MUST && !client->is_tls && (client->extensions & SMTP_EXT_STARTTLS) != 0 && result > 0)
        *ret_response = response_of(454, 7, 10, "TLS is asked for, and the server refuses to begin it");
    connection_close(connection);
    /* RFC 7435 §3: between servers that promise nothing, an encryption that fails is no reason not to deliver. */
    if (was_handshake && tls == SMTP_CLIENT_TLS_MAY)
        return open_once(task, connection, to, SMTP_CLIENT_TLS_NEVER, ret_response);
    return 1;
}

static int open_host(struct task *task, struct connection *connection, const struct routing *routing,
                     struct smtp_response *ret_response)
{
    struct address addresses[ROUTE_ADDRESSES_MAX];
    size_t count = 0;
    const struct demand_question question = {.routing = routing,
                                             .destination = connection->destination->name,
                                             .host = connection->host,
                                             .policy = connection->policy,
                                             .is_optional = connection->destination->is_optional};
    int result = route_addresses(routing, connection->host, addresses, &count, ret_response);
    if (result == 0 && count > 0)
        result = demand_find(&question, &connection->demand, ret_response);
    else if (result >= 0) /* for all we know, it asks for TLS */
        connection->is_demanded |= connection->host->is_secure;
    if (result == ROUTE_BOGUS && count == 0)
        connection->demand =
            (struct demand){.policy = connection->host->is_secure ? TLSRPT_TLSA : TLSRPT_NO_POLICY_FOUND};
    if (result > 0 && connection->demand.policy != TLSRPT_NO_POLICY_FOUND)
        count_unopened(connection);
    connection->is_demanded |=
        connection->host->tls == ROUTE_TLS_BY_POLICY && (connection->demand.must_encrypt || (result > 0 && count > 0));
    if (result != 0)
        return result < 0 ? result : 1;
    enum smtp_client_demand tls = connection->demand.must_encrypt ? SMTP_CLIENT_TLS_MUST : SMTP_CLIENT_TLS_MAY;
    for (size_t i = 0; i < count; i++) {
        address_text(&addresses[i], connection->address);
        result = open_once(task, connection, &addresses[i], tls, ret_response);
        if (result <= 0)
            return result;
    }
    return 1;
}

/* RFC 7504 §3: a host that takes no mail at all says so; any other refusal to talk may be about this hour, or us. */
static bool is_for_good(const struct smtp_response *response)
{
    return response->code == 521 || response->code == 556 || (response->code == 550 && response->subject == 1);
}

/* [courier] fallback is for who cannot be reached. Where a policy asks for TLS to the domain itself, what fails may be
 * an attack, and nobody else is to send it on as he pleases; and what has a route of its own is not for a relay to
 * know. */
static bool may_fall_back(const struct connection *connection, const struct smtp_response *response)
{
    bool is_demanded =
        connection->is_demanded || (connection->policy != NULL && connection->policy->mode == MTASTS_ENFORCE);
    return connection->destination->name[0] != ROUTE_MARK && !is_demanded && !is_for_good(response);
}

/* The first host that lets us in. The answer that is kept is one that leaves hope, if there is any. */
static int open_any(struct task *task, struct connection *connection, const struct route *route,
                    const struct routing *routing, struct smtp_response *ret_response)
{
    struct smtp_response response = {0};
    for (size_t i = 0; i < route->count; i++) {
        response = (struct smtp_response){0};
        connection->host = &route->hosts[i];
        int result = open_host(task, connection, routing, &response);
        if (result <= 0)
            return result;
        if (ret_response->code == 0 || is_for_good(ret_response))
            *ret_response = response;
    }
    if (!may_fall_back(connection, ret_response))
        return 1;
    int result = route_fallback(routing, &connection->fallback);
    if (result != ROUTE_FOUND)
        return result < 0 ? result : 1;
    connection->host = &connection->fallback;
    return open_host(task, connection, routing, &response);
}

/* --- serving -------------------------------------------------------------------------------------------------------
 */

/* [courier] pace: no more than so many in a minute. */
static int keep_pace(struct task *task, struct destination *destination)
{
    uint64_t pace = destination->courier->conf->courier_pace;
    while (pace > 0) {
        int64_t now = courier_seconds();
        if (now - destination->minute >= MINUTE) {
            destination->minute = now;
            destination->paced = 0;
        }
        if (destination->paced++ < pace)
            break;
        int result = task_sleep(task, (destination->minute + MINUTE - now) * 1000);
        if (result < 0)
            return result;
    }
    return 0;
}

static void wait_for_more(struct task *task, struct destination *destination)
{
    destination->idle++;
    list_remove(&destination->idler);
    list_push(&destination->courier->idlers, &destination->idler);
    (void)!event_wait(task, &destination->news, IDLE_MS);
    if (--destination->idle == 0)
        list_remove(&destination->idler);
}

static struct leg *next_leg(struct task *task, struct connection *connection)
{
    struct destination *destination = connection->destination;
    struct courier *courier = connection->courier;
    bool may_wait = connection->messages > 0 && list_is_empty(&courier->starved);
    if (courier->is_stopping || connection->messages >= courier->conf->courier_messages_per_connection)
        return NULL;
    if (destination->waiting_count == 0 && may_wait)
        wait_for_more(task, destination);
    if (destination->waiting_count == 0 || keep_pace(task, destination) < 0 || settle_wait(task, courier) < 0 ||
        courier->is_stopping)
        return NULL;
    struct leg *leg = destination_take(destination);
    destination_start(destination); /* another one, where too much is left */
    return leg;
}

static void quit(struct task *task, struct connection *connection)
{
    enum smtp_client_step step = smtp_client_quit(&connection->client, &connection->commands);
    if (connection_go_on(task, connection, &step, QUIT_MS) < 0)
        log_debug("courier.quit.unanswered");
}

static void serve(struct task *task, struct connection *connection)
{
    bool is_good = true;
    struct leg *leg = NULL;
    destination_worked(connection->destination);
    log_debug("courier.connected", F_HASH("destination", span_of_text(connection->destination->name)),
              F_TEXT("tls", stream_is_tls(connection->stream) ? stream_tls_version(connection->stream) : "none"));
    while (is_good && (leg = next_leg(task, connection)) != NULL)
        is_good = transfer_leg(task, connection, leg);
    if (is_good)
        quit(task, connection);
    connection_close(connection);
}

static void fail_all(struct task *task, struct destination *destination, const struct smtp_response *response,
                     span_t host)
{
    struct leg *leg;
    while (!task_is_cancelled(task) && (leg = destination_take(destination)) != NULL)
        transfer_fail(task, destination->courier, leg, response, host);
}

static int find_policy(struct task *task, struct connection *connection, const struct routing *routing)
{
    struct sts_found found;
    int result = sts_find(task, connection->courier, routing, connection->destination->name, &found);
    if (result < 0)
        return result;
    connection->policy = found.policy;
    if (found.has_failed)
        count_unfetched(connection, &found);
    return 0;
}

static void run(struct task *task, struct connection *connection, const struct routing *routing)
{
    struct destination *destination = connection->destination;
    struct route route;
    struct smtp_response response = {0};
    int result = route_find(routing, destination->name, &route);
    bool has_no_route = result == ROUTE_NONE;
    if (result == ROUTE_FOUND && !destination->is_optional && !demand_is_set(&route.hosts[0]))
        result = find_policy(task, connection, routing);
    if (result == ROUTE_FOUND)
        result = open_any(task, connection, &route, routing, &response);
    else if (result > 0)
        response = route.response;
    if (result == 0) {
        serve(task, connection);
        return;
    }
    if (result < 0 && result != -ECANCELED)
        response = response_of(451, 3, 0, "Out of memory");
    if (result == -ECANCELED)
        return;
    span_t host = connection->host != NULL ? span_of_text(connection->host->name) : SPAN_NONE;
    if (has_no_route || is_for_good(&response))
        fail_all(task, destination, &response, host);
    else
        destination_failed(destination, &response);
}

void connection_task(struct task *task, void *arg)
{
    struct destination *destination = arg;
    struct connection connection = {.courier = destination->courier, .destination = destination};
    AUTO(arena) struct arena *arena = NULL;
    struct resolver_job job;
    resolver_job_init(&job, destination->courier->resolver, task, QUESTIONS_MAX, QUESTIONS_MS);
    const struct dns_lookup lookup = resolver_lookup(&job);
    buf_init(&connection.commands, COMMANDS_MAX);
    buf_init(&connection.counted, COUNTED_MAX);
    if (arena_new(ROUTE_ARENA_MAX, &arena) == 0) {
        const struct routing routing = {.conf = destination->courier->conf, .lookup = &lookup, .arena = arena};
        connection.arena = arena;
        run(task, &connection, &routing);
        count_tell(&connection, &routing);
    }
    buf_deinit(&connection.counted);
    buf_deinit(&connection.commands);
    destination_connection_ended(destination);
}
