#include "fetch/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "proto/http/content.h"
#include "rt/connect.h"
#include "rt/stream.h"
#include "rt/task.h"

#define HEAD_OUT_MAX 16384U
#define LOOKUP_MEMORY 65536U
#define READ_MAX 65536U

struct exchange {
    struct task *task;
    const struct fetch_means *means;
    const struct fetch_request *request;
    struct fetch_response *response;
    int64_t until;
};

static int64_t time_left(const struct exchange *exchange)
{
    int64_t left = exchange->until - loop_now(task_loop(exchange->task));
    return left > 0 ? left : 0;
}

static int say(const struct exchange *exchange, enum fetch_outcome outcome, const char *reason)
{
    (void)snprintf(exchange->response->reason, sizeof(exchange->response->reason), "%s", reason);
    return (int)outcome;
}

/* What a fault on the way means for the one who asked; memory and cancelling are passed up. */
static int explain(const struct exchange *exchange, int fault, enum fetch_outcome outcome)
{
    if (fault == -ENOMEM || fault == -ECANCELED)
        return fault;
    if (fault == -ETIMEDOUT)
        return say(exchange, FETCH_TIMED_OUT, "no answer in time");
    return say(exchange, outcome, strerror(-fault));
}

/* --- who to connect to --- */

static int ask(const struct exchange *exchange, enum dns_type type, struct arena *arena, struct address *addresses,
               size_t *count)
{
    const struct dns_lookup *lookup = exchange->means->lookup;
    struct dns_answer answer;
    int result = lookup->ask(lookup->context, exchange->request->host, type, arena, &answer);
    if (result != 0)
        return result;
    for (size_t at = 0; at < answer.count && *count < FETCH_ADDRESSES_MAX; at++) {
        if (address_set(&addresses[*count], answer.records[at], exchange->request->port))
            (*count)++;
    }
    if (answer.reason[0] != 0)
        (void)say(exchange, FETCH_UNREACHABLE, answer.reason);
    return 0;
}

static int find_addresses(const struct exchange *exchange, struct address *addresses, size_t *ret_count)
{
    AUTO(arena) struct arena *arena = NULL;
    *ret_count = 0;
    if (address_parse(&addresses[0], span_of_text(exchange->request->host), exchange->request->port)) {
        *ret_count = 1;
        return 0;
    }
    int result = arena_new(LOOKUP_MEMORY, &arena);
    if (result == 0)
        result = ask(exchange, DNS_AAAA, arena, addresses, ret_count);
    if (result == 0)
        result = ask(exchange, DNS_A, arena, addresses, ret_count);
    return result;
}

/* Each address gets its share of the time that is left, so that one that swallows packets does not use it all up. */
static int open_connection(const struct exchange *exchange, int *ret_fd)
{
    struct address addresses[FETCH_ADDRESSES_MAX];
    size_t count;
    int result = find_addresses(exchange, addresses, &count);
    if (result != 0)
        return explain(exchange, result, FETCH_UNREACHABLE);
    if (count == 0)
        return exchange->response->reason[0] != 0 ? (int)FETCH_UNREACHABLE
                                                  : say(exchange, FETCH_UNREACHABLE, "the host has no address");
    for (size_t at = 0; at < count; at++) {
        int64_t share = time_left(exchange) / (int64_t)(count - at);
        result = connect_to(exchange->task, &addresses[at], NULL, share, ret_fd);
        if (result == 0)
            return 0;
        if (result == -ECANCELED)
            break;
    }
    return explain(exchange, result, FETCH_UNREACHABLE);
}

static int start_tls(const struct exchange *exchange, struct stream *stream)
{
    const char *host = exchange->request->host;
    struct tls_demand demand = {.proof = TLS_PROOF_NAMES, .host = host, .names = &host, .name_count = 1};
    int result = stream_start_tls_client(exchange->task, stream, exchange->means->client, &demand, time_left(exchange));
    if (result != -EPROTO)
        return result == 0 ? 0 : explain(exchange, result, FETCH_UNTRUSTED);
    const char *trouble = stream_tls_trouble(stream);
    return say(exchange, FETCH_UNTRUSTED, trouble[0] != 0 ? trouble : "the TLS handshake failed");
}

/* --- the request --- */

static bool is_line(const char *text)
{
    return text[strcspn(text, "\r\n")] == 0;
}

static int write_head(const struct fetch_request *request, struct buf *head)
{
    bool is_literal = strchr(request->host, ':') != NULL;
    bool is_good = is_line(request->method) && is_line(request->target) && is_line(request->host);
    (void)buf_append_format(head, "%s %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nConnection: close\r\nUser-Agent: waxwing\r\n",
                            request->method, request->target, is_literal ? "[" : "", request->host,
                            is_literal ? "]" : "", request->port);
    if (request->content.at != NULL)
        (void)buf_append_format(head, "Content-Length: %zu\r\n", request->content.len);
    for (size_t at = 0; at < request->field_count; at++) {
        is_good = is_good && is_line(request->fields[at]);
        (void)buf_append_format(head, "%s\r\n", request->fields[at]);
    }
    (void)buf_append_text(head, "\r\n");
    if (buf_fault(head) != 0)
        return buf_fault(head) == -ENOBUFS ? -EINVAL : buf_fault(head);
    return is_good ? 0 : -EINVAL;
}

