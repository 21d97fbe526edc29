#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "proto/imap/mailbox.h"
#include "tool/transfer/imap-connection.h"
#include "tool/transfer/letter.h"
#include "tool/transfer/source.h"

/*
 * Another server: its folders, and in each what UIDs there are, with flags and dates; the messages are fetched only
 * where they are wanted. They go by UIDVALIDITY and UID, so that what is here already costs no more than its name.
 * Folders are opened by EXAMINE, messages read by BODY.PEEK: nothing changes there.
 */
#define MESSAGES_MAX 5000000U /* in one folder */
#define NAME_ARENA 65536U
#define COMMAND_MAX 32768U

struct listed {
    uint32_t uid;
    int64_t received;
    uint64_t size;
    char *flags;
};

struct imap {
    struct source source;
    struct imap_url url;
    struct imap_connection *connection;
    struct buf prefix;                  /* of the personal namespace */
    const struct source_folder *folder; /* at hand, or NULL */
    uint32_t uidvalidity;
    struct listed *list;
    size_t list_count;
    size_t list_room;
    size_t next_listed;
};

static void forget_list(struct imap *imap)
{
    for (size_t i = 0; i < imap->list_count; i++)
        free(imap->list[i].flags);
    imap->list_count = 0;
    imap->next_listed = 0;
}

static void imap_free(struct source *source)
{
    struct imap *imap = (struct imap *)source;
    forget_list(imap);
    source_end(source);
    free(imap->list);
    buf_deinit(&imap->prefix);
    imap_connection_free(imap->connection);
    free(imap);
}

static bool is_ok(const struct imap_response *response)
{
    return span_equal_nocase(response->word, SPAN("OK"));
}

/* --- folders --- */

/* '/' between levels, whatever stands there between them; without the prefix that all names there have. */
static int add_folder(struct imap *imap, span_t there, uint8_t delimiter)
{
    AUTO_BUF struct buf path;
    AUTO(arena) struct arena *arena = NULL;
    span_t decoded;
    buf_init(&path, IMAP_MAILBOX_MAX * 8);
    span_t raw = there;
    span_t prefix = buf_span(&imap->prefix);
    if (prefix.len > 0 && raw.len > prefix.len && span_starts(raw, prefix))
        raw = span_from(raw, prefix.len);
    for (size_t i = 0; i < raw.len; i++) {
        uint8_t byte = raw.at[i];
        (void)buf_append_byte(&path, byte == delimiter ? '/' : byte == '/' ? '_' : byte);
    }
    if (buf_fault(&path) < 0 || arena_new(NAME_ARENA, &arena) < 0)
        return terminal_fail("out of memory");
    if (imap_mailbox_decode(buf_span(&path), arena, &decoded) < 0)
        decoded = buf_span(&path);
    return source_add_folder(&imap->source, there, decoded);
}

static int note_folder(void *arg, const struct imap_response *response)
{
    struct imap *imap = arg;
    struct imap_listed listed;
    if (!span_equal_nocase(response->word, SPAN("LIST")))
        return 0;
    int result = imap_response_list(response->rest, &listed);
    span_t raw = buf_span(&listed.name);
    bool is_there = result == 0 && !imap_response_has(listed.attributes, SPAN("\\Noselect")) &&
                    !imap_response_has(listed.attributes, SPAN("\\NonExistent"));
    if (is_there) {
        result = add_folder(imap, raw, listed.delimiter);
    } else if (result < 0) {
        imap->source.left_out++;
    }
    buf_deinit(&listed.name);
    return result > 0 ? result : 0;
}

static int note_namespace(void *arg, const struct imap_response *response)
{
    struct imap *imap = arg;
    if (span_equal_nocase(response->word, SPAN("NAMESPACE")) &&
        imap_response_namespace(response->rest, &imap->prefix) < 0)
        buf_clear(&imap->prefix);
    return 0;
}

static int add_count(void *arg, const struct imap_response *response)
{
    struct imap *imap = arg;
    uint64_t count = 0;
    if (span_equal_nocase(response->word, SPAN("STATUS")) && imap_response_status(response->rest, &count) == 0)
        imap->source.total += count;
    return 0;
}

static int note_or_count(void *arg, const struct imap_response *response)
{
    int result = note_folder(arg, response);
    return result == 0 ? add_count(arg, response) : result;
}

static void append_quoted(const char *name, struct buf *line)
{
    (void)buf_append_byte(line, '"');
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            (void)buf_append_byte(line, '\\');
        (void)buf_append_byte(line, (uint8_t)(*at == '\r' || *at == '\n' ? '?' : *at));
    }
    (void)buf_append_byte(line, '"');
}

/* How many messages there are, for telling how far it is: what a folder does not say is not counted. */
static int count_messages(struct imap *imap)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < imap->source.folder_count; i++) {
        struct imap_response response;
        AUTO_BUF struct buf line;
        buf_init(&line, COMMAND_MAX);
        (void)buf_append(&line, SPAN("STATUS "));
        append_quoted(imap->source.folders[i].place, &line);
        (void)buf_append(&line, SPAN(" (MESSAGES)"));
        result = imap_do(imap->connection, buf_span(&line), add_count, imap, &response);
    }
    return result;
}

