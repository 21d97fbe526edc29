#include "proto/pop3/response.h"

#include "proto/sasl/plain.h"

#define MODE_MAX 31U

void pop3_write_ok(struct buf *out, const char *text)
{
    buf_append_text(out, "+OK ");
    buf_append_text(out, text);
    buf_append_text(out, "\r\n");
}

void pop3_write_err(struct buf *out, const char *text)
{
    buf_append_text(out, "-ERR ");
    buf_append_text(out, text);
    buf_append_text(out, "\r\n");
}

static bool is_offered(enum sasl_mechanism mechanism, unsigned mode)
{
    bool is_hidden = (mode & POP3_HIDES_SCRAM) != 0 && sasl_mechanism_is_scram(mechanism);
    if ((mode & POP3_CAN_LOGIN) == 0 || is_hidden)
        return false;
    return mechanism != SASL_SCRAM_SHA_256_PLUS || (mode & POP3_CAN_PLUS) != 0;
}

/* No password travels in clear: before TLS there is neither USER nor SASL (RFC 2595 §2.3). */
void pop3_write_capabilities(struct buf *out, unsigned mode)
{
    pop3_write_ok(out, "Capabilities follow");
    buf_append_text(out, "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n"
                         "UTF8 USER\r\nLANG\r\n");
    if ((mode & POP3_CAN_STLS) != 0)
        buf_append_text(out, "STLS\r\n");
    if ((mode & POP3_CAN_LOGIN) != 0) {
        buf_append_text(out, "USER\r\nSASL");
        for (enum sasl_mechanism mechanism = 0; mechanism < SASL_MECHANISM_COUNT; mechanism++)
            if (is_offered(mechanism, mode))
                buf_append_format(out, " %s", sasl_mechanism_name(mechanism));
        buf_append_text(out, "\r\n");
    }
    buf_append_text(out, "IMPLEMENTATION Waxwing\r\n.\r\n");
}

void pop3_write_mechanisms(struct buf *out, unsigned mode)
{
    pop3_write_ok(out, "Mechanisms follow");
    for (enum sasl_mechanism mechanism = 0; mechanism < SASL_MECHANISM_COUNT; mechanism++)
        if (is_offered(mechanism, mode))
            buf_append_format(out, "%s\r\n", sasl_mechanism_name(mechanism));
    buf_append_text(out, ".\r\n");
}

void pop3_write_language(struct buf *out, span_t range)
{
    if (range.at == NULL)
        buf_append_text(out, "+OK Languages follow\r\nen English\r\ni-default Default language\r\n.\r\n");
    else if (span_equal_nocase(range, SPAN("i-default")))
        pop3_write_ok(out, "i-default Default language");
    else if (span_equal(range, SPAN("*")) || span_equal_nocase(range, SPAN("en")) ||
             span_starts_nocase(range, SPAN("en-")))
        pop3_write_ok(out, "en English it is");
    else
        pop3_write_err(out, "That language is not spoken here");
}

void pop3_mode_write(struct buf *out, unsigned mode)
{
    buf_append_u64(out, mode);
}

unsigned pop3_mode_read(span_t text)
{
    uint64_t mode = 0;
    return span_to_u64(text, MODE_MAX, &mode) == 0 ? (unsigned)mode : 0;
}
