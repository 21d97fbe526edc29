#include "trust/dmarc/report.h"

#include <errno.h>
#include <libxml/xmlreader.h>
#include <string.h>

#define DEPTH_MAX 16
#define ELEMENTS_MAX 500000U /* of a whole report: 25 in each row is more than the schema has */
#define PATH_MAX_LEN 256U

/*
 * Where the text of an element goes, by its path below <feedback>: a member of the report, of the row that is being
 * read, or of its last signature.
 */
enum owner { OF_REPORT, OF_ROW, OF_SIGNATURE };
enum form { AS_TEXT, AS_COUNT };

struct place {
    const char *path;
    enum owner owner;
    enum form form;
    size_t offset;
};

#define REPORT(member) offsetof(struct dmarc_report, member)
#define ROW(member) offsetof(struct dmarc_report_row, member)
#define SIGNATURE(member) offsetof(struct dmarc_report_signature, member)

static const struct place places[] = {
    {"report_metadata/org_name", OF_REPORT, AS_TEXT, REPORT(organization)},
    {"report_metadata/email", OF_REPORT, AS_TEXT, REPORT(contact)},
    {"report_metadata/report_id", OF_REPORT, AS_TEXT, REPORT(id)},
    {"report_metadata/date_range/begin", OF_REPORT, AS_COUNT, REPORT(start)},
    {"report_metadata/date_range/end", OF_REPORT, AS_COUNT, REPORT(end)},
    {"policy_published/domain", OF_REPORT, AS_TEXT, REPORT(published.domain)},
    {"policy_published/adkim", OF_REPORT, AS_TEXT, REPORT(published.adkim)},
    {"policy_published/aspf", OF_REPORT, AS_TEXT, REPORT(published.aspf)},
    {"policy_published/p", OF_REPORT, AS_TEXT, REPORT(published.policy)},
    {"policy_published/sp", OF_REPORT, AS_TEXT, REPORT(published.subdomain_policy)},
    {"policy_published/pct", OF_REPORT, AS_TEXT, REPORT(published.percent)},
    {"record/row/source_ip", OF_ROW, AS_TEXT, ROW(source_ip)},
    {"record/row/count", OF_ROW, AS_COUNT, ROW(count)},
    {"record/row/policy_evaluated/disposition", OF_ROW, AS_TEXT, ROW(disposition)},
    {"record/row/policy_evaluated/dkim", OF_ROW, AS_TEXT, ROW(dkim)},
    {"record/row/policy_evaluated/spf", OF_ROW, AS_TEXT, ROW(spf)},
    {"record/row/policy_evaluated/reason/type", OF_ROW, AS_TEXT, ROW(reason)},
    {"record/row/policy_evaluated/reason/comment", OF_ROW, AS_TEXT, ROW(reason_comment)},
    {"record/identifiers/header_from", OF_ROW, AS_TEXT, ROW(header_from)},
    {"record/identifiers/envelope_from", OF_ROW, AS_TEXT, ROW(envelope_from)},
    {"record/auth_results/spf/domain", OF_ROW, AS_TEXT, ROW(spf_domain)},
    {"record/auth_results/spf/scope", OF_ROW, AS_TEXT, ROW(spf_scope)},
    {"record/auth_results/spf/result", OF_ROW, AS_TEXT, ROW(spf_result)},
    {"record/auth_results/dkim/domain", OF_SIGNATURE, AS_TEXT, SIGNATURE(domain)},
    {"record/auth_results/dkim/selector", OF_SIGNATURE, AS_TEXT, SIGNATURE(selector)},
    {"record/auth_results/dkim/result", OF_SIGNATURE, AS_TEXT, SIGNATURE(result)},
};

/* Rows come one by one, so they are chained in the arena's blocks of this many, and laid side by side at the end. */
#define BLOCK_ROWS 64U

struct block {
    struct block *before;
    size_t count;
    struct dmarc_report_row rows[BLOCK_ROWS];
};

struct walk {
    struct arena *arena;
    struct dmarc_report *report;
    struct block *blocks; /* the last one first */
    size_t row_count;
    size_t element_count;
    struct dmarc_report_row *row;             /* inside a record, else NULL */
    struct dmarc_report_signature *signature; /* inside one that is kept, else NULL */
    char path[PATH_MAX_LEN];                  /* of the open elements below the root */
    size_t path_len;
    const struct place *place; /* where text goes now, or NULL */
    struct buf text;
};

static int add_row(struct walk *walk)
{
    if (walk->row_count == DMARC_ROWS_MAX)
        return DMARC_REPORT_MALFORMED;
    if (walk->blocks == NULL || walk->blocks->count == BLOCK_ROWS) {
        struct block *block = arena_alloc(walk->arena, sizeof(*block));
        if (block == NULL)
            return -ENOMEM;
        block->before = walk->blocks;
        walk->blocks = block;
    }
    walk->row = &walk->blocks->rows[walk->blocks->count++];
    walk->row_count++;
    return 0;
}

static void add_signature(struct walk *walk)
{
    struct dmarc_report_row *row = walk->row;
    bool has_room = row != NULL && row->signature_count < DMARC_SIGNATURES_MAX;
    walk->signature = has_room ? &row->signatures[row->signature_count++] : NULL;
}

static const struct place *find_place(const char *path)
{
    for (size_t at = 0; at < COUNT_OF(places); at++) {
        if (strcmp(places[at].path, path) == 0)
            return &places[at];
    }
    return NULL;
}

