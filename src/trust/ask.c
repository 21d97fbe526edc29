#include "trust/ask.h"

#include <errno.h>

#include "base/buf.h"
#include "proto/dns/name.h"

static void escape(span_t name, struct buf *text)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.at[i];
        bool plain = ascii_is_alpha(byte) || ascii_is_digit(byte) || byte == '-' || byte == '_' || byte == '.';
        if (plain)
            (void)buf_append_byte(text, byte);
        else
            (void)buf_append_format(text, "\\%03u", byte);
    }
}

static void nothing(struct dns_answer *answer)
{
    *answer = (struct dns_answer){.outcome = DNS_NO_NAME, .canonical = "", .reason = ""};
}

int trust_ask_text(const struct dns_lookup *lookup, const char *name, enum dns_type type, struct arena *arena,
                   struct dns_answer *ret_answer)
{
    int result = lookup->ask(lookup->context, name, type, arena, ret_answer);
    if (result != -EINVAL)
        return result;
    nothing(ret_answer);
    return 0;
}

int trust_ask(const struct dns_lookup *lookup, span_t name, enum dns_type type, struct arena *arena,
              struct dns_answer *ret_answer)
{
    AUTO_BUF struct buf text;
    buf_init(&text, DNS_NAME_TEXT_MAX + 2);
    if (name.len == 0 || name.len > DNS_NAME_MAX + 1) {
        nothing(ret_answer);
        return 0;
    }
    escape(name, &text);
    (void)buf_append_byte(&text, 0);
    if (buf_fault(&text) != 0)
        return buf_fault(&text);
    return trust_ask_text(lookup, (const char *)buf_span(&text).at, type, arena, ret_answer);
}

bool trust_is_temporary(const struct dns_answer *answer)
{
    return answer->outcome == DNS_FAILED || answer->outcome == DNS_BOGUS;
}
