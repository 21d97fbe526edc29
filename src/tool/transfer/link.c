#include "tool/transfer/link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/conf.h"
#include "tool/control.h"
#include "tool/follow.h"
#include "tool/input.h"
#include "tool/tool.h"

#define IN_MAX ((size_t)4 * (FRAME_HEAD + FRAME_MAX))
#define OUT_MAX ((size_t)8 * (FRAME_HEAD + FRAME_MAX))
#define OUT_SEND ((size_t)4 * FRAME_MAX)
#define LINES_MAX 8192U
#define PASSWORD_MAX 1024U

static char other_password_text[PASSWORD_MAX];

/* --- opening --- */

static int read_passwords(struct transfer_options *options, bool other_password, struct buf *lines)
{
    const char *why = NULL;
    if (tool_input_read(other_password ? INPUT_TWO_PASSWORDS : INPUT_PASSWORD, 0, lines, &why) < 0)
        return terminal_fail("%s", why);
    span_t rest = buf_span(lines);
    span_t line;
    if (!other_password)
        return 0;
    (void)span_cut(&rest, '\n', &line);
    rest = span_trim(rest);
    size_t len = rest.len < PASSWORD_MAX ? rest.len : PASSWORD_MAX;
    memcpy(other_password_text, rest.at, len);
    options->password = span_of(other_password_text, len);
    buf_truncate(lines, line.len + 1);
    return 0;
}

static int ask_server(struct link *link, const char *path, span_t words, span_t lines)
{
    AUTO_BUF struct buf packet;
    AUTO_BUF struct buf output;
    struct control_answer answer = {.status = 1, .session_fd = -1};
    buf_init(&packet, TOOL_PACKET_MAX);
    buf_init(&answer.output, TOOL_PACKET_MAX);
    buf_init(&answer.error, TOOL_PACKET_MAX);
    buf_init(&output, TOOL_PACKET_MAX);
    int result = control_write(words, lines, &packet);
    if (result == 0)
        result = control_ask(path, buf_span(&packet), CONTROL_PATIENCE, &answer);
    if (packet.bytes != NULL)
        explicit_bzero(packet.bytes, packet.room);
    int status = 0;
    if (result < 0)
        status = tool_say_unreachable("import", path, result);
    else if (answer.status != 0 || answer.session_fd < 0)
        status = terminal_fail("%.*s", SPAN_PRINT(span_trim(buf_span(&answer.error))));
    if (result == 0 && answer.status == 2)
        status = 2;
    link->fd = answer.session_fd;
    buf_deinit(&answer.output);
    buf_deinit(&answer.error);
    return status;
}

int link_open(struct link *link, const char *conf_path, struct transfer_options *options, span_t words,
              bool other_password)
{
    struct conf_error error;
    char path[PATH_MAX];
    AUTO(conf) struct conf *conf = NULL;
    AUTO_BUF struct buf lines;
    *link = (struct link){.fd = -1};
    buf_init(&link->in, IN_MAX);
    buf_init(&link->out, OUT_MAX);
    buf_init(&lines, LINES_MAX);
    if (conf_load(conf_path, &conf, &error) < 0)
        return terminal_fail("%s", error.text);
    (void)snprintf(path, sizeof(path), "%s/%s", conf->server_data, TOOL_SOCKET_NAME);
    int status = read_passwords(options, other_password, &lines);
    if (status == 0)
        status = ask_server(link, path, words, buf_span(&lines));
    if (lines.bytes != NULL)
        explicit_bzero(lines.bytes, lines.room);
    int flags = link->fd >= 0 ? fcntl(link->fd, F_GETFL) : -1;
    if (flags >= 0)
        (void)fcntl(link->fd, F_SETFL, flags & ~O_NONBLOCK);
    return status;
}

void link_close(struct link *link)
{
    scope_close(&link->fd);
    buf_deinit(&link->in);
    buf_deinit(&link->out);
    explicit_bzero(other_password_text, sizeof(other_password_text));
}

/* --- speaking --- */

static int has_ended(void)
{
    (void)terminal_fail("the account's session ended before it was done; run the same command again to go on, and see "
                        "the server's log");
    return -ECONNRESET;
}

/* The session's last word says why it would hear no more. */
static int why_deaf(struct link *link)
{
    struct transfer last;
    int result = 0;
    while (result == 0)
        result = link_hear(link, &last);
    return result == LINK_ENDED ? has_ended() : result;
}

int link_flush(struct link *link)
{
    while (buf_len(&link->out) > 0) {
        span_t bytes = buf_span(&link->out);
        ssize_t put = send(link->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            buf_clear(&link->out);
            return why_deaf(link);
        }
        buf_consume(&link->out, (size_t)put);
    }
    return 0;
}

int link_say(struct link *link, const struct transfer *transfer)
{
    int result = transfer_write(&link->out, FRAME_INPUT, transfer);
    if (result < 0) {
        (void)terminal_fail("cannot speak to the account's session: %s", strerror(-result));
        return -ECONNRESET;
    }
    return buf_len(&link->out) >= OUT_SEND ? link_flush(link) : 0;
}

/* --- hearing --- */

static int more(struct link *link)
{
    uint8_t *at = NULL;
    if (buf_reserve(&link->in, FRAME_MAX, &at) < 0)
        return has_ended();
    ssize_t got = 0;
    do
        got = read(link->fd, at, FRAME_MAX);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return has_ended();
    buf_commit(&link->in, (size_t)got);
    return 0;
}

static int on_end(const struct frame *frame)
{
    struct frame_end end;
    if (frame_read_end(frame, &end) < 0)
        return has_ended();
    if (end.error.len > 0)
        (void)terminal_fail("%.*s", SPAN_PRINT(end.error));
    return end.status == 0 ? LINK_ENDED : -ECONNRESET;
}

int link_hear(struct link *link, struct transfer *ret_transfer)
{
    buf_consume(&link->in, link->used);
    link->used = 0;
    for (;;) {
        struct frame frame;
        int result = frame_read(buf_span(&link->in), &frame, &link->used);
        if (result == FRAME_MORE) {
            link->used = 0;
            result = more(link);
            if (result < 0)
                return result;
            continue;
        }
        if (result < 0)
            return has_ended();
        if (frame.kind == FRAME_END)
            return on_end(&frame);
        if (frame.kind == FRAME_OUTPUT)
            return transfer_read(&frame, ret_transfer) < 0 ? has_ended() : LINK_HEARD;
        if (frame.kind == FRAME_PROGRESS && follow_progress(&frame) < 0)
            return has_ended();
        buf_consume(&link->in, link->used);
        link->used = 0;
    }
}
