#include "proto/imap/scan.h"

#include <errno.h>

static bool out_of_memory(struct imap_scan *scan)
{
    scan->fault = -ENOMEM;
    return imap_scan_fail(scan, "Command too large");
}

static struct imap_body *add_body(struct imap_scan *scan, struct imap_fetch *fetch)
{
    if (fetch->count == IMAP_SECTIONS_MAX) {
        (void)imap_scan_fail(scan, "Too many sections");
        return NULL;
    }
    struct imap_body *bodies = imap_scan_grow(scan, fetch->bodies, fetch->count, sizeof(*bodies));
    if (bodies == NULL)
        return NULL;
    fetch->bodies = bodies;
    return &bodies[fetch->count++];
}

static bool add_named(struct imap_scan *scan, struct imap_fetch *fetch, enum imap_section_kind kind,
                      enum imap_body_form form)
{
    struct imap_body *body = add_body(scan, fetch);
    if (body == NULL)
        return false;
    /* RFC 3501 §6.4.5: RFC822.HEADER does not set \Seen, the other two do. */
    *body = (struct imap_body){.section = {.kind = kind}, .form = form, .peek = form == IMAP_BODY_RFC822_HEADER};
    return true;
}

static bool add_section(struct imap_scan *scan, struct imap_fetch *fetch, bool peek)
{
    struct imap_body *body = add_body(scan, fetch);
    if (body == NULL)
        return false;
    *body = (struct imap_body){.form = IMAP_BODY_SECTION, .peek = peek};
    int result = imap_section_parse(&scan->rest, scan->arena, &body->section);
    if (result < 0)
        return out_of_memory(scan);
    return result == 0 || imap_scan_fail(scan, "Bad body section");
}

/* RFC 3516 §7: section-binary is part numbers alone; sizes are not asked for in part. */
static bool add_binary(struct imap_scan *scan, struct imap_fetch *fetch, enum imap_body_form form, bool peek)
{
    if (!add_section(scan, fetch, peek))
        return false;
    struct imap_body *body = &fetch->bodies[fetch->count - 1];
    body->form = form;
    if (body->section.kind != IMAP_SECTION_ALL || (form == IMAP_BODY_BINARY_SIZE && body->section.has_partial))
        return imap_scan_fail(scan, "Bad binary section");
    return true;
}

/* RFC 8970 §3.2: LAZY leaves it to us whether it is worth the work; it always is. */
static bool scan_preview(struct imap_scan *scan, struct imap_fetch *fetch)
{
    fetch->items |= IMAP_FETCH_PREVIEW;
    span_t after = scan->rest;
    bool is_lazy = imap_scan_byte(scan, ' ') && imap_scan_byte(scan, '(') && imap_scan_word(scan, "LAZY");
    if (!is_lazy)
        scan->rest = after; /* the next item, or a modifier of FETCH */
    return !is_lazy || imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Unknown PREVIEW modifier");
}

