#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "conf/conf.h"
#include "role/intake/filter.h"
#include "rt/connect.h"
#include "rt/stream.h"
#include "trust/clamd/reply.h"

#define CHUNK 65536U
#define CONNECT_WAIT 5000 /* milliseconds */

/* Its socket lies in the file system, where an intake cannot reach: the supervisor connects and hands the end over. */
static int connect_by_path(struct task *task, struct intake *intake, int *ret_fd)
{
    struct ipc_message request = {.type = IPC_reach, .reach = {.filter = FILTER_CLAMD}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, wiring_supervisor(intake->wiring), &request, CONNECT_WAIT, &reply);
    if (result != 0)
        return result;
    if (reply->reached.fault != 0 || reply->fd_count != 1)
        return reply->reached.fault != 0 ? -(int)reply->reached.fault : -EBADMSG;
    *ret_fd = ipc_message_take_fd(reply, 0);
    return 0;
}

bool filter_clamd_address(const struct conf *conf, struct address *ret_address)
{
    span_t setting = span_of_text(conf->filter_clamd);
    uint64_t port;
    size_t colon = span_find_last_byte(setting, ':');
    return span_to_u64(span_from(setting, colon + 1), UINT16_MAX, &port) == 0 && port > 0 &&
           address_parse(ret_address, span_upto(setting, colon), (uint16_t)port);
}

static int connect_clamd(struct task *task, struct intake *intake, int *ret_fd)
{
    const struct conf *conf = intake->start->conf;
    struct address address;
    if (conf->filter_clamd[0] == '/' || filter_choice_of(conf->filter_clamd) == FILTER_CHOSEN_AUTO)
        return connect_by_path(task, intake, ret_fd);
    return filter_clamd_address(conf, &address) ? connect_to(task, &address, NULL, CONNECT_WAIT, ret_fd) : -EINVAL;
}

/* zINSTREAM: the content in chunks, each with its length before it; one of length 0 ends it (clamd(8)). */
static int send_message(struct task *task, struct stream *stream, span_t message, int64_t timeout_ms)
{
    static const uint8_t end[4] = {0, 0, 0, 0};
    int result = stream_write(task, stream, SPAN("zINSTREAM\0"), timeout_ms);
    while (result == 0 && message.len > 0) {
        uint8_t head[4];
        span_t piece = span_upto(message, CHUNK);
        uint32_t len = htonl((uint32_t)piece.len);
        memcpy(head, &len, sizeof(head));
        message = span_from(message, piece.len);
        result = stream_write(task, stream, span_of(head, sizeof(head)), timeout_ms);
        if (result == 0)
            result = stream_write(task, stream, piece, timeout_ms);
    }
    if (result == 0)
        result = stream_write(task, stream, span_of(end, sizeof(end)), timeout_ms);
    return result == 0 ? stream_flush(task, stream, timeout_ms) : result;
}

/* It closes after its answer. One that has had enough answers early, and closes while we still write: what it said
 * counts. */
static int read_reply(struct task *task, struct stream *stream, int64_t timeout_ms, span_t *ret_reply)
{
    for (;;) {
        span_t input = stream_input(stream);
        if (span_find_byte(input, 0) < input.len || input.len >= CLAMD_REPLY_MAX)
            break;
        int result = stream_fill(task, stream, CLAMD_REPLY_MAX, timeout_ms);
        if (result == STREAM_END || result == -ECONNRESET)
            break;
        if (result < 0)
            return result;
    }
    *ret_reply = stream_input(stream);
    return ret_reply->len > 0 ? 0 : -ECONNRESET;
}

static int scan(struct task *task, struct intake *intake, span_t message, struct stream *stream, span_t *ret_reply)
{
    int64_t timeout_ms = (int64_t)intake->start->conf->filter_timeout * 1000;
    int result = send_message(task, stream, message, timeout_ms);
    if (result != 0 && result != -EPIPE && result != -ECONNRESET)
        return result;
    return read_reply(task, stream, timeout_ms, ret_reply);
}

static int refuse(span_t virus, struct arena *arena, struct filter_opinion *opinion)
{
    AUTO_BUF struct buf words;
    span_t reply = SPAN("");
    buf_init(&words, 256);
    (void)buf_append_text(&words, "The message carries a virus: ");
    (void)buf_append(&words, virus);
    int result = buf_fault(&words) != 0 ? buf_fault(&words) : arena_copy(arena, buf_span(&words), &reply);
    if (result == 0)
        filter_advise(opinion, FILTER_REFUSE, reply);
    return result;
}

static int silent(int fault, span_t words, char reason[FILTER_REASON_MAX])
{
    if (fault == -ENOMEM || fault == -ECANCELED)
        return fault;
    if (words.len == 0)
        words = span_of_text(strerror(-fault));
    words = span_upto(words, FILTER_REASON_MAX - 1);
    memcpy(reason, words.at, words.len);
    reason[words.len] = '\0';
    return FILTER_SILENT;
}

bool filter_concerns_clamd(const struct conf *conf, const struct filter_letter *letter)
{
    return letter->message.len <= conf->filter_scan_max && (letter->envelope->flags & DELIVER_REPORT) == 0;
}

int filter_ask_clamd(struct task *task, struct intake *intake, const struct filter_letter *letter,
                     struct filter_opinion *opinion, char reason[FILTER_REASON_MAX])
{
    int fd = -1;
    int result = connect_clamd(task, intake, &fd);
    if (result != 0)
        return silent(result, SPAN(""), reason);
    AUTO(stream) struct stream *stream = NULL;
    result = stream_new(intake->loop, fd, &stream);
    span_t reply = SPAN("");
    if (result == 0)
        result = scan(task, intake, letter->message, stream, &reply);
    if (result != 0)
        return silent(result, SPAN(""), reason);
    span_t words;
    switch (clamd_reply_parse(reply, &words)) {
    case CLAMD_CLEAN:
        return 0;
    case CLAMD_FOUND:
        return refuse(words, letter->arena, opinion);
    case CLAMD_FAULT:
        break;
    }
    return silent(-EBADMSG, words, reason);
}

/* Any answer to VERSION is a sign of life; one that may not tell its version says so. "ClamAV 1.4.3/27300/Thu Oct …":
 * what follows the first slash is about its signatures. */
int filter_probe_clamd(struct task *task, struct intake *intake, int64_t timeout_ms, char version[FILTER_VERSION_MAX],
                       char reason[FILTER_REASON_MAX])
{
    int fd = -1;
    int result = connect_clamd(task, intake, &fd);
    if (result != 0)
        return silent(result, SPAN(""), reason);
    AUTO(stream) struct stream *stream = NULL;
    span_t reply = SPAN("");
    result = stream_new(intake->loop, fd, &stream);
    if (result == 0)
        result = stream_write(task, stream, SPAN("zVERSION\0"), timeout_ms);
    if (result == 0)
        result = stream_flush(task, stream, timeout_ms);
    if (result == 0)
        result = read_reply(task, stream, timeout_ms, &reply);
    if (result != 0)
        return silent(result, SPAN(""), reason);
    if (span_starts(reply, SPAN("ClamAV ")))
        filter_version_set(version, span_from(span_upto(reply, span_find_byte(reply, '/')), 7));
    return 0;
}
