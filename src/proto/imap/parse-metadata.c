#include <errno.h>

#include "proto/imap/scan.h"

static bool is_top(span_t name)
{
    return span_equal_nocase(name, SPAN("/private")) || span_equal_nocase(name, SPAN("/shared"));
}

/* RFC 5464 §3.2: /private or /shared and levels below, no empty one, in ASCII, without wildcards. */
static bool is_entry_name(span_t name)
{
    bool well =
        is_top(name) || span_starts_nocase(name, SPAN("/private/")) || span_starts_nocase(name, SPAN("/shared/"));
    for (size_t i = 0; well && i < name.len; i++) {
        uint8_t byte = name.at[i];
        bool is_empty = byte == '/' && (i + 1 == name.len || name.at[i + 1] == '/');
        well = byte > 0x19 && byte < 0x7f && byte != '*' && byte != '%' && !is_empty;
    }
    return well && name.len <= IMAP_ENTRY_MAX;
}

/* Of no case (RFC 5464 §3.2): kept in small letters. */
static bool scan_entry(struct imap_scan *scan, struct imap_metadata *metadata)
{
    span_t name = SPAN_NONE;
    if (metadata->count == IMAP_ENTRIES_MAX)
        return imap_scan_fail(scan, "Too many entries");
    if (!imap_scan_astring(scan, &name))
        return false;
    if (!is_entry_name(name))
        return imap_scan_fail(scan, "Not the name of an entry");
    uint8_t *small = arena_alloc(scan->arena, name.len);
    if (small == NULL) {
        scan->fault = -ENOMEM;
        return false;
    }
    for (size_t i = 0; i < name.len; i++)
        small[i] = ascii_lower(name.at[i]);
    metadata->entries[metadata->count++].name = span_of(small, name.len);
    return true;
}

static bool make_room(struct imap_scan *scan, struct imap_metadata *metadata)
{
    metadata->entries = arena_alloc_array(scan->arena, IMAP_ENTRIES_MAX, sizeof(*metadata->entries));
    if (metadata->entries == NULL)
        scan->fault = -ENOMEM;
    return metadata->entries != NULL;
}

/* RFC 5464 §5: entries = entry / "(" entry *(SP entry) ")". */
bool imap_scan_entries(struct imap_scan *scan, struct imap_metadata *metadata)
{
    if (!make_room(scan, metadata))
        return false;
    if (!imap_scan_byte(scan, '('))
        return scan_entry(scan, metadata);
    do
        if (!scan_entry(scan, metadata))
            return false;
    while (imap_scan_byte(scan, ' '));
    return imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the entries");
}

static bool scan_depth(struct imap_scan *scan, enum imap_depth *ret_depth)
{
    static const char *const names[] = {[IMAP_DEPTH_NONE] = "0", [IMAP_DEPTH_ONE] = "1", [IMAP_DEPTH_ALL] = "infinity"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (imap_scan_word(scan, names[i])) {
            *ret_depth = (enum imap_depth)i;
            return true;
        }
    return imap_scan_fail(scan, "DEPTH is 0, 1 or infinity");
}

/* RFC 5464 §4.2.1, §4.2.2. */
static bool scan_options(struct imap_scan *scan, struct imap_metadata *metadata)
{
    do {
        bool well = false;
        if (imap_scan_word(scan, "MAXSIZE")) {
            metadata->sized = true;
            well = imap_scan_space(scan) && imap_scan_number(scan, UINT32_MAX, &metadata->max_size);
        } else if (imap_scan_word(scan, "DEPTH")) {
            well = imap_scan_space(scan) && scan_depth(scan, &metadata->depth);
        } else {
            return imap_scan_fail(scan, "Unknown GETMETADATA option");
        }
        if (!well)
            return false;
    } while (imap_scan_byte(scan, ' '));
    return imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the options");
}

/* RFC 5464 §4.2. */
bool imap_parse_getmetadata(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan))
        return false;
    if (imap_scan_byte(scan, '(') && (!scan_options(scan, &command->metadata) || !imap_scan_space(scan)))
        return false;
    return imap_scan_mailbox(scan, &command->mailbox) && imap_scan_space(scan) &&
           imap_scan_entries(scan, &command->metadata) && imap_scan_end(scan);
}

static bool scan_value(struct imap_scan *scan, span_t *ret_value)
{
    return imap_scan_peek(scan, '~') ? imap_scan_literal8(scan, ret_value) : imap_scan_nstring(scan, ret_value);
}

/* RFC 5464 §4.3. */
bool imap_parse_setmetadata(struct imap_scan *scan, struct imap_command *command)
{
    struct imap_metadata *metadata = &command->metadata;
    if (!imap_scan_space(scan) || !imap_scan_mailbox(scan, &command->mailbox) || !imap_scan_space(scan))
        return false;
    if (!imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected a list of entries");
    if (!make_room(scan, metadata))
        return false;
    do {
        if (!scan_entry(scan, metadata) || !imap_scan_space(scan) ||
            !scan_value(scan, &metadata->entries[metadata->count - 1].value))
            return false;
        if (is_top(metadata->entries[metadata->count - 1].name))
            return imap_scan_fail(scan, "Not the name of an entry");
    } while (imap_scan_byte(scan, ' '));
    return (imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the entries")) && imap_scan_end(scan);
}