/* RFC 3501 §9: fetch-att. */
static bool scan_item(struct imap_scan *scan, struct imap_fetch *fetch)
{
    static const struct {
        const char *name;
        unsigned items;
    } plain[] = {
        {"UID", IMAP_FETCH_UID},
        {"FLAGS", IMAP_FETCH_FLAGS},
        {"INTERNALDATE", IMAP_FETCH_INTERNALDATE},
        {"RFC822.SIZE", IMAP_FETCH_SIZE},
        {"ENVELOPE", IMAP_FETCH_ENVELOPE},
        {"BODYSTRUCTURE", IMAP_FETCH_BODYSTRUCTURE},
        {"MODSEQ", IMAP_FETCH_MODSEQ}, /* RFC 7162 §3.1.4.2 */
        {"EMAILID", IMAP_FETCH_EMAILID},
        {"THREADID", IMAP_FETCH_THREADID},
        {"SAVEDATE", IMAP_FETCH_SAVEDATE}, /* RFC 8514 §4.2 */
    };
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        if (!imap_scan_word(scan, plain[i].name))
            continue;
        fetch->items |= plain[i].items;
        return true;
    }
    if (imap_scan_word(scan, "RFC822.HEADER"))
        return add_named(scan, fetch, IMAP_SECTION_HEADER, IMAP_BODY_RFC822_HEADER);
    if (imap_scan_word(scan, "RFC822.TEXT"))
        return add_named(scan, fetch, IMAP_SECTION_TEXT, IMAP_BODY_RFC822_TEXT);
    if (imap_scan_word(scan, "RFC822"))
        return add_named(scan, fetch, IMAP_SECTION_ALL, IMAP_BODY_RFC822);
    if (imap_scan_word(scan, "BODY.PEEK")) {
        return imap_scan_peek(scan, '[') ? add_section(scan, fetch, true)
                                         : imap_scan_fail(scan, "BODY.PEEK needs a section");
    }
    if (imap_scan_word(scan, "PREVIEW"))
        return scan_preview(scan, fetch);
    if (imap_scan_word(scan, "BINARY.PEEK"))
        return add_binary(scan, fetch, IMAP_BODY_BINARY, true);
    if (imap_scan_word(scan, "BINARY.SIZE"))
        return add_binary(scan, fetch, IMAP_BODY_BINARY_SIZE, true);
    if (imap_scan_word(scan, "BINARY"))
        return add_binary(scan, fetch, IMAP_BODY_BINARY, false);
    if (!imap_scan_word(scan, "BODY"))
        return imap_scan_fail(scan, "Unknown FETCH item");
    if (imap_scan_peek(scan, '['))
        return add_section(scan, fetch, false);
    fetch->items |= IMAP_FETCH_BODY;
    return true;
}

/* RFC 3501 §6.4.5: the macros stand alone. */
static bool scan_macro(struct imap_scan *scan, unsigned *items)
{
    unsigned fast = IMAP_FETCH_FLAGS | IMAP_FETCH_INTERNALDATE | IMAP_FETCH_SIZE;
    if (imap_scan_word(scan, "FAST"))
        *items = fast;
    else if (imap_scan_word(scan, "ALL"))
        *items = fast | IMAP_FETCH_ENVELOPE;
    else if (imap_scan_word(scan, "FULL"))
        *items = fast | IMAP_FETCH_ENVELOPE | IMAP_FETCH_BODY;
    else
        return false;
    return true;
}

bool imap_scan_fetch_list(struct imap_scan *scan, struct imap_fetch *fetch)
{
    if (!imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected a list of FETCH items");
    do {
        while (imap_scan_byte(scan, ' '))
            ;
        if (!scan_item(scan, fetch))
            return false;
        while (imap_scan_byte(scan, ' '))
            ;
    } while (!imap_scan_byte(scan, ')'));
    return true;
}

static bool scan_items(struct imap_scan *scan, struct imap_fetch *fetch)
{
    if (scan_macro(scan, &fetch->items))
        return true;
    return imap_scan_peek(scan, '(') ? imap_scan_fetch_list(scan, fetch) : scan_item(scan, fetch);
}

/* RFC 4466 §2.4; CHANGEDSINCE is RFC 7162 §3.1.4.1, VANISHED §3.2.6, PARTIAL RFC 9394 §3.2. */
static bool scan_fetch_modifiers(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Unknown FETCH modifier");
    do {
        if (imap_scan_word(scan, "CHANGEDSINCE")) {
            command->fetch.modified = true;
            command->fetch.what.items |= IMAP_FETCH_MODSEQ;
            if (!imap_scan_space(scan) || !imap_scan_number(scan, INT64_MAX, &command->fetch.changed_since))
                return false;
        } else if (imap_scan_word(scan, "VANISHED")) {
            command->fetch.vanished = true;
        } else if (imap_scan_word(scan, "PARTIAL")) {
            command->fetch.partly = true;
            if (!imap_scan_space(scan) || !imap_scan_partial(scan, &command->fetch.partial))
                return false;
        } else {
            return imap_scan_fail(scan, "Unknown FETCH modifier");
        }
    } while (imap_scan_byte(scan, ' '));
    if (command->fetch.vanished && (!command->fetch.modified || !command->uid))
        return imap_scan_fail(scan, "VANISHED needs UID FETCH and CHANGEDSINCE");
    if (command->fetch.partly && !command->uid)
        return imap_scan_fail(scan, "PARTIAL needs UID FETCH");
    return imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Unknown FETCH modifier");
}

bool imap_parse_fetch(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_set(scan, &command->set) || !imap_scan_space(scan) ||
        !scan_items(scan, &command->fetch.what))
        return false;
    if (imap_scan_byte(scan, ' ') && !imap_scan_at_end(scan) && !scan_fetch_modifiers(scan, command))
        return false;
    command->fetch.uid_implied = command->uid && (command->fetch.what.items & IMAP_FETCH_UID) == 0;
    if (command->uid)
        command->fetch.what.items |= IMAP_FETCH_UID; /* RFC 3501 §6.4.8 */
    return imap_scan_end(scan);
}

