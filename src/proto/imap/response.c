#include "proto/imap/response.h"

#include <time.h>

#include "proto/imap/mailbox.h"

struct capability {
    const char *name;
    unsigned states;   /* enum imap_state */
    unsigned needs;    /* enum imap_capability_flag: all of them */
    unsigned excludes; /* none of them */
};

#define LOGGED_IN (IMAP_AUTHENTICATED | IMAP_SELECTED)
#define ALWAYS (IMAP_BEFORE_LOGIN | LOGGED_IN)

static const struct capability capabilities[] = {
    {"IMAP4rev1", ALWAYS, 0, 0},                                                 /* RFC 3501 §7.2.1 */
    {"LITERAL+", ALWAYS, 0, 0},                                                  /* RFC 7888 §4 */
    {"SASL-IR", IMAP_BEFORE_LOGIN, 0, 0},                                        /* RFC 4959 §2 */
    {"ID", ALWAYS, 0, 0},                                                        /* RFC 2971 §3 */
    {"ENABLE", ALWAYS, 0, 0},                                                    /* RFC 5161 §3 */
    {"IDLE", ALWAYS, 0, 0},                                                      /* RFC 2177 §3 */
    {"STARTTLS", IMAP_BEFORE_LOGIN, IMAP_CAN_STARTTLS, 0},                       /* RFC 3501 §6.2.1 */
    {"LOGINDISABLED", IMAP_BEFORE_LOGIN, 0, IMAP_CAN_LOGIN},                     /* RFC 3501 §6.2.3 */
    {"AUTH=PLAIN", IMAP_BEFORE_LOGIN, IMAP_CAN_LOGIN, 0},                        /* RFC 3501 §6.2.2 */
    {"AUTH=LOGIN", IMAP_BEFORE_LOGIN, IMAP_CAN_LOGIN, 0},                        /* for old clients */
    {"AUTH=SCRAM-SHA-256", IMAP_BEFORE_LOGIN, IMAP_CAN_LOGIN, IMAP_HIDES_SCRAM}, /* RFC 7677 §3 */
    {"AUTH=SCRAM-SHA-256-PLUS", IMAP_BEFORE_LOGIN, IMAP_CAN_LOGIN | IMAP_CAN_PLUS, IMAP_HIDES_SCRAM},
    {"IMAP4rev2", ALWAYS, 0, 0},                /* RFC 9051 §7.2.2 */
    {"UIDPLUS", LOGGED_IN, 0, 0},               /* RFC 4315 §1 */
    {"MOVE", LOGGED_IN, 0, 0},                  /* RFC 6851 §3 */
    {"NAMESPACE", LOGGED_IN, 0, 0},             /* RFC 2342 §5 */
    {"CHILDREN", LOGGED_IN, 0, 0},              /* RFC 3348 §3 */
    {"SPECIAL-USE", LOGGED_IN, 0, 0},           /* RFC 6154 §2 */
    {"CREATE-SPECIAL-USE", LOGGED_IN, 0, 0},    /* RFC 6154 §3 */
    {"UNSELECT", LOGGED_IN, 0, 0},              /* RFC 3691 §2 */
    {"ESEARCH", LOGGED_IN, 0, 0},               /* RFC 4731 §3 */
    {"CONDSTORE", LOGGED_IN, 0, 0},             /* RFC 7162 §3.1 */
    {"QRESYNC", LOGGED_IN, 0, 0},               /* RFC 7162 §3.2 */
    {"SEARCHRES", LOGGED_IN, 0, 0},             /* RFC 5182 §2 */
    {"PREVIEW", LOGGED_IN, 0, 0},               /* RFC 8970 §3 */
    {"SEARCH=FUZZY", LOGGED_IN, 0, 0},          /* RFC 6203 §3 */
    {"SORT", LOGGED_IN, 0, 0},                  /* RFC 5256 §1 */
    {"SORT=DISPLAY", LOGGED_IN, 0, 0},          /* RFC 5957 §3 */
    {"ESORT", LOGGED_IN, 0, 0},                 /* RFC 5267 §3.1 */
    {"THREAD=ORDEREDSUBJECT", LOGGED_IN, 0, 0}, /* RFC 5256 §1 */
    {"THREAD=REFERENCES", LOGGED_IN, 0, 0},     /* RFC 5256 §1 */
    {"LIST-EXTENDED", LOGGED_IN, 0, 0},         /* RFC 5258 §3 */
    {"LIST-STATUS", LOGGED_IN, 0, 0},           /* RFC 5819 §2 */
    {"STATUS=SIZE", LOGGED_IN, 0, 0},           /* RFC 8438 §3 */
    {"QUOTA", LOGGED_IN, 0, 0},                 /* RFC 9208 §3.1 */
    {"QUOTA=RES-STORAGE", LOGGED_IN, 0, 0},     /* RFC 9208 §5.1 */
    {"ACL", LOGGED_IN, 0, 0},                   /* RFC 4314 §3 */
    {"RIGHTS=texk", LOGGED_IN, 0, 0},           /* RFC 4314 §2.2 */
    {"LIST-MYRIGHTS", LOGGED_IN, 0, 0},         /* RFC 8440 §3 */
    {"METADATA", LOGGED_IN, 0, 0},              /* RFC 5464 §1 */
    {"LIST-METADATA", LOGGED_IN, 0, 0},         /* RFC 9590 §3 */
    {"COMPRESS=DEFLATE", LOGGED_IN, 0, 0},      /* RFC 4978 §2 */
    {"UNAUTHENTICATE", LOGGED_IN, 0, 0},        /* RFC 8437 §2 */
    {"NOTIFY", LOGGED_IN, 0, 0},                /* RFC 5465 §3 */
    {"CONTEXT=SEARCH", LOGGED_IN, 0, 0},        /* RFC 5267 §4 */
    {"CONTEXT=SORT", LOGGED_IN, 0, 0},          /* RFC 5267 §4 */
    {"UIDBATCHES", LOGGED_IN, 0, 0},            /* RFC 10022 §3 */
    {"MULTISEARCH", LOGGED_IN, 0, 0},           /* RFC 7377 §2 */
    {"INPROGRESS", LOGGED_IN, 0, 0},            /* RFC 9585 §3 */
    {"UIDONLY", LOGGED_IN, 0, 0},               /* RFC 9586 §3.1 */
    {"WITHIN", LOGGED_IN, 0, 0},                /* RFC 5032 §3 */
    {"PARTIAL", LOGGED_IN, 0, 0},               /* RFC 9394 §3 */
    {"SAVEDATE", LOGGED_IN, 0, 0},              /* RFC 8514 §4.1 */
    {"MULTIAPPEND", LOGGED_IN, 0, 0},           /* RFC 3502 §6.3.11 */
    {"CATENATE", LOGGED_IN, 0, 0},              /* RFC 4469 §2 */
    {"URL-PARTIAL", LOGGED_IN, 0, 0},           /* RFC 5550 §5.7.1 */
    {"REPLACE", LOGGED_IN, 0, 0},               /* RFC 8508 §3.1 */
    {"OBJECTID", LOGGED_IN, 0, 0},              /* RFC 8474 §3 */
    {"BINARY", LOGGED_IN, 0, 0},                /* RFC 3516 §4 */
    {"UTF8=ACCEPT", LOGGED_IN, 0, 0},           /* RFC 6855 §3 */
};

