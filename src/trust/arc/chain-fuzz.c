#include <assert.h>

#include "trust/arc/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int ask(void *context, const char *name, enum dns_type type, struct arena *arena, struct dns_answer *ret_answer)
{
    static const uint8_t rdata[] = "\x13v=DKIM1; k=ed25519;\x30 p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    static const span_t record = {rdata, 69};
    (void)context;
    (void)arena;
    *ret_answer = (struct dns_answer){
        .outcome = type == DNS_TXT ? DNS_FOUND : DNS_NO_DATA, .canonical = name, .records = &record, .reason = ""};
    ret_answer->count = type == DNS_TXT ? 1 : 0;
    return 0;
}

/* All of a message that anyone may have sent. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO(dkim_body) struct dkim_body *body = NULL;
    struct arc_chain *chain = NULL;
    struct dkim_header header;
    const struct dns_lookup lookup = {.ask = ask};
    const span_t message = span_of(data, size);
    const size_t header_len = mime_header_len(message);
    if (size > 20000 || arena_new(8U << 20, &arena) != 0 || dkim_body_new(&body) != 0 ||
        dkim_header_index(span_upto(message, header_len), arena, &header) != 0 ||
        arc_chain_new(&header, body, arena, &chain) != 0)
        return 0;
    dkim_body_add(body, span_from(message, header_len));
    if (dkim_body_finish(body) != 0 || arc_chain_finish(chain, &header, body, &lookup, 1, arena) != 0)
        return 0;
    assert(chain->count <= ARC_INSTANCES_MAX);
    assert((chain->result == ARC_FAIL) == (chain->reason[0] != 0));
    assert(chain->result == ARC_PASS || !arc_chain_vouches(chain, SPAN("a.example")));
    return 0;
}
