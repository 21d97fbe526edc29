#include "role/courier/reportmail.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "mime/date.h"

#define LINE_BYTES 57U /* make 76 digits (RFC 2045 §6.8) */
#define LOCAL_MAX 64U  /* RFC 5321 §4.5.3.1.1 */
#define DOMAIN_MAX 253U

static const struct {
    const char *multipart;
    const char *type;
    const char *suffix;
    const char *words;
} kinds[TALLY_KIND_COUNT] = {
    [TALLY_TLS] = {"multipart/report; report-type=tlsrpt", "application/tlsrpt+gzip", ".json.gz",
                   "This is a report on the TLS connections of our servers with those of your domain (RFC 8460).\r\n"},
    [TALLY_DMARC] = {"multipart/mixed", "application/gzip", ".xml.gz",
                     "This is an aggregate report on mail that named your domain in From (DMARC, RFC 7489).\r\n"},
};

bool reportmail_may_go_to(span_t address)
{
    static const char specials[] = "!#$%&'*+-/=?^_`{|}~."; /* RFC 5321 §4.1.2: Dot-string */
    const size_t at = span_find_last_byte(address, '@');
    const span_t local = span_upto(address, at);
    const span_t domain = span_from(address, at + 1);
    if (local.len == 0 || local.len > LOCAL_MAX || domain.len == 0 || domain.len > DOMAIN_MAX || domain.at[0] == '.' ||
        domain.at[domain.len - 1] == '.' || local.at[0] == '.' || local.at[local.len - 1] == '.' ||
        span_find(local, SPAN("..")) < local.len)
        return false;
    for (size_t i = 0; i < address.len; i++) {
        const uint8_t byte = address.at[i];
        bool is_plain = ascii_is_alpha(byte) || ascii_is_digit(byte);
        if (i != at && !is_plain &&
            (i > at ? byte != '-' && byte != '.' : memchr(specials, byte, sizeof(specials) - 1) == NULL))
            return false;
    }
    return true;
}

void reportmail_file_name(const struct reportmail *mail, struct buf *name)
{
    (void)buf_append_format(name, "%.*s!%.*s!%lld!%lld%s", SPAN_PRINT(mail->organization), SPAN_PRINT(mail->domain),
                            (long long)mail->start, (long long)mail->end, kinds[mail->kind].suffix);
}

static void add_header(const struct reportmail *mail, struct buf *text)
{
    const struct mime_date date = {.unix_time = mail->now};
    buf_append_format(text, "From: <%.*s>\r\nTo: <%.*s>\r\n", SPAN_PRINT(mail->from), SPAN_PRINT(mail->to));
    buf_append_format(text, "Subject: Report Domain: %.*s\r\n Submitter: %.*s\r\n Report-ID: <%.*s>\r\nDate: ",
                      SPAN_PRINT(mail->domain), SPAN_PRINT(mail->organization), SPAN_PRINT(mail->id));
    (void)mime_date_format(&date, text);
    buf_append_format(text, "\r\nMessage-ID: <%016llx.report@%.*s>\r\nAuto-Submitted: auto-generated\r\n",
                      (unsigned long long)mail->number, SPAN_PRINT(mail->organization));
    if (mail->kind == TALLY_TLS) /* RFC 8460 §5.3; and RFC 8689 §3, for those who pass it on */
        buf_append_format(text, "TLS-Report-Domain: %.*s\r\nTLS-Report-Submitter: %.*s\r\nTLS-Required: No\r\n",
                          SPAN_PRINT(mail->domain), SPAN_PRINT(mail->organization));
    buf_append_format(text, "MIME-Version: 1.0\r\nContent-Type: %s;\r\n\tboundary=\"=_%016llx\"\r\n\r\n",
                      kinds[mail->kind].multipart, (unsigned long long)mail->number);
}

static void add_words(const struct reportmail *mail, struct buf *text)
{
    buf_append_format(text, "--=_%016llx\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n%s\r\n",
                      (unsigned long long)mail->number, kinds[mail->kind].words);
    buf_append_format(text, "Domain: %.*s\r\nFrom: %.*s\r\n\r\n", SPAN_PRINT(mail->domain),
                      SPAN_PRINT(mail->organization));
}

static int add_file(const struct reportmail *mail, struct buf *text)
{
    AUTO_BUF struct buf name;
    buf_init(&name, 1024);
    reportmail_file_name(mail, &name);
    buf_append_format(text, "--=_%016llx\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n",
                      (unsigned long long)mail->number, kinds[mail->kind].type);
    buf_append_format(text, "Content-Disposition: attachment;\r\n\tfilename=\"%.*s\"\r\n\r\n",
                      SPAN_PRINT(buf_span(&name)));
    int result = buf_fault(&name);
    for (span_t rest = mail->packed; result == 0 && rest.len > 0; rest = span_from(rest, LINE_BYTES)) {
        result = base64_encode(span_upto(rest, LINE_BYTES), text);
        (void)buf_append_text(text, "\r\n");
    }
    buf_append_format(text, "--=_%016llx--\r\n", (unsigned long long)mail->number);
    return result;
}

int reportmail_write(const struct reportmail *mail, struct buf *text)
{
    add_header(mail, text);
    add_words(mail, text);
    int result = add_file(mail, text);
    return result != 0 ? result : buf_fault(text);
}
