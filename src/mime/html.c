#include "mime/html.h"

#include <errno.h>
#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>
#include <limits.h>
#include <string.h>

struct reader {
    htmlParserCtxtPtr parser;
    struct buf *text;
    unsigned hidden; /* elements open around whose text nobody sees */
};

static bool is_one_of(const xmlChar *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp((const char *)name, names[i]) == 0)
            return true;
    return false;
}

static bool is_hidden(const xmlChar *name)
{
    static const char *const names[] = {"script", "style", "template", "noscript"};
    return is_one_of(name, names, COUNT_OF(names));
}

/* Those that stand within a line of text, and do not end a word. */
static bool is_inline(const xmlChar *name)
{
    static const char *const names[] = {"a",      "abbr", "acronym", "b",  "bdi",  "bdo",   "big",  "cite",
                                        "code",   "dfn",  "del",     "em", "font", "i",     "ins",  "kbd",
                                        "mark",   "nobr", "q",       "s",  "samp", "small", "span", "strike",
                                        "strong", "sub",  "sup",     "tt", "u",    "var",   "wbr"};
    return is_one_of(name, names, COUNT_OF(names));
}

static void end_word(struct reader *reader, const xmlChar *name)
{
    span_t before = buf_span(reader->text);
    if (!is_inline(name) && before.len > 0 && before.at[before.len - 1] != '\n')
        (void)buf_append_byte(reader->text, '\n');
}

static void on_start(void *arg, const xmlChar *name, const xmlChar **attributes)
{
    struct reader *reader = arg;
    if (is_hidden(name))
        reader->hidden++;
    end_word(reader, name);
    for (; attributes != NULL && *attributes != NULL; attributes += 2) {
        if (attributes[1] == NULL || strcmp((const char *)attributes[0], "alt") != 0)
            continue;
        (void)buf_append_text(reader->text, (const char *)attributes[1]);
        (void)buf_append_byte(reader->text, '\n');
    }
}

static void on_end(void *arg, const xmlChar *name)
{
    struct reader *reader = arg;
    if (is_hidden(name) && reader->hidden > 0)
        reader->hidden--;
    end_word(reader, name);
}

static void on_text(void *arg, const xmlChar *text, int len)
{
    struct reader *reader = arg;
    if (reader->hidden == 0 && len > 0 && buf_append(reader->text, span_of(text, (size_t)len)) < 0)
        xmlStopParser(reader->parser); /* there is no room for what is behind it either */
}

static void free_parser(htmlParserCtxtPtr *parser)
{
    if (*parser == NULL)
        return;
    htmlFreeParserCtxt(*parser);
}

int mime_html_text(span_t html, struct buf *text)
{
    static const htmlSAXHandler handler = {
        .startElement = on_start, .endElement = on_end, .characters = on_text, .ignorableWhitespace = on_text};
    if (html.len == 0)
        return 0;
    if (html.len > INT_MAX)
        return -ENOBUFS;
    __attribute__((cleanup(free_parser))) htmlParserCtxtPtr parser =
        htmlCreateMemoryParserCtxt((const char *)html.at, (int)html.len);
    if (parser == NULL)
        return -ENOMEM;
    struct reader reader = {.parser = parser, .text = text};
    *parser->sax = handler; /* without a handler for errors: none is shown; without a tree: nothing is kept */
    parser->userData = &reader;
    (void)htmlCtxtUseOptions(parser, HTML_PARSE_RECOVER | HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                         HTML_PARSE_IGNORE_ENC);
    if (xmlSwitchEncoding(parser, XML_CHAR_ENCODING_UTF8) < 0)
        return -ENOMEM;
    (void)htmlParseDocument(parser);
    return buf_fault(text);
}
