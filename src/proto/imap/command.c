#include "proto/imap/command.h"

#include <errno.h>

#include "proto/imap/reader.h"
#include "proto/imap/scan.h"

#define LOGGED_IN (IMAP_AUTHENTICATED | IMAP_SELECTED)
#define ALWAYS (IMAP_BEFORE_LOGIN | LOGGED_IN)

struct command_row {
    const char *name;
    unsigned states; /* enum imap_state */
    imap_parser *parse;
    enum {
        PLAIN,
        WITH_UID, /* "UID name" is possible too (RFC 3501 §6.4.8) */
    } form;
};

static const struct command_row table[IMAP_VERB_COUNT] = {
    [IMAP_CAPABILITY] = {"CAPABILITY", ALWAYS, imap_parse_nothing, PLAIN},                     /* RFC 3501 §6.1.1 */
    [IMAP_NOOP] = {"NOOP", ALWAYS, imap_parse_nothing, PLAIN},                                 /* RFC 3501 §6.1.2 */
    [IMAP_LOGOUT] = {"LOGOUT", ALWAYS, imap_parse_nothing, PLAIN},                             /* RFC 3501 §6.1.3 */
    [IMAP_ID] = {"ID", ALWAYS, imap_parse_id, PLAIN},                                          /* RFC 2971 §3.1 */
    [IMAP_STARTTLS] = {"STARTTLS", IMAP_BEFORE_LOGIN, imap_parse_nothing, PLAIN},              /* RFC 3501 §6.2.1 */
    [IMAP_AUTHENTICATE] = {"AUTHENTICATE", IMAP_BEFORE_LOGIN, imap_parse_authenticate, PLAIN}, /* RFC 3501 §6.2.2 */
    [IMAP_LOGIN] = {"LOGIN", IMAP_BEFORE_LOGIN, imap_parse_login, PLAIN},                      /* RFC 3501 §6.2.3 */
    [IMAP_ENABLE] = {"ENABLE", LOGGED_IN, imap_parse_enable, PLAIN},                           /* RFC 5161 §3.1 */
    [IMAP_COMPRESS] = {"COMPRESS", LOGGED_IN, imap_parse_compress, PLAIN},                     /* RFC 4978 §3 */
    [IMAP_UNAUTHENTICATE] = {"UNAUTHENTICATE", LOGGED_IN, imap_parse_nothing, PLAIN},          /* RFC 8437 §3 */
    [IMAP_SELECT] = {"SELECT", LOGGED_IN, imap_parse_select, PLAIN},                           /* RFC 3501 §6.3.1 */
    [IMAP_EXAMINE] = {"EXAMINE", LOGGED_IN, imap_parse_select, PLAIN},                         /* RFC 3501 §6.3.2 */
    [IMAP_CREATE] = {"CREATE", LOGGED_IN, imap_parse_create, PLAIN},                           /* RFC 3501 §6.3.3 */
    [IMAP_DELETE] = {"DELETE", LOGGED_IN, imap_parse_mailbox, PLAIN},                          /* RFC 3501 §6.3.4 */
    [IMAP_RENAME] = {"RENAME", LOGGED_IN, imap_parse_rename, PLAIN},                           /* RFC 3501 §6.3.5 */
    [IMAP_SUBSCRIBE] = {"SUBSCRIBE", LOGGED_IN, imap_parse_mailbox, PLAIN},                    /* RFC 3501 §6.3.6 */
    [IMAP_UNSUBSCRIBE] = {"UNSUBSCRIBE", LOGGED_IN, imap_parse_mailbox, PLAIN},                /* RFC 3501 §6.3.7 */
    [IMAP_LIST] = {"LIST", LOGGED_IN, imap_parse_list, PLAIN},                                 /* RFC 3501 §6.3.8 */
    [IMAP_LSUB] = {"LSUB", LOGGED_IN, imap_parse_lsub, PLAIN},                                 /* RFC 3501 §6.3.9 */
    [IMAP_NAMESPACE] = {"NAMESPACE", LOGGED_IN, imap_parse_nothing, PLAIN},                    /* RFC 2342 §5 */
    [IMAP_STATUS] = {"STATUS", LOGGED_IN, imap_parse_status, PLAIN},                           /* RFC 3501 §6.3.10 */
    [IMAP_GETQUOTA] = {"GETQUOTA", LOGGED_IN, imap_parse_getquota, PLAIN},                     /* RFC 9208 §4.1.1 */
    [IMAP_GETQUOTAROOT] = {"GETQUOTAROOT", LOGGED_IN, imap_parse_mailbox, PLAIN},              /* RFC 9208 §4.1.2 */
    [IMAP_SETQUOTA] = {"SETQUOTA", LOGGED_IN, imap_parse_setquota, PLAIN},                     /* RFC 9208 §4.1.3 */
    [IMAP_SETACL] = {"SETACL", LOGGED_IN, imap_parse_setacl, PLAIN},                           /* RFC 4314 §3.1 */
    [IMAP_DELETEACL] = {"DELETEACL", LOGGED_IN, imap_parse_identifier, PLAIN},                 /* RFC 4314 §3.2 */
    [IMAP_GETACL] = {"GETACL", LOGGED_IN, imap_parse_mailbox, PLAIN},                          /* RFC 4314 §3.3 */
    [IMAP_LISTRIGHTS] = {"LISTRIGHTS", LOGGED_IN, imap_parse_identifier, PLAIN},               /* RFC 4314 §3.4 */
    [IMAP_MYRIGHTS] = {"MYRIGHTS", LOGGED_IN, imap_parse_mailbox, PLAIN},                      /* RFC 4314 §3.5 */
    [IMAP_GETMETADATA] = {"GETMETADATA", LOGGED_IN, imap_parse_getmetadata, PLAIN},            /* RFC 5464 §4.2 */
    [IMAP_SETMETADATA] = {"SETMETADATA", LOGGED_IN, imap_parse_setmetadata, PLAIN},            /* RFC 5464 §4.3 */
    [IMAP_APPEND] = {"APPEND", LOGGED_IN, imap_parse_append, PLAIN},                           /* RFC 3501 §6.3.11 */
    [IMAP_IDLE] = {"IDLE", LOGGED_IN, imap_parse_nothing, PLAIN},                              /* RFC 2177 §3 */
    [IMAP_NOTIFY] = {"NOTIFY", LOGGED_IN, imap_parse_notify, PLAIN},                           /* RFC 5465 §3.1 */
    [IMAP_CHECK] = {"CHECK", IMAP_SELECTED, imap_parse_nothing, PLAIN},                        /* RFC 3501 §6.4.1 */
    [IMAP_CLOSE] = {"CLOSE", IMAP_SELECTED, imap_parse_nothing, PLAIN},                        /* RFC 3501 §6.4.2 */
    [IMAP_UNSELECT] = {"UNSELECT", IMAP_SELECTED, imap_parse_nothing, PLAIN},                  /* RFC 3691 §2 */
    [IMAP_EXPUNGE] = {"EXPUNGE", IMAP_SELECTED, imap_parse_expunge, WITH_UID},                 /* RFC 3501 §6.4.3 */
    [IMAP_SEARCH] = {"SEARCH", IMAP_SELECTED, imap_parse_search, WITH_UID},                    /* RFC 3501 §6.4.4 */
    [IMAP_ESEARCH] = {"ESEARCH", LOGGED_IN, imap_parse_esearch, PLAIN},                        /* RFC 7377 §2.1 */
    [IMAP_CANCELUPDATE] = {"CANCELUPDATE", IMAP_SELECTED, imap_parse_cancelupdate, PLAIN},     /* RFC 5267 §4.3.5 */
    [IMAP_UIDBATCHES] = {"UIDBATCHES", IMAP_SELECTED, imap_parse_uidbatches, PLAIN},           /* RFC 10022 §3 */
    [IMAP_SORT] = {"SORT", IMAP_SELECTED, imap_parse_sort, WITH_UID},                          /* RFC 5256 §3 */
    [IMAP_THREAD] = {"THREAD", IMAP_SELECTED, imap_parse_thread, WITH_UID},                    /* RFC 5256 §3 */
    [IMAP_FETCH] = {"FETCH", IMAP_SELECTED, imap_parse_fetch, WITH_UID},                       /* RFC 3501 §6.4.5 */
    [IMAP_STORE] = {"STORE", IMAP_SELECTED, imap_parse_store, WITH_UID},                       /* RFC 3501 §6.4.6 */
    [IMAP_COPY] = {"COPY", IMAP_SELECTED, imap_parse_copy, WITH_UID},                          /* RFC 3501 §6.4.7 */
    [IMAP_REPLACE] = {"REPLACE", IMAP_SELECTED, imap_parse_replace, WITH_UID},                 /* RFC 8508 §3.2 */
    [IMAP_MOVE] = {"MOVE", IMAP_SELECTED, imap_parse_copy, WITH_UID},                          /* RFC 6851 §3 */
};

