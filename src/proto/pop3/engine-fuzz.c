#include <assert.h>

#include "proto/pop3/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct pop3_maildrop *maildrop)
{
    size_t deleted = 0;
    uint64_t octets = 0;
    for (size_t i = 0; i < maildrop->count; i++) {
        deleted += maildrop->entries[i].is_deleted;
        octets += maildrop->entries[i].is_deleted ? 0 : maildrop->entries[i].size;
    }
    assert(deleted == maildrop->deleted && octets == maildrop->octets);
}

static void run(struct pop3_engine *engine, span_t line, struct buf *out)
{
    enum pop3_step step = pop3_engine_line(engine, line, out);
    while (step == POP3_STEP_MORE) {
        buf_clear(out);
        step = pop3_engine_more(engine, out);
    }
    assert(step != POP3_STEP_SEND || !engine->entry->is_deleted);
    assert(step != POP3_STEP_DONE || span_ends(buf_span(out), SPAN("\r\n")));
    assert(buf_fault(out) == 0);
    buf_clear(out);
    check(engine->maildrop);
}

/* The first byte says how many messages there are, the rest are lines. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pop3_maildrop maildrop = {.uidvalidity = 1};
    AUTO_BUF struct buf out;
    buf_init(&out, 4 * (size_t)POP3_ENGINE_PIECE);
    if (size < 1)
        return 0;
    struct pop3_engine engine = {.maildrop = &maildrop, .mode = data[0] % 16U};
    for (uint32_t i = 0; i < data[0] % 32U; i++)
        if (pop3_maildrop_add(&maildrop, i + 1, 7U * i) < 0)
            break;
    span_t line;
    for (span_t rest = span_of(data + 1, size - 1); span_cut(&rest, '\n', &line);)
        run(&engine, line, &out);
    pop3_maildrop_deinit(&maildrop);
    return 0;
}