void imap_capabilities(struct buf *out, enum imap_state state, unsigned flags)
{
    for (size_t i = 0; i < COUNT_OF(capabilities); i++) {
        const struct capability *row = &capabilities[i];
        if ((row->states & state) == 0 || (row->needs & flags) != row->needs || (row->excludes & flags) != 0)
            continue;
        if (i > 0)
            buf_append_byte(out, ' ');
        buf_append_text(out, row->name);
    }
}

void imap_write_quoted(struct buf *out, span_t text)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, text.at[i]);
    }
    buf_append_byte(out, '"');
}

void imap_write_literal(struct buf *out, span_t bytes)
{
    buf_append_byte(out, '{');
    buf_append_u64(out, bytes.len);
    buf_append_text(out, "}\r\n");
    buf_append(out, bytes);
}

/* RFC 3501 §9: QUOTED-CHAR is TEXT-CHAR, 7-bit and neither CR, LF nor NUL. Long ones are better off as literals. */
static bool fits_quoted(span_t bytes)
{
    if (bytes.len > 1024)
        return false;
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.at[i] == 0 || bytes.at[i] == '\r' || bytes.at[i] == '\n' || bytes.at[i] >= 0x80)
            return false;
    return true;
}

void imap_write_string(struct buf *out, span_t bytes)
{
    if (fits_quoted(bytes))
        imap_write_quoted(out, bytes);
    else
        imap_write_literal(out, bytes);
}