/* A server that has enough may answer before all was sent, and close: then its answer counts, not our broken pipe. */
static int send_request(const struct exchange *exchange, struct stream *stream)
{
    AUTO_BUF struct buf head;
    buf_init(&head, HEAD_OUT_MAX);
    int result = write_head(exchange->request, &head);
    if (result != 0)
        return result;
    result = stream_write(exchange->task, stream, buf_span(&head), time_left(exchange));
    if (result == 0 && exchange->request->content.len > 0)
        result = stream_write(exchange->task, stream, exchange->request->content, time_left(exchange));
    if (result == 0)
        result = stream_flush(exchange->task, stream, time_left(exchange));
    return result == -EPIPE || result == -ECONNRESET ? 0 : result;
}

/* --- the response --- */

static void keep_type(const struct http_response *head, struct fetch_response *response)
{
    span_t field = http_field(head->fields, "Content-Type");
    span_t type = span_trim(span_upto(field, span_find_byte(field, ';')));
    for (size_t at = 0; at < type.len && at + 1 < sizeof(response->type); at++)
        response->type[at] = (char)ascii_lower(type.at[at]);
}

static void keep_server(const struct http_response *head, struct fetch_response *response)
{
    span_t server = span_upto(http_field(head->fields, "Server"), sizeof(response->server) - 1);
    if (server.len > 0)
        memcpy(response->server, server.at, server.len);
}

/* Interim responses (RFC 9110 §15.2) are passed over. 0, an outcome, or a fault. */
static int read_head(const struct exchange *exchange, struct stream *stream, struct http_response *head)
{
    for (;;) {
        span_t input = stream_input(stream);
        switch (http_response_parse(input, head)) {
        case HTTP_HEAD_OK:
            if (head->status < 200) {
                stream_consume(stream, head->head_len);
                continue;
            }
            exchange->response->status = head->status;
            keep_type(head, exchange->response);
            keep_server(head, exchange->response);
            return 0;
        case HTTP_HEAD_MALFORMED:
            return say(exchange, FETCH_BROKEN, "what came is not HTTP");
        case HTTP_HEAD_PARTIAL:
            break;
        }
        int result = stream_fill(exchange->task, stream, READ_MAX, time_left(exchange));
        if (result == STREAM_END)
            return say(exchange, FETCH_BROKEN, "the connection ended before an answer");
        if (result < 0)
            return explain(exchange, result, FETCH_BROKEN);
    }
}

static int read_content(const struct exchange *exchange, struct stream *stream, struct http_content *content)
{
    for (;;) {
        span_t input = stream_input(stream);
        size_t before = input.len;
        span_t piece;
        enum http_content_result found = http_content_next(content, &input, &piece);
        if (found == HTTP_CONTENT_END)
            return FETCH_OK;
        if (found == HTTP_CONTENT_MALFORMED)
            return say(exchange, FETCH_BROKEN, "the content's framing is broken");
        int result = found == HTTP_CONTENT_PIECE ? buf_append(exchange->response->content, piece) : 0;
        stream_consume(stream, before - input.len);
        if (result == -ENOBUFS)
            return say(exchange, FETCH_TOO_LARGE, "the answer is too large");
        if (result == 0 && found == HTTP_CONTENT_MORE)
            result = stream_fill(exchange->task, stream, READ_MAX, time_left(exchange));
        if (result == STREAM_END && http_content_may_end(content))
            return FETCH_OK;
        if (result == STREAM_END)
            return say(exchange, FETCH_BROKEN, "the connection ended in the middle of the answer");
        if (result < 0)
            return explain(exchange, result, FETCH_BROKEN);
    }
}

static int converse(const struct exchange *exchange, struct stream *stream)
{
    struct http_response head = {0};
    struct http_content content;
    int result = exchange->request->is_tls ? start_tls(exchange, stream) : 0;
    if (result != 0)
        return result;
    result = send_request(exchange, stream);
    if (result != 0)
        return result == -EINVAL ? result : explain(exchange, result, FETCH_BROKEN);
    result = read_head(exchange, stream, &head);
    if (result != 0)
        return result;
    http_content_init(&content, &head);
    stream_consume(stream, head.head_len);
    return read_content(exchange, stream, &content);
}

int fetch(struct task *task, const struct fetch_means *means, const struct fetch_request *request,
          struct fetch_response *response)
{
    struct exchange exchange = {task, means, request, response, loop_now(task_loop(task)) + request->timeout_ms};
    struct buf *into = response->content;
    *response = (struct fetch_response){.content = into};
    if (request->field_count > FETCH_FIELDS_MAX || (request->is_tls && means->client == NULL))
        return -EINVAL;
    int fd = -1;
    int result = open_connection(&exchange, &fd);
    if (result != 0)
        return result;
    AUTO(stream) struct stream *stream = NULL;
    result = stream_new(task_loop(task), fd, &stream);
    return result == 0 ? converse(&exchange, stream) : result;
}
