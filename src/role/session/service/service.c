#include "role/session/service/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/session/client.h"

#define OUT_MAX (4U * FRAME_MAX)
#define WORDS_MAX 1024U
#define WRITE_MS 300000 /* for the tool to take what there is */
#define HEAR_MAX (4U * (FRAME_HEAD + FRAME_MAX))
#define HEAR_MS 900000 /* for the tool to say something: it may wait for another server */
#define PROGRESS_MS 200
#define EXIT_FAILED 1

static const struct {
    span_t word;
    service_function *run;
} services[] = {
    {{(const uint8_t *)"check", 5}, service_check},
    {{(const uint8_t *)"index", 5}, service_index},
    {{(const uint8_t *)"import", 6}, service_import},
    {{(const uint8_t *)"export", 6}, service_export},
};

bool service_has_word(const struct service *service, span_t word)
{
    span_t rest = buf_span(&service->words);
    span_t found;
    while (span_cut(&rest, 0, &found))
        if (span_equal(found, word))
            return true;
    return false;
}

static int send_all(struct task *task, struct service *service)
{
    int result = buf_fault(&service->out);
    if (result == 0)
        result = stream_write(task, service->stream, buf_span(&service->out), WRITE_MS);
    buf_clear(&service->out);
    return result < 0 ? result : stream_flush(task, service->stream, WRITE_MS);
}

int service_output(struct task *task, struct service *service, span_t bytes)
{
    int result = 0;
    while (result == 0 && bytes.len > 0) {
        span_t piece = span_upto(bytes, FRAME_MAX);
        bytes = span_from(bytes, piece.len);
        result = frame_write(&service->out, FRAME_OUTPUT, piece);
        if (result == 0 && buf_len(&service->out) >= FRAME_MAX)
            result = send_all(task, service);
    }
    return result;
}

int service_progress(struct task *task, struct service *service, const struct frame_progress *progress)
{
    int64_t now = loop_now(task_loop(task));
    if (now - service->progressed < PROGRESS_MS)
        return 0;
    service->progressed = now;
    int result = frame_write_progress(&service->out, progress);
    return result < 0 ? result : send_all(task, service);
}

int service_say(struct task *task, struct service *service, const struct transfer *transfer)
{
    int result = transfer_write(&service->out, FRAME_OUTPUT, transfer);
    return result == 0 && buf_len(&service->out) >= FRAME_MAX ? send_all(task, service) : result;
}

int service_flush(struct task *task, struct service *service)
{
    return send_all(task, service);
}

int service_hear(struct task *task, struct service *service, struct transfer *ret_transfer)
{
    struct frame frame;
    stream_consume(service->stream, service->read);
    service->read = 0;
    for (;;) {
        int result = frame_read(stream_input(service->stream), &frame, &service->read);
        if (result < 0)
            return result;
        if (result == FRAME_READ)
            return frame.kind == FRAME_INPUT ? transfer_read(&frame, ret_transfer) : -EBADMSG;
        service->read = 0;
        result = stream_fill(task, service->stream, HEAR_MAX, HEAR_MS);
        if (result != STREAM_OK)
            return result < 0 ? result : -EPIPE;
    }
}

int service_refuse(struct service *service, const char *why)
{
    service->refused = why;
    return EXIT_FAILED;
}

static service_function *find(const struct service *service)
{
    span_t rest = buf_span(&service->words);
    span_t first = SPAN_NONE;
    (void)span_cut(&rest, 0, &first);
    for (size_t i = 0; i < COUNT_OF(services); i++)
        if (span_equal(services[i].word, first))
            return services[i].run;
    return NULL;
}

static span_t fault_text(int fault)
{
    if (fault == -ENOTCONN)
        return SPAN("the store does not answer just now; try again");
    if (fault == -ENOSPC)
        return SPAN("the disk is full; make room and try again");
    if (fault == -EBADMSG)
        return SPAN("the account's database is damaged where it is needed most; restore it from a backup");
    return span_of_text(strerror(-fault));
}

static int serve(struct task *task, struct service *service)
{
    service_function *function = find(service);
    struct frame_end end = {.status = EXIT_FAILED, .error = SPAN("the session does not know this command")};
    int result = 0;
    if (function != NULL) {
        result = function(task, service);
        end.status = result < 0 ? EXIT_FAILED : (uint32_t)result;
        end.error = result < 0 ? fault_text(result) : span_of_text(service->refused);
    }
    if (result == -ECANCELED || result == -EPIPE || result == -ECONNRESET)
        return result;
    result = frame_write_end(&service->out, &end);
    return result < 0 ? result : send_all(task, service);
}

static void service_free(struct service *service)
{
    service->session->client_count--;
    service->session->service_count--;
    session_client_gone(service->session); /* which also lets the vault be closed */
    stream_free(service->stream);
    buf_deinit(&service->words);
    buf_deinit(&service->out);
    free(service);
}

static void run(struct task *task, void *arg)
{
    struct service *service = arg;
    int result = serve(task, service);
    if (result < 0 && result != -ECANCELED)
        log_debug("service.ended", F_FAULT(result));
    service_free(service);
}

int service_start(struct session *session, int fd, span_t words)
{
    AUTO_FD int owned = fd;
    if (session->service_count >= SERVICES_MAX)
        return -EMFILE;
    struct service *service = mem_new(sizeof(*service));
    if (service == NULL)
        return -ENOMEM;
    service->session = session;
    buf_init(&service->words, WORDS_MAX);
    buf_init(&service->out, OUT_MAX);
    session->client_count++;
    session->service_count++;
    int result = buf_append(&service->words, words);
    if (result == 0)
        result = stream_new(session->loop, TAKE_FD(owned), &service->stream);
    if (result == 0)
        result = task_group_spawn(&session->tasks, session->loop, "service", run, service);
    if (result < 0)
        service_free(service);
    return result;
}
