#include "trust/authres/authres.h"

/* What may stand in a value without quotes and says nothing but itself. */
static bool is_plain(span_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_alpha(text.at[i]) && !ascii_is_digit(text.at[i]) &&
            span_find_byte(SPAN("-_.:+/="), text.at[i]) == 7)
            return false;
    return text.len > 0 && text.len <= 255;
}

static void put_result(struct buf *text, const char *method, const char *result, const char *reason)
{
    (void)buf_append_format(text, ";\r\n\t%s=%s", method, result);
    if (reason[0] != 0)
        (void)buf_append_format(text, " reason=\"%s\"", reason); /* our own words: nothing in them to be escaped */
}

static void put_property(struct buf *text, const char *name, span_t value)
{
    if (is_plain(value))
        (void)buf_append_format(text, " %s=%.*s", name, SPAN_PRINT(value));
}

static void put_iprev(const struct authres *results, struct buf *text)
{
    AUTO_BUF struct buf client;
    buf_init(&client, 64);
    ip_print(results->client, &client);
    put_result(text, "iprev", iprev_result_text(results->iprev->result), "");
    put_property(text, "policy.iprev", buf_span(&client));
}

static void put_dkim(const struct dkim_verifier *dkim, struct buf *text)
{
    if (dkim->count == 0)
        put_result(text, "dkim", "none", "");
    for (size_t i = 0; i < dkim->count; i++) {
        const struct dkim_verdict *verdict = &dkim->tasks[i].verdict;
        const struct dkim_signature *signature = &verdict->signature;
        put_result(text, "dkim", dkim_result_text(verdict->result), verdict->reason);
        (void)buf_append_text(text, "\r\n\t");
        put_property(text, "header.d", signature->domain);
        put_property(text, "header.s", signature->selector);
        put_property(text, "header.a", signature->algorithm_text);
        put_property(text, "header.b", span_upto(signature->signature_text, 8)); /* RFC 6008 §4 */
    }
}

static void put_dmarc(const struct dmarc_verdict *dmarc, struct buf *text)
{
    put_result(text, "dmarc", dmarc_result_text(dmarc->result), dmarc->reason);
    if (dmarc->found.has_record)
        (void)buf_append_format(text, " (p=%s)", dmarc_policy_text(dmarc->policy));
    put_property(text, "header.from", dmarc->domain);
}

static void put_arc(const struct arc_chain *arc, struct buf *text)
{
    put_result(text, "arc", arc_result_text(arc->result), arc->reason);
    if (arc->count > 0)
        (void)buf_append_format(text, " (i=%u)", arc->count);
}

int authres_append_results(const struct authres *results, struct buf *text)
{
    size_t before = buf_len(text);
    if (results->iprev != NULL)
        put_iprev(results, text);
    if (results->spf != NULL) {
        put_result(text, "spf", spf_result_text(results->spf->result), results->spf->reason);
        put_property(text, results->spf->is_helo ? "smtp.helo" : "smtp.mailfrom", results->spf->domain);
    }
    if (results->dkim != NULL)
        put_dkim(results->dkim, text);
    if (results->dmarc != NULL)
        put_dmarc(results->dmarc, text);
    if (results->arc != NULL)
        put_arc(results->arc, text);
    if (buf_len(text) == before)
        (void)buf_append_text(text, "; none");
    return buf_fault(text);
}

int authres_write(const struct authres *results, struct buf *lines)
{
    (void)buf_append_text(lines, "Authentication-Results: ");
    (void)buf_append(lines, results->host);
    (void)authres_append_results(results, lines);
    return buf_append_text(lines, "\r\n");
}