/* RFC 3501 §9: store-att-flags takes a list in parentheses or bare flags. */
static bool scan_store_flags(struct imap_scan *scan, struct imap_flags *flags)
{
    if (imap_scan_peek(scan, '('))
        return imap_scan_flag_list(scan, flags);
    do {
        if (!imap_scan_flag(scan, flags))
            return false;
    } while (imap_scan_byte(scan, ' ') && !imap_scan_at_end(scan));
    return true;
}

/* RFC 3501 §6.4.6; (UNCHANGEDSINCE n) is RFC 7162 §3.1.3. */
bool imap_parse_store(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_set(scan, &command->set) || !imap_scan_space(scan))
        return false;
    if (imap_scan_byte(scan, '(')) {
        if (!imap_scan_word(scan, "UNCHANGEDSINCE") || !imap_scan_space(scan))
            return imap_scan_fail(scan, "Unknown STORE modifier");
        command->store.conditional = true;
        if (!imap_scan_number(scan, INT64_MAX, &command->store.unchanged_since))
            return false;
        if (!imap_scan_byte(scan, ')') || !imap_scan_space(scan))
            return imap_scan_fail(scan, "Unknown STORE modifier");
    }
    command->store.mode = imap_scan_byte(scan, '+')   ? IMAP_STORE_ADD
                          : imap_scan_byte(scan, '-') ? IMAP_STORE_REMOVE
                                                      : IMAP_STORE_REPLACE;
    command->store.silent = imap_scan_word(scan, "FLAGS.SILENT");
    if (!command->store.silent && !imap_scan_word(scan, "FLAGS"))
        return imap_scan_fail(scan, "Expected FLAGS or FLAGS.SILENT");
    return imap_scan_space(scan) && scan_store_flags(scan, &command->store.flags) && imap_scan_end(scan);
}

/* RFC 3501 §6.4.7, RFC 6851 §3. */
bool imap_parse_copy(struct imap_scan *scan, struct imap_command *command)
{
    return imap_scan_space(scan) && imap_scan_set(scan, &command->set) && imap_scan_space(scan) &&
           imap_scan_mailbox(scan, &command->mailbox) && imap_scan_end(scan);
}

/* RFC 3501 §6.4.3; UID EXPUNGE is RFC 4315 §2.1. */
bool imap_parse_expunge(struct imap_scan *scan, struct imap_command *command)
{
    command->expunge.with_set = command->uid;
    if (!command->uid)
        return imap_scan_end(scan);
    return imap_scan_space(scan) && imap_scan_set(scan, &command->set) && imap_scan_end(scan);
}
