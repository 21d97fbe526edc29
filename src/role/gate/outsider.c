#include "role/gate/outsider.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "role/gate/ask.h"
#include "trust/ip.h"

/* --- who it is --- */

static void name_ourselves(const struct connection *connection, char address[GATE_ADDRESS_MAX])
{
    struct sockaddr_storage own = {0};
    socklen_t len = sizeof(own);
    const struct sockaddr_in6 *six = (const void *)&own;
    const struct sockaddr_in *four = (const void *)&own;
    address[0] = '\0';
    if (getsockname(stream_fd(connection->stream), (struct sockaddr *)&own, &len) < 0)
        return;
    if (own.ss_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &six->sin6_addr, address, GATE_ADDRESS_MAX);
    else if (own.ss_family == AF_INET)
        (void)inet_ntop(AF_INET, &four->sin_addr, address, GATE_ADDRESS_MAX);
}

void outsider_init(struct outsider *outsider, struct connection *connection)
{
    struct ip client;
    *outsider = (struct outsider){.connection = connection};
    outsider->is_outside = connection->service == SERVICE_SMTP &&
                           ip_parse(span_of_text(connection->address), &client) &&
                           !ip_is_within(&client, span_of_text(connection->gate->conf->trust_local));
    if (outsider->is_outside)
        name_ourselves(connection, outsider->address);
}

static bool is_from_here(const struct outsider *outsider)
{
    struct ip client;
    struct ip own;
    if (!ip_parse(span_of_text(outsider->connection->address), &client))
        return false;
    return ip_is_within(&client, SPAN("127.0.0.0/8, ::1")) ||
           (ip_parse(span_of_text(outsider->address), &own) && ip_matches(&client, &own, own.is_six ? 128 : 32));
}

static enum smtp_strictness strictness_of(const char *setting)
{
    return strcmp(setting, "refuse") == 0 ? SMTP_STRICT : strcmp(setting, "junk") == 0 ? SMTP_MARKING : SMTP_LENIENT;
}

void outsider_settle(const struct outsider *outsider, struct smtp_settings *settings)
{
    const struct conf *conf = outsider->connection->gate->conf;
    if (!outsider->is_outside)
        return;
    settings->turn = strictness_of(conf->filter_out_of_turn);
    settings->helo = strictness_of(conf->filter_helo);
    settings->is_helo_from_here = is_from_here(outsider);
    settings->address = span_of_text(outsider->address);
}

/* --- before the greeting --- */

/* Programs that send as much as they can do not wait for anybody: in the time that an honest one spends waiting for its
 * greeting they have spoken already. A network that has delivered well is spared the wait. */
static int await_silence(struct task *task, struct outsider *outsider)
{
    struct connection *connection = outsider->connection;
    const struct conf *conf = connection->gate->conf;
    const int64_t wait = outsider->is_known ? 0 : connection_patience(connection, conf->filter_greeting_wait);
    if (strictness_of(conf->filter_out_of_turn) == SMTP_LENIENT || wait == 0)
        return OUTSIDER_GREET;
    const int64_t since = loop_now(connection->gate->loop);
    int result = stream_fill(task, connection->stream, STREAM_CHUNK, wait);
    connection->gate->turns.microseconds += (uint64_t)(loop_now(connection->gate->loop) - since) * 1000;
    if (result == -ETIMEDOUT)
        return OUTSIDER_GREET;
    if (result == STREAM_END)
        return -ECONNRESET;
    return result < 0 ? result : (int)OUTSIDER_EARLY;
}

void outsider_asked(const struct outsider *outsider, bool is_too_much)
{
    struct filter_row *row = &outsider->connection->gate->rates;
    if (!outsider->is_outside)
        return;
    row->asked++;
    row->deferred += is_too_much;
    row->passed += !is_too_much;
}

int outsider_enter(struct task *task, struct outsider *outsider)
{
    struct gate *gate = outsider->connection->gate;
    if (!outsider->is_outside)
        return OUTSIDER_GREET;
    int result = ask_visit(task, gate, span_of_text(outsider->connection->address), &outsider->is_known);
    if (result < 0)
        return result;
    outsider_asked(outsider, result == VISIT_WAIT);
    if (result == VISIT_WAIT) {
        log_info("smtp.visits.many", F_HASH("client", span_of_text(outsider->connection->address)));
        return OUTSIDER_WAIT;
    }
    return await_silence(task, outsider);
}

void outsider_vouch(struct outsider *outsider)
{
    struct gate *gate = outsider->connection->gate;
    struct channel *keeper = wiring_peer(gate->wiring, ROLE_KEEPER, 0);
    struct ipc_message vouch = {.type = IPC_vouch, .vouch = {.client = span_of_text(outsider->connection->address)}};
    if (!outsider->is_outside || outsider->is_known || keeper == NULL)
        return;
    outsider->is_known = true;
    int result = channel_send(keeper, &vouch);
    if (result < 0)
        log_debug("smtp.vouch.unheard", F_FAULT(result));
}

/* --- what status says --- */

static void count(struct filter_row *row, bool is_found, enum smtp_strictness strictness)
{
    row->asked++;
    if (!is_found)
        row->passed++;
    else if (strictness == SMTP_STRICT)
        row->refused++;
    else
        row->junked++;
}

void outsider_count(const struct outsider *outsider, const struct smtp_engine *engine)
{
    struct gate *gate = outsider->connection->gate;
    if (!outsider->is_outside)
        return;
    if (engine->settings.turn != SMTP_LENIENT)
        count(&gate->turns, engine->out_of_turn, engine->settings.turn);
    if (engine->settings.helo != SMTP_LENIENT)
        count(&gate->names, engine->helo_fault != SMTP_HELO_FINE, engine->settings.helo);
    if (engine->out_of_turn || engine->helo_fault != SMTP_HELO_FINE)
        log_info("smtp.outsider.doubtful", F_U64("out_of_turn", engine->out_of_turn),
                 F_U64("helo_fault", engine->helo_fault),
                 F_HASH("client", span_of_text(outsider->connection->address)));
}

static void row_begin(struct filter_row *row, enum filter_kind kind, bool is_on)
{
    *row = (struct filter_row){
        .kind = kind, .standing = is_on ? FILTER_IS_UP : FILTER_IS_OFF, .since = (uint64_t)time(NULL)};
}

void outsider_begin(struct gate *gate)
{
    const struct conf *conf = gate->conf;
    row_begin(&gate->turns, FILTER_TURN, strictness_of(conf->filter_out_of_turn) != SMTP_LENIENT);
    row_begin(&gate->names, FILTER_HELO, strictness_of(conf->filter_helo) != SMTP_LENIENT);
    row_begin(&gate->rates, FILTER_RATES,
              conf->filter_connections_per_hour > 0 || conf->filter_messages_per_hour > 0 ||
                  conf->filter_sender_messages_per_hour > 0 || conf->filter_recipients_per_hour > 0 ||
                  conf->filter_unknown_per_hour > 0);
}

int outsider_tell(const struct gate *gate, struct channel *channel, uint64_t call)
{
    const struct filter_row *const known[] = {&gate->turns, &gate->names, &gate->rates};
    uint8_t rows[COUNT_OF(known) * FILTER_ROW_SIZE];
    for (size_t at = 0; at < COUNT_OF(known); at++)
        filter_row_put(rows + at * FILTER_ROW_SIZE, known[at]);
    struct ipc_message reply = {.type = IPC_filters_done, .filters_done = {.rows = span_of(rows, sizeof(rows))}};
    return channel_reply(channel, call, &reply);
}