void imap_write_nstring(struct buf *out, span_t bytes)
{
    if (bytes.at == NULL)
        buf_append_text(out, "NIL");
    else
        imap_write_string(out, bytes);
}

static bool is_plain_atom(span_t bytes)
{
    if (bytes.len == 0 || bytes.len > 256 || span_equal_nocase(bytes, SPAN("NIL")))
        return false;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.at[i];
        bool plain = ascii_is_digit(byte) || ascii_is_alpha(byte) || byte == '-' || byte == '_' || byte == '.' ||
                     byte == '/' || byte == '&' || byte == '+' || byte == ',';
        if (!plain)
            return false;
    }
    return true;
}

void imap_write_astring(struct buf *out, span_t bytes)
{
    if (is_plain_atom(bytes))
        buf_append(out, bytes);
    else
        imap_write_string(out, bytes);
}

void imap_write_mailbox(struct buf *out, span_t utf8)
{
    struct buf wire AUTO_BUF;
    buf_init(&wire, 8 * IMAP_MAILBOX_MAX);
    imap_mailbox_encode(utf8, &wire);
    if (buf_fault(&wire) < 0)
        out->fault = buf_fault(&wire);
    else
        imap_write_astring(out, buf_span(&wire));
}

void imap_write_mailbox_utf8(struct buf *out, span_t utf8)
{
    if (is_plain_atom(utf8))
        buf_append(out, utf8);
    else
        imap_write_quoted(out, utf8);
}

void imap_write_status(struct buf *out, span_t tag, const char *status, const char *text)
{
    buf_append(out, tag);
    buf_append_byte(out, ' ');
    buf_append_text(out, status);
    buf_append_byte(out, ' ');
    buf_append_text(out, text);
    buf_append_text(out, "\r\n");
}

static void put_two(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)('0' + value / 10 % 10);
    at[1] = (uint8_t)('0' + value % 10);
}

size_t imap_put_date_time(uint8_t at[IMAP_DATE_TIME_LEN], int64_t seconds)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const uint8_t model[IMAP_DATE_TIME_LEN] = "\"17-Jul-1996 02:44:25 +0000\"";
    for (size_t i = 0; i < IMAP_DATE_TIME_LEN; i++)
        at[i] = model[i];
    time_t when = (time_t)seconds;
    struct tm parts = {0};
    if (gmtime_r(&when, &parts) == NULL || parts.tm_year < -1900 || parts.tm_year > 8099)
        return IMAP_DATE_TIME_LEN;
    put_two(at + 1, (unsigned)parts.tm_mday);
    if (at[1] == '0')
        at[1] = ' '; /* RFC 3501 §9: date-day-fixed */
    for (int i = 0; i < 3; i++)
        at[4 + i] = (uint8_t)months[3 * parts.tm_mon + i];
    unsigned year = (unsigned)parts.tm_year + 1900;
    put_two(at + 8, year / 100);
    put_two(at + 10, year % 100);
    put_two(at + 13, (unsigned)parts.tm_hour);
    put_two(at + 16, (unsigned)parts.tm_min);
    put_two(at + 19, (unsigned)parts.tm_sec);
    return IMAP_DATE_TIME_LEN;
}

void imap_write_date_time(struct buf *out, int64_t seconds)
{
    uint8_t text[IMAP_DATE_TIME_LEN];
    buf_append(out, span_of(text, imap_put_date_time(text, seconds)));
}

size_t imap_put_u64(uint8_t at[20], uint64_t value)
{
    uint8_t digits[20];
    size_t len = 0;
    do
        digits[len++] = (uint8_t)('0' + value % 10);
    while ((value /= 10) > 0);
    for (size_t i = 0; i < len; i++)
        at[i] = digits[len - 1 - i];
    return len;
}
