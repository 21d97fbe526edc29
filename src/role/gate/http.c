#include <errno.h>

#include "base/log.h"
#include "proto/http/request.h"
#include "role/gate/ask.h"
#include "role/gate/gate.h"
#include "role/gate/site.h"

#define PAGE_MAX 8192U
#define ADDRESS_MAX 300U

/* One request, one answer, and the connection ends: who asks here comes once a day. */
struct answer {
    unsigned status;
    const char *reason;
    const char *media_type;
    struct buf page;
};

static int read_request(struct task *task, const struct connection *connection, struct http_request *request,
                        enum http_request_result *ret_result)
{
    for (;;) {
        *ret_result = http_request_parse(stream_input(connection->stream), request);
        if (*ret_result != HTTP_REQUEST_PARTIAL)
            return 0;
        int result = stream_fill(task, connection->stream, HTTP_REQUEST_MAX + 1,
                                 connection_patience(connection, GATE_REQUEST_S));
        if (result != 0)
            return result == STREAM_END ? -ECONNRESET : result;
    }
}

/* Whether mail for the domain comes here: a domain that does not receive has no pages. */
static int ask_domain(struct task *task, struct gate *gate, span_t domain)
{
    AUTO_BUF struct buf address;
    AUTO_BUF struct buf rows;
    AUTO_BUF struct buf forwards;
    buf_init(&address, ADDRESS_MAX);
    buf_init(&rows, 65536);
    buf_init(&forwards, 65536);
    if (buf_append_format(&address, "postmaster@%.*s", SPAN_PRINT(domain)) < 0)
        return RESOLVE_REMOTE;
    const struct ipc_resolve asked = {.address = buf_span(&address)};
    return ask_resolve(task, gate, &asked, &rows, &forwards);
}

static int make_answer(struct task *task, struct gate *gate, const struct http_request *request, struct answer *answer)
{
    span_t domain = SPAN_NONE;
    enum site_page page = site_find(request->host, request->path, &domain);
    *answer = (struct answer){.status = 404, .reason = "Not Found", .media_type = "text/plain"};
    buf_init(&answer->page, PAGE_MAX);
    if (!span_equal(request->method, SPAN("GET"))) {
        answer->status = 405;
        answer->reason = "Method Not Allowed";
        return 0;
    }
    int outcome = page == SITE_NONE ? (int)RESOLVE_REMOTE : ask_domain(task, gate, domain);
    if (outcome < 0 || outcome == RESOLVE_REMOTE)
        return outcome < 0 ? outcome : 0;
    if (outcome == RESOLVE_UNAVAILABLE) {
        answer->status = 503;
        answer->reason = "Service Unavailable";
        return 0;
    }
    answer->status = 200;
    answer->reason = "OK";
    answer->media_type = site_media_type(page);
    return site_write(page, gate->conf, domain, &answer->page);
}

static int send_answer(struct task *task, const struct connection *connection, const struct answer *answer)
{
    AUTO_BUF struct buf text;
    buf_init(&text, PAGE_MAX + 1024);
    buf_append_format(&text, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n",
                      answer->status, answer->reason, answer->media_type, buf_len(&answer->page),
                      answer->status == 405 ? "Allow: GET\r\n" : "");
    int result = buf_append(&text, buf_span(&answer->page));
    int64_t patience = connection_patience(connection, GATE_REQUEST_S);
    if (result == 0)
        result = stream_write(task, connection->stream, buf_span(&text), patience);
    if (result == 0)
        result = stream_flush(task, connection->stream, patience);
    return result == 0 ? stream_shutdown(task, connection->stream, GATE_SAY_MS) : result;
}

void http_serve(struct task *task, struct connection *connection)
{
    struct http_request request = {.host = SPAN_NONE};
    enum http_request_result read = HTTP_REQUEST_MALFORMED;
    struct answer answer = {.status = 400, .reason = "Bad Request", .media_type = "text/plain"};
    buf_init(&answer.page, PAGE_MAX);
    int result = read_request(task, connection, &request, &read);
    if (result == 0 && read == HTTP_REQUEST_TOO_LARGE)
        answer =
            (struct answer){.status = 431, .reason = "Request Header Fields Too Large", .media_type = "text/plain"};
    if (result == 0 && read == HTTP_REQUEST_OK)
        result = make_answer(task, connection->gate, &request, &answer);
    if (result == 0)
        result = send_answer(task, connection, &answer);
    log_debug("http.request", F_U64("status", answer.status), F_INT("result", result));
    buf_deinit(&answer.page);
}
