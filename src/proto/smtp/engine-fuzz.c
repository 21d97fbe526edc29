#include <assert.h>

#include "proto/smtp/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the engine asks for is answered by the next byte of the input. */
static enum smtp_step answer(struct smtp_engine *engine, enum smtp_step step, uint8_t byte, struct buf *reply)
{
    enum smtp_answer verdict = (enum smtp_answer)(byte % (SMTP_WAIT + 1U));
    switch (step) {
    case SMTP_NEED_SENDER:
        return smtp_engine_sender(engine, verdict, reply);
    case SMTP_NEED_RECIPIENT:
        return smtp_engine_recipient(engine, verdict, reply);
    case SMTP_NEED_LOGIN:
    case SMTP_NEED_LOGIN_END:
        return smtp_engine_login(engine, verdict, reply);
    case SMTP_NEED_SCRAM_START:
    case SMTP_NEED_SCRAM_FINISH:
        return byte % 2 == 0 ? smtp_engine_scram(engine, SPAN("keeper"), reply)
                             : smtp_engine_login(engine, SMTP_NO, reply);
    case SMTP_NEED_TLS:
        smtp_engine_tls(engine, byte % 2 == 0);
        return SMTP_GO_ON;
    case SMTP_NEED_BODY:
        return smtp_engine_body(engine, (enum smtp_body_end)(byte % SMTP_BODY_CHUNK), SPAN("text\r\n"), reply);
    case SMTP_NEED_CHUNK:
        return smtp_engine_body(engine, engine->chunk_last ? SMTP_BODY_ACCEPTED : SMTP_BODY_CHUNK, SPAN_NONE, reply);
    case SMTP_NEED_SKIP:
    case SMTP_NEED_CLOSE:
    case SMTP_GO_ON:
        break;
    }
    return SMTP_GO_ON;
}

/* A message is only ever asked for from a sender that may send, to a recipient that exists. */
static void check(const struct smtp_engine *engine, enum smtp_step step)
{
    bool is_content = step == SMTP_NEED_BODY || step == SMTP_NEED_CHUNK;
    bool is_submission = engine->settings.kind == SMTP_SUBMISSION;
    assert(!is_content || engine->recipients > 0);
    assert(!is_content || !is_submission || (engine->tls && engine->authenticated));
    assert(step != SMTP_NEED_LOGIN || (engine->tls && is_submission));
    assert(engine->recipients <= engine->settings.recipients_max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_engine engine;
    AUTO_BUF struct buf reply;
    buf_init(&reply, 65536);
    if (size < 1)
        return 0;
    struct smtp_settings settings = {.kind = data[0] % 2 == 0 ? SMTP_RECEIVING : SMTP_SUBMISSION,
                                     .turn = (enum smtp_strictness)(data[0] / 2 % 3),
                                     .helo = (enum smtp_strictness)(data[0] / 6 % 3),
                                     .address = SPAN("192.0.2.1"),
                                     .hostname = SPAN("mx.test"),
                                     .message_max = 1000,
                                     .recipients_max = 3,
                                     .commands_max = 100,
                                     .errors_max = 50,
                                     .can_tls = true};
    smtp_engine_init(&engine, &settings);
    if ((data[0] & 2) != 0)
        smtp_engine_tls(&engine, true);
    span_t rest = span_of(data + 1, size - 1);
    enum smtp_step step = SMTP_GO_ON;
    while (rest.len > 0 && step != SMTP_NEED_CLOSE) {
        size_t line = span_find_byte(rest, '\n');
        line += line < rest.len;
        buf_clear(&reply);
        engine.more_input = line < rest.len && rest.at[line] == '\0';
        step = smtp_engine_line(&engine, span_upto(rest, line), &reply);
        check(&engine, step);
        rest = span_from(rest, line);
        if (step != SMTP_GO_ON && step != SMTP_NEED_CLOSE && rest.len > 0) {
            (void)!answer(&engine, step, rest.at[0], &reply);
            rest = span_from(rest, 1);
        }
        assert(buf_len(&reply) == 0 || span_ends(buf_span(&reply), SPAN("\r\n")));
    }
    smtp_engine_deinit(&engine);
    return 0;
}