static int on_start(struct walk *walk, const char *name)
{
    size_t len = strnlen(name, PATH_MAX_LEN);
    if (walk->path_len + len + 2 > PATH_MAX_LEN)
        return DMARC_REPORT_MALFORMED;
    if (walk->path_len > 0)
        walk->path[walk->path_len++] = '/';
    memcpy(walk->path + walk->path_len, name, len);
    walk->path_len += len;
    walk->path[walk->path_len] = 0;
    walk->place = find_place(walk->path);
    buf_clear(&walk->text);
    if (strcmp(walk->path, "record") == 0)
        return add_row(walk);
    if (strcmp(walk->path, "record/auth_results/dkim") == 0)
        add_signature(walk);
    return 0;
}

static void *owner_of(struct walk *walk, enum owner owner)
{
    switch (owner) {
    case OF_REPORT:
        return walk->report;
    case OF_ROW:
        return walk->row;
    case OF_SIGNATURE:
        return walk->signature;
    }
    return NULL;
}

static int store(struct walk *walk)
{
    const struct place *place = walk->place;
    uint8_t *owner = place == NULL ? NULL : owner_of(walk, place->owner);
    if (owner == NULL)
        return 0;
    span_t text = span_trim(buf_span(&walk->text));
    if (place->form == AS_TEXT) {
        char *copy = arena_text(walk->arena, text);
        memcpy(owner + place->offset, &copy, sizeof(copy));
        return copy == NULL ? -ENOMEM : 0;
    }
    uint64_t count;
    if (span_to_u64(text, INT64_MAX, &count) != 0)
        return DMARC_REPORT_MALFORMED;
    memcpy(owner + place->offset, &count, sizeof(count));
    return 0;
}

static int on_end(struct walk *walk)
{
    int result = store(walk);
    walk->place = NULL;
    if (strcmp(walk->path, "record") == 0)
        walk->row = NULL;
    while (walk->path_len > 0 && walk->path[walk->path_len - 1] != '/')
        walk->path_len--;
    walk->path_len -= walk->path_len > 0 ? 1 : 0;
    walk->path[walk->path_len] = 0;
    return result;
}

static int on_text(struct walk *walk, const xmlChar *text)
{
    span_t piece = span_of_text((const char *)text);
    if (walk->place == NULL)
        return 0;
    return buf_append(&walk->text, span_upto(piece, DMARC_TEXT_MAX - buf_len(&walk->text)));
}

static int on_element(struct walk *walk, xmlTextReaderPtr reader, int depth)
{
    const char *name = (const char *)xmlTextReaderConstLocalName(reader);
    if (++walk->element_count > ELEMENTS_MAX)
        return DMARC_REPORT_MALFORMED;
    if (depth == 0)
        return strcmp(name, "feedback") == 0 ? 0 : DMARC_REPORT_MALFORMED;
    int result = on_start(walk, name);
    return result == 0 && xmlTextReaderIsEmptyElement(reader) == 1 ? on_end(walk) : result;
}

static int on_node(struct walk *walk, xmlTextReaderPtr reader)
{
    int depth = xmlTextReaderDepth(reader);
    if (depth > DEPTH_MAX)
        return DMARC_REPORT_MALFORMED;
    switch (xmlTextReaderNodeType(reader)) {
    case XML_READER_TYPE_DOCUMENT_TYPE:
        return DMARC_REPORT_MALFORMED;
    case XML_READER_TYPE_ELEMENT:
        return on_element(walk, reader, depth);
    case XML_READER_TYPE_END_ELEMENT:
        return depth == 0 ? 0 : on_end(walk);
    case XML_READER_TYPE_TEXT:
    case XML_READER_TYPE_CDATA:
        return on_text(walk, xmlTextReaderConstValue(reader));
    default:
        return 0;
    }
}

/* Lays the rows side by side, in their order. */
static int gather(struct walk *walk)
{
    struct dmarc_report_row *rows = arena_alloc_array(walk->arena, walk->row_count + 1, sizeof(*rows));
    if (rows == NULL)
        return -ENOMEM;
    size_t end = walk->row_count;
    for (const struct block *block = walk->blocks; block != NULL; block = block->before) {
        end -= block->count;
        memcpy(rows + end, block->rows, block->count * sizeof(*rows));
    }
    walk->report->rows = rows;
    walk->report->row_count = walk->row_count;
    return 0;
}

static int read_all(struct walk *walk, xmlTextReaderPtr reader)
{
    int more;
    while ((more = xmlTextReaderRead(reader)) == 1) {
        int result = on_node(walk, reader);
        if (result != 0)
            return result;
    }
    if (more != 0 || walk->report->published.domain == NULL || walk->report->end == 0)
        return DMARC_REPORT_MALFORMED;
    return gather(walk);
}

/*
 * Entities make bombs, and need a document type; libxml2 would read one before it tells of it. So that none can hide in
 * another encoding, the text is taken for UTF-8 whatever it says, and UTF-16 does not get past its first NUL.
 */
static bool may_be_report(span_t xml)
{
    return xml.len > 0 && xml.len <= DMARC_REPORT_MAX && span_find_byte(xml, 0) == xml.len &&
           span_find(xml, SPAN("<!DOCTYPE")) == xml.len;
}

int dmarc_report_read(span_t xml, struct arena *arena, struct dmarc_report *ret_report)
{
    struct dmarc_report report = {0};
    struct walk walk = {.arena = arena, .report = &report};
    if (!may_be_report(xml))
        return DMARC_REPORT_MALFORMED;
    xmlTextReaderPtr reader = xmlReaderForMemory((const char *)xml.at, (int)xml.len, NULL, "UTF-8",
                                                 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (reader == NULL)
        return -ENOMEM;
    buf_init(&walk.text, DMARC_TEXT_MAX);
    int result = read_all(&walk, reader);
    buf_deinit(&walk.text);
    xmlFreeTextReader(reader);
    if (result == DMARC_REPORT_OK)
        *ret_report = report;
    return result;
}
