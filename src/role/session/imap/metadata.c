#include <stdlib.h>

#include "role/session/imap/imap.h"
#include "role/session/notices.h"
#include "vault/annotation.h"

/*
 * METADATA (RFC 5464). The mailbox "" is the server; what is private to it is the account's, what is shared is nobody's
 * here. /private/specialuse is the mailbox's use (RFC 6154 §4), to be read.
 */
struct reading {
    struct run *run;
    struct imap_metadata *metadata;
    span_t name; /* of the mailbox */
    span_t asked;
    bool is_open;     /* the response has begun */
    uint64_t longest; /* of the values that were too long to be told */
};

static void write_pair(struct reading *reading, span_t entry, span_t value)
{
    struct buf *out = &reading->run->client->out;
    if (reading->metadata->sized && value.len > reading->metadata->max_size) { /* RFC 5464 §4.2.1 */
        reading->longest = value.len > reading->longest ? value.len : reading->longest;
        return;
    }
    buf_append_text(out, reading->is_open ? " " : "* METADATA ");
    if (!reading->is_open) {
        run_write_mailbox(reading->run, out, reading->name);
        buf_append_text(out, " (");
    }
    reading->is_open = true;
    imap_write_astring(out, entry);
    buf_append_byte(out, ' ');
    if (value.len > 0 && span_find_byte(value, 0) < value.len)
        buf_append_byte(out, '~'); /* literal8 */
    imap_write_nstring(out, value);
}

/* RFC 5464 §4.2.2: DEPTH 1 is the entry and one level below. */
static int on_entry(void *arg, span_t entry, span_t value)
{
    struct reading *reading = arg;
    span_t below = span_from(entry, reading->asked.len + 1);
    if (reading->metadata->depth == IMAP_DEPTH_ONE && span_find_byte(below, '/') < below.len)
        return 0;
    write_pair(reading, entry, value);
    return 0;
}

static int read_one(struct reading *reading, uint64_t mailbox)
{
    AUTO_FREE uint8_t *value = NULL;
    size_t len = 0;
    if (reading->metadata->depth != IMAP_DEPTH_NONE)
        return vault_annotation_list(reading->run->vault, mailbox, reading->asked, on_entry, reading);
    int result = vault_annotation_get(reading->run->vault, mailbox, reading->asked, &value, &len);
    if (result >= 0)
        write_pair(reading, reading->asked, result == 0 ? span_of(value, len) : SPAN_NONE);
    return result < 0 ? result : 0;
}

static bool is_use(span_t entry)
{
    return span_equal(entry, SPAN("/private/specialuse"));
}

static int read_all(struct reading *reading, uint64_t mailbox, enum vault_role role)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < reading->metadata->count; i++) {
        reading->asked = reading->metadata->entries[i].name;
        const char *use = is_use(reading->asked) ? imap_use_name(role) : NULL;
        if (use != NULL)
            write_pair(reading, reading->asked, span_of_text(use));
        else
            result = read_one(reading, mailbox);
    }
    if (reading->is_open)
        buf_append_text(&reading->run->client->out, ")\r\n");
    return result;
}

int metadata_write(struct run *run, span_t name, struct imap_metadata *metadata)
{
    struct vault_mailbox mailbox;
    int result = vault_mailbox_find(run->vault, name, &mailbox);
    if (result != 0)
        return result < 0 ? result : 0;
    struct reading reading = {.run = run, .metadata = metadata, .name = name};
    return read_all(&reading, mailbox.id, mailbox.role);
}

/* The mailbox of the command, or the server itself; false: NO was said. */
static bool find(struct run *run, struct vault_mailbox *ret_mailbox, int *ret_result)
{
    *ret_mailbox = (struct vault_mailbox){.id = VAULT_ACCOUNT_ITSELF};
    return run->command->mailbox.len == 0 ||
           run_find_mailbox(run, run->command->mailbox, "NONEXISTENT", ret_mailbox, ret_result);
}

int imap_do_getmetadata(struct task *task, struct run *run)
{
    struct vault_mailbox mailbox;
    int result = 0;
    if (!find(run, &mailbox, &result))
        return result;
    struct reading reading = {.run = run, .metadata = &run->command->metadata, .name = run->command->mailbox};
    result = read_all(&reading, mailbox.id, mailbox.role);
    if (result == 0)
        result = client_drain(task, run->client);
    if (result < 0 || reading.longest == 0)
        return result < 0 ? result : run_ok(run, "Done");
    buf_clear(&run->reply);
    return buf_append_format(&run->reply, "OK [METADATA LONGENTRIES %llu] Done", (unsigned long long)reading.longest);
}

/* All or nothing (RFC 5464 §4.3). */
static int put_all(struct run *run, uint64_t mailbox)
{
    int result = run_begin(run);
    if (result < 0)
        return result;
    for (size_t i = 0; result == 0 && i < run->command->metadata.count; i++)
        result = vault_annotation_put(run->vault, mailbox, run->command->metadata.entries[i].name,
                                      run->command->metadata.entries[i].value);
    result = run_end(run, result);
    for (size_t i = 0; result == 0 && i < run->command->metadata.count; i++)
        notices_add(run->session, &(struct notice){.kind = NOTICE_METADATA,
                                                   .origin = run->client,
                                                   .name = run->command->mailbox,
                                                   .other = run->command->metadata.entries[i].name});
    return result;
}

int imap_do_setmetadata(struct task *task, struct run *run)
{
    (void)task;
    struct vault_mailbox mailbox;
    int result = 0;
    if (!find(run, &mailbox, &result))
        return result;
    for (size_t i = 0; i < run->command->metadata.count; i++) {
        const struct imap_entry *entry = &run->command->metadata.entries[i];
        if (run->command->mailbox.len == 0 && span_starts(entry->name, SPAN("/shared/")))
            return run_no(run, "[NOPERM] What the server shares is not an account's to say");
        if (is_use(entry->name))
            return run_no(run, "[CANNOT] The special use of a mailbox is said when it is created");
        if (entry->value.len > VAULT_ANNOTATION_VALUE_MAX)
            return run_no(run, "[METADATA MAXSIZE 65536] Too long");
    }
    result = put_all(run, mailbox.id);
    if (result == VAULT_LIMIT)
        return run_no(run, "[METADATA TOOMANY] Too many entries");
    return result < 0 ? result : run_ok(run, "Done");
}