static int list_folders(struct imap *imap)
{
    struct imap_response response;
    int result = 0;
    bool at_once = imap_can(imap->connection, SPAN("LIST-STATUS")); /* RFC 5819 */
    if (imap_can(imap->connection, SPAN("NAMESPACE")))
        result = imap_do(imap->connection, SPAN("NAMESPACE"), note_namespace, imap, &response);
    if (result == 0)
        result = imap_do(imap->connection,
                         at_once ? SPAN("LIST \"\" \"*\" RETURN (STATUS (MESSAGES))") : SPAN("LIST \"\" \"*\""),
                         note_or_count, imap, &response);
    if (result == 0 && !is_ok(&response))
        result = terminal_fail("%s does not list its folders: %.*s", imap->url.host, SPAN_PRINT(response.rest));
    return result == 0 && !at_once ? count_messages(imap) : result;
}

static int imap_open(const struct transfer_options *options, struct source **ret_source)
{
    struct imap *imap = mem_new(sizeof(*imap));
    if (imap == NULL)
        return terminal_fail("out of memory");
    *ret_source = &imap->source;
    buf_init(&imap->prefix, IMAP_MAILBOX_MAX);
    if (source_begin(&imap->source, options) != 0)
        return 1;
    if (imap_url_read(options->place, &imap->url) < 0)
        return terminal_fail("%s is no address of a server; give imaps://USER@HOST, or imap://USER@HOST for STARTTLS",
                             options->place);
    int result = imap_connect(&imap->url, options->insecure, &imap->connection);
    if (result == 0)
        result = imap_login(imap->connection, span_of_text(imap->url.user), options->password);
    return result == 0 ? list_folders(imap) : result;
}

/* --- what is in a folder --- */

static char *copy_flags(span_t flags)
{
    AUTO_BUF struct buf text;
    span_t flag;
    buf_init(&text, SOURCE_FLAGS_MAX);
    while (span_cut(&flags, ' ', &flag)) {
        if (flag.len == 0 || span_equal_nocase(flag, SPAN("\\Recent")) || buf_len(&text) + flag.len + 2 > text.max)
            continue;
        if (buf_len(&text) > 0)
            (void)buf_append_byte(&text, ' ');
        (void)buf_append(&text, flag);
    }
    return strndup((const char *)buf_span(&text).at, buf_len(&text));
}

static int add_listed(struct imap *imap, const struct imap_fetched *fetched)
{
    int64_t seconds = 0;
    struct listed *more = NULL;
    if (imap->list_count < MESSAGES_MAX)
        more = mem_grow(imap->list, imap->list_count, &imap->list_room, sizeof(*more));
    if (more == NULL)
        return terminal_fail("the folder %s has too many messages", imap->folder->place);
    imap->list = more;
    if (imap_response_date(fetched->date, &seconds) < 0)
        seconds = 0;
    char *flags = copy_flags(fetched->flags);
    if (flags == NULL)
        return terminal_fail("out of memory");
    imap->list[imap->list_count++] =
        (struct listed){.uid = fetched->uid, .received = seconds * 1000000, .size = fetched->size, .flags = flags};
    return 0;
}

static int note_listed(void *arg, const struct imap_response *response)
{
    struct imap *imap = arg;
    struct imap_fetched fetched;
    if (!span_equal_nocase(response->word, SPAN("FETCH")) || imap_response_fetch(response->rest, &fetched) < 0 ||
        fetched.uid == 0 || fetched.date.len == 0)
        return 0;
    return add_listed(imap, &fetched);
}

static int compare_uids(const void *one, const void *other)
{
    uint32_t first = ((const struct listed *)one)->uid;
    uint32_t second = ((const struct listed *)other)->uid;
    return first < second ? -1 : first > second;
}

static int note_selected(void *arg, const struct imap_response *response)
{
    struct imap *imap = arg;
    uint64_t value = 0;
    if (span_starts_nocase(response->code, SPAN("UIDVALIDITY ")) &&
        span_to_u64(span_from(response->code, 12), UINT32_MAX, &value) == 0)
        imap->uidvalidity = (uint32_t)value;
    return 0;
}

static int examine(struct imap *imap, struct imap_response *ret_response)
{
    AUTO_BUF struct buf line;
    buf_init(&line, COMMAND_MAX);
    (void)buf_append(&line, SPAN("EXAMINE "));
    append_quoted(imap->folder->place, &line);
    imap->uidvalidity = 0;
    return imap_do(imap->connection, buf_span(&line), note_selected, imap, ret_response);
}

