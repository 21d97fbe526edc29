#include "trust/dmarc/report.h"

#include <errno.h>
#include <libxml/xmlwriter.h>

/* The writer remembers no fault, so each step tells; a text that is NULL is left out. */
static bool put(xmlTextWriterPtr writer, const char *name, const char *text)
{
    return text == NULL || xmlTextWriterWriteElement(writer, (const xmlChar *)name, (const xmlChar *)text) >= 0;
}

static bool put_count(xmlTextWriterPtr writer, const char *name, uint64_t count)
{
    return xmlTextWriterWriteFormatElement(writer, (const xmlChar *)name, "%llu", (unsigned long long)count) >= 0;
}

static bool start(xmlTextWriterPtr writer, const char *name)
{
    return xmlTextWriterStartElement(writer, (const xmlChar *)name) >= 0;
}

static bool end(xmlTextWriterPtr writer)
{
    return xmlTextWriterEndElement(writer) >= 0;
}

static bool put_metadata(xmlTextWriterPtr writer, const struct dmarc_report *report)
{
    return start(writer, "report_metadata") && put(writer, "org_name", report->organization) &&
           put(writer, "email", report->contact) && put(writer, "report_id", report->id) &&
           start(writer, "date_range") && put_count(writer, "begin", report->start) &&
           put_count(writer, "end", report->end) && end(writer) && end(writer);
}

static bool put_published(xmlTextWriterPtr writer, const struct dmarc_report *report)
{
    return start(writer, "policy_published") && put(writer, "domain", report->published.domain) &&
           put(writer, "adkim", report->published.adkim) && put(writer, "aspf", report->published.aspf) &&
           put(writer, "p", report->published.policy) && put(writer, "sp", report->published.subdomain_policy) &&
           put(writer, "pct", report->published.percent) && end(writer);
}

static bool put_reason(xmlTextWriterPtr writer, const struct dmarc_report_row *row)
{
    return row->reason == NULL || (start(writer, "reason") && put(writer, "type", row->reason) &&
                                   put(writer, "comment", row->reason_comment) && end(writer));
}

static bool put_evaluated(xmlTextWriterPtr writer, const struct dmarc_report_row *row)
{
    return start(writer, "row") && put(writer, "source_ip", row->source_ip) && put_count(writer, "count", row->count) &&
           start(writer, "policy_evaluated") && put(writer, "disposition", row->disposition) &&
           put(writer, "dkim", row->dkim) && put(writer, "spf", row->spf) && put_reason(writer, row) && end(writer) &&
           end(writer);
}

static bool put_results(xmlTextWriterPtr writer, const struct dmarc_report_row *row)
{
    if (!start(writer, "auth_results"))
        return false;
    for (size_t at = 0; at < row->signature_count; at++) {
        const struct dmarc_report_signature *signature = &row->signatures[at];
        if (!start(writer, "dkim") || !put(writer, "domain", signature->domain) ||
            !put(writer, "selector", signature->selector) || !put(writer, "result", signature->result) || !end(writer))
            return false;
    }
    return start(writer, "spf") && put(writer, "domain", row->spf_domain) && put(writer, "scope", row->spf_scope) &&
           put(writer, "result", row->spf_result) && end(writer) && end(writer);
}

static bool put_row(xmlTextWriterPtr writer, const struct dmarc_report_row *row)
{
    return start(writer, "record") && put_evaluated(writer, row) && start(writer, "identifiers") &&
           put(writer, "envelope_from", row->envelope_from) && put(writer, "header_from", row->header_from) &&
           end(writer) && put_results(writer, row) && end(writer);
}

static bool put_report(xmlTextWriterPtr writer, const struct dmarc_report *report)
{
    if (xmlTextWriterSetIndent(writer, 1) < 0 || xmlTextWriterStartDocument(writer, NULL, "UTF-8", NULL) < 0)
        return false;
    if (!start(writer, "feedback") || !put(writer, "version", "1.0") || !put_metadata(writer, report) ||
        !put_published(writer, report))
        return false;
    for (size_t at = 0; at < report->row_count; at++) {
        if (!put_row(writer, &report->rows[at]))
            return false;
    }
    return end(writer) && xmlTextWriterEndDocument(writer) >= 0;
}

static int append_xml(void *context, const char *bytes, int len)
{
    return buf_append(context, span_of(bytes, (size_t)len)) == 0 ? len : -1;
}

int dmarc_report_write(const struct dmarc_report *report, struct buf *xml)
{
    xmlOutputBufferPtr out = xmlOutputBufferCreateIO(append_xml, NULL, xml, NULL);
    xmlTextWriterPtr writer = out == NULL ? NULL : xmlNewTextWriter(out);
    if (writer == NULL)
        return -ENOMEM;
    bool is_written = put_report(writer, report) && xmlTextWriterFlush(writer) >= 0;
    xmlFreeTextWriter(writer);
    if (buf_fault(xml) != 0)
        return buf_fault(xml);
    return is_written ? 0 : -ENOMEM;
}
