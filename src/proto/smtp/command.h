#pragma once

#include <stdbool.h>

#include "base/span.h"

/*
 * The grammar of SMTP commands (RFC 5321 §4.1.1, §4.1.2): one line to one struct. Pure; knows nothing of states.
 */

/* The longest command line, CRLF included: 512 (RFC 5321 §4.5.3.1.4) and what the extensions add: SIZE 26
 * (RFC 1870 §3), BODY and SMTPUTF8 (RFC 6152 §2, RFC 6531 §3.4), NOTIFY, ORCPT, RET and ENVID 28, 500, 8 and 107
 * (RFC 3461 §4), HOLDFOR or HOLDUNTIL 34 (RFC 4865 §3), AUTH 500 and an initial response of 12288 (RFC 4954 §4.3). */
#define SMTP_LINE_MAX 4096U
#define SMTP_AUTH_LINE_MAX 12288U
/* A path is 256 octets (RFC 5321 §4.5.3.1.3); internationalised ones may need more. */
#define SMTP_ADDRESS_MAX 512U
#define SMTP_LOCAL_MAX 256U  /* 64 by RFC 5321 §4.5.3.1.1, which asks to accept longer ones where possible */
#define SMTP_DOMAIN_MAX 255U /* RFC 5321 §4.5.3.1.2 */

enum smtp_verb {
    SMTP_EHLO,
    SMTP_HELO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_BDAT,
    SMTP_RSET,
    SMTP_NOOP,
    SMTP_QUIT,
    SMTP_VRFY,
    SMTP_EXPN,
    SMTP_HELP,
    SMTP_STARTTLS,
    SMTP_AUTH,
    SMTP_VERB_COUNT,
};

/* A forward- or reverse-path, source route dropped (RFC 5321 §4.1.1.3, appendix C). */
struct smtp_path {
    bool is_null;    /* <> */
    bool is_literal; /* the domain is an address literal such as [192.0.2.1] (RFC 5321 §4.1.3) */
    bool is_utf8;    /* holds bytes outside ASCII, all of it valid UTF-8 (RFC 6531 §3.3) */
    size_t local_len;
    size_t len;
    /* local part '@' domain; a quoted local part in its shortest form: without quotes where it needs none, so that
     * one mailbox has one spelling. "<postmaster>" alone has no '@' (RFC 5321 §4.5.1). */
    uint8_t text[SMTP_ADDRESS_MAX];
};

span_t smtp_path_address(const struct smtp_path *path); /* into path */
span_t smtp_path_local(const struct smtp_path *path);
span_t smtp_path_domain(const struct smtp_path *path);

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BIT, SMTP_BODY_BINARY };

/* RFC 3461 §4.1; 0 where nothing was said. */
enum smtp_notify { SMTP_NOTIFY_NEVER = 1, SMTP_NOTIFY_SUCCESS = 2, SMTP_NOTIFY_FAILURE = 4, SMTP_NOTIFY_DELAY = 8 };
#define SMTP_ORCPT_MAX 500U                                                  /* RFC 3461 §4.2 */
#define SMTP_ENVID_MAX 100U                                                  /* RFC 3461 §4.4 */
enum smtp_return { SMTP_RETURN_ANY, SMTP_RETURN_FULL, SMTP_RETURN_HEADERS }; /* RFC 3461 §4.3 */

struct smtp_command {
    enum smtp_verb verb;
    span_t argument; /* EHLO, HELO: the name; AUTH: the mechanism; VRFY, EXPN, HELP, NOOP: the rest. Into the line */
    struct smtp_path path; /* MAIL, RCPT */
    bool has_size;
    uint64_t size;        /* MAIL SIZE= (RFC 1870 §6); BDAT: the chunk's (RFC 3030 §2) */
    enum smtp_body body;  /* MAIL BODY= (RFC 6152 §2, RFC 3030 §3) */
    bool utf8;            /* MAIL SMTPUTF8 (RFC 6531 §3.4) */
    bool require_tls;     /* MAIL REQUIRETLS (RFC 8689 §2) */
    enum smtp_return ret; /* MAIL RET= */
    span_t envid;         /* MAIL ENVID=, as xtext. Into the line */
    uint64_t hold_for;    /* MAIL HOLDFOR= (RFC 4865 §3), seconds; 0: not said */
    int64_t hold_until;   /* MAIL HOLDUNTIL=, seconds since 1970; 0: not said */
    unsigned notify;      /* RCPT NOTIFY= */
    span_t orcpt;         /* RCPT ORCPT=, type and xtext. Into the line */
    bool last;            /* BDAT LAST */
    bool has_initial;     /* AUTH came with an initial response */
    span_t initial;       /* as it stands, "=" for an empty one (RFC 4954 §4). Into the line */
};

enum smtp_parse {
    SMTP_PARSE_OK,
    SMTP_PARSE_UNKNOWN,      /* 500: no such command */
    SMTP_PARSE_SYNTAX,       /* 501: known, but its argument is not */
    SMTP_PARSE_ADDRESS,      /* 501: the address is malformed */
    SMTP_PARSE_PARAMETER,    /* 555: a MAIL or RCPT parameter nobody announced */
    SMTP_PARSE_BARE_NEWLINE, /* 500: the line does not end in CRLF, or has a CR, LF or NUL in it */
};

/*
 * Parses one line, CRLF included, into *ret_command, whose verb is set on every outcome but SMTP_PARSE_UNKNOWN and
 * SMTP_PARSE_BARE_NEWLINE, and the rest only on SMTP_PARSE_OK. A line that ends in a bare LF is refused (RFC 5321
 * §2.3.8), so that no two servers see two different commands. Parameters known: those of the fields above, and AUTH
 * (RFC 4954 §5; its value is checked to be xtext, then ignored, RFC 4954 §5 (4)). Others are refused (RFC 5321
 * §4.1.1.11).
 */
MUST_USE enum smtp_parse smtp_command_parse(span_t line, struct smtp_command *ret_command);

/* Is this an address as MAIL and RCPT take it, without the angle brackets? For what comes from elsewhere. */
MUST_USE enum smtp_parse smtp_address_parse(span_t text, struct smtp_path *ret_path);