/* 0; where the folder cannot be read it is told and left empty. */
static int list_messages(struct imap *imap)
{
    struct imap_response response;
    forget_list(imap);
    int result = examine(imap, &response);
    if (result == 0 && is_ok(&response))
        result = imap_do(imap->connection, SPAN("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)"), note_listed,
                         imap, &response);
    if (result == 0 && !is_ok(&response)) {
        source_leave_out(&imap->source, "the folder %s cannot be read: %.*s", imap->folder->place,
                         SPAN_PRINT(response.rest));
    }
    if (imap->list_count > 0)
        qsort(imap->list, imap->list_count, sizeof(*imap->list), compare_uids);
    return result;
}

static void fill_item(struct imap *imap, const struct listed *listed, struct source_item *item)
{
    char source[sizeof(imap->url.user) + sizeof(imap->url.host) + sizeof(imap->url.port) + 16];
    char name[64];
    (void)snprintf(source, sizeof(source), "imap\n%s\n%s\n%s", imap->url.user, imap->url.host, imap->url.port);
    (void)snprintf(name, sizeof(name), "%u %u", imap->uidvalidity, listed->uid);
    /* By the mailbox it becomes, and so by the folder it is in. */
    letter_origin_named(span_of_text(source), span_of_text(imap->folder->mailbox), span_of_text(name), item->origin);
    item->mailbox = imap->folder->mailbox;
    item->received = listed->received;
    item->done = imap->source.done;
    item->uid = listed->uid;
    item->length = listed->size;
    source_put_flags(item, span_of_text(listed->flags));
}

static int imap_next(struct source *source, struct source_item *item)
{
    struct imap *imap = (struct imap *)source;
    while (imap->folder != NULL && imap->next_listed < imap->list_count) {
        const struct listed *listed = &imap->list[imap->next_listed++];
        source->done++;
        bool is_repeated = imap->next_listed > 1 && imap->list[imap->next_listed - 2].uid == listed->uid;
        if (is_repeated)
            continue;
        if (listed->size > TRANSFER_MESSAGE_MAX) {
            source_leave_out(source, "message %u of %s is longer than %llu bytes", listed->uid, imap->folder->place,
                             (unsigned long long)TRANSFER_MESSAGE_MAX);
            continue;
        }
        fill_item(imap, listed, item);
        return SOURCE_ITEM;
    }
    if (imap->folder != NULL) {
        imap->folder = NULL;
        return SOURCE_PAUSE; /* another folder is selected for the next */
    }
    imap->folder = source_next_folder(source);
    if (imap->folder == NULL)
        return SOURCE_END;
    item->mailbox = imap->folder->mailbox;
    return list_messages(imap) == 0 ? SOURCE_FOLDER : -1;
}

/* --- messages --- */

struct loading {
    const struct source_item *items;
    size_t count;
    size_t got;
    source_sink *sink;
    void *arg;
};

static int on_message(void *arg, const struct imap_response *response)
{
    struct loading *loading = arg;
    struct imap_fetched fetched;
    if (!span_equal_nocase(response->word, SPAN("FETCH")) || imap_response_fetch(response->rest, &fetched) < 0 ||
        fetched.body.at == NULL)
        return 0;
    for (size_t i = 0; i < loading->count; i++)
        if (loading->items[i].is_wanted && loading->items[i].uid == fetched.uid) {
            loading->got++;
            return transfer_stopped ? 1 : loading->sink(loading->arg, &loading->items[i], fetched.body);
        }
    return 0;
}

/* Neighbouring items in one range, so that the command stays short. */
static size_t write_set(const struct source_item *items, size_t count, struct buf *line)
{
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++) {
        size_t last = i;
        if (!items[i].is_wanted)
            continue;
        while (last + 1 < count && items[last + 1].is_wanted && items[last + 1].uid == items[last].uid + 1)
            last++;
        if (wanted > 0)
            (void)buf_append_byte(line, ',');
        (void)buf_append_format(line, "%u", items[i].uid);
        if (last > i)
            (void)buf_append_format(line, ":%u", items[last].uid);
        wanted += last - i + 1;
        i = last;
    }
    return wanted;
}

static int imap_load(struct source *source, const struct source_item *items, size_t count, source_sink *sink, void *arg)
{
    struct imap *imap = (struct imap *)source;
    struct loading loading = {.items = items, .count = count, .sink = sink, .arg = arg};
    struct imap_response response;
    AUTO_BUF struct buf line;
    buf_init(&line, COMMAND_MAX);
    (void)buf_append(&line, SPAN("UID FETCH "));
    size_t wanted = write_set(items, count, &line);
    (void)buf_append(&line, SPAN(" (UID BODY.PEEK[])"));
    if (wanted == 0)
        return 0;
    int result = imap_do(imap->connection, buf_span(&line), on_message, &loading, &response);
    if (result == 0 && loading.got < wanted) {
        (void)terminal_fail("%zu messages of %s were not given out: %.*s", wanted - loading.got, items[0].mailbox,
                            SPAN_PRINT(response.rest));
        source->left_out += wanted - loading.got;
    }
    return result;
}

const struct source_type source_imap = {"imap", true, imap_open, imap_next, imap_load, imap_free};
