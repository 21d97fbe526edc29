#include <stdlib.h>

#include "proto/smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECIPIENTS 3U

/* A server that says anything at all: the first byte chooses how we were set up, the rest are its lines. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct smtp_client_recipient recipients[RECIPIENTS];
    struct smtp_client client;
    struct buf commands;
    span_t rest = span_of(data, size);
    if (size == 0)
        return 0;
    struct smtp_client_settings settings = {.hostname = SPAN("mx.test"), .tls = (enum smtp_client_demand)(data[0] % 3)};
    if (data[0] & 16)
        settings.user = settings.password = SPAN("someone");
    for (size_t i = 0; i < RECIPIENTS; i++)
        recipients[i] = (struct smtp_client_recipient){.address = SPAN("a@x.test"), .orcpt = SPAN("rfc822;a")};
    const struct smtp_client_mail mail = {
        .sender = SPAN("s@y.test"), .envid = SPAN("e"), .recipients = recipients, .count = RECIPIENTS};
    buf_init(&commands, 65536);
    smtp_client_init(&client, &settings);
    if (data[0] & 32)
        smtp_client_is_tls(&client);
    rest = span_from(rest, 1);
    enum smtp_client_step step = SMTP_CLIENT_READ;
    while (step != SMTP_CLIENT_CLOSED && rest.len > 0) {
        buf_clear(&commands);
        if (step == SMTP_CLIENT_READ) {
            size_t end = span_find_byte(rest, '\n') + 1;
            step = smtp_client_line(&client, span_upto(rest, end), &commands);
            rest = span_from(rest, end);
        } else if (step == SMTP_CLIENT_TLS) {
            step = smtp_client_tls(&client, &commands);
        } else if (step == SMTP_CLIENT_CONTENT || step == SMTP_CLIENT_NOTHING) {
            step = smtp_client_content(&client);
        } else {
            step = smtp_client_send(&client, &mail, &commands);
        }
        if (buf_fault(&commands) != 0 || client.response.text_len > SMTP_RESPONSE_TEXT_MAX)
            abort();
    }
    buf_deinit(&commands);
    return 0;
}