bool imap_parse_nothing(struct imap_scan *scan, struct imap_command *command)
{
    (void)command;
    return imap_scan_end(scan);
}

bool imap_parse_mailbox(struct imap_scan *scan, struct imap_command *command)
{
    return imap_scan_space(scan) && imap_scan_mailbox(scan, &command->mailbox) && imap_scan_end(scan);
}

const char *imap_verb_name(enum imap_verb verb)
{
    return verb < IMAP_VERB_COUNT ? table[verb].name : "";
}

static span_t cut_line_end(span_t bytes)
{
    if (bytes.len > 0 && bytes.at[bytes.len - 1] == '\n')
        bytes.len--;
    if (bytes.len > 0 && bytes.at[bytes.len - 1] == '\r')
        bytes.len--;
    return bytes;
}

static const struct command_row *find_row(span_t name, bool uid)
{
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (span_equal_nocase(name, span_of_text(table[i].name)) && (!uid || table[i].form == WITH_UID))
            return &table[i];
    return NULL;
}

int imap_command_parse(span_t bytes, enum imap_state state, struct arena *arena, struct imap_command *ret_command,
                       const char **ret_why)
{
    *ret_command = (struct imap_command){.bytes = bytes, .tag = imap_reader_tag(bytes)};
    struct imap_scan scan = {.rest = cut_line_end(bytes), .arena = arena, .utf8 = (state & IMAP_UTF8) != 0};
    *ret_why = "Missing or bad tag";
    if (span_equal(ret_command->tag, SPAN("*")))
        return IMAP_PARSE_BAD;
    scan.rest = span_from(scan.rest, ret_command->tag.len);
    span_t name = SPAN_NONE;
    *ret_why = "Missing command";
    if (!imap_scan_space(&scan) || !imap_scan_atom(&scan, &name))
        return IMAP_PARSE_BAD;
    if (span_equal_nocase(name, SPAN("UID"))) {
        ret_command->uid = true;
        if (!imap_scan_space(&scan) || !imap_scan_atom(&scan, &name))
            return IMAP_PARSE_BAD;
    }
    const struct command_row *row = find_row(name, ret_command->uid);
    *ret_why = "Unknown command";
    if (row == NULL)
        return IMAP_PARSE_UNKNOWN;
    ret_command->verb = (enum imap_verb)(row - table);
    *ret_why = (state & IMAP_BEFORE_LOGIN) != 0 ? "Log in first" : "Select a mailbox first";
    if ((row->states & state) == 0) {
        if (row->states == IMAP_BEFORE_LOGIN)
            *ret_why = "Already logged in";
        return IMAP_PARSE_STATE;
    }
    if (row->parse(&scan, ret_command))
        return IMAP_PARSE_OK;
    *ret_why = scan.why != NULL ? scan.why : "Bad arguments";
    return scan.fault < 0 ? scan.fault : IMAP_PARSE_BAD;
}
