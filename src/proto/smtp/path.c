#include "proto/smtp/path.h"

#include <arpa/inet.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at the front (RFC 3629 §4), or 0. ASCII does not count. */
static size_t utf8_sequence(span_t text)
{
    uint8_t lead = text.len > 0 ? text.at[0] : 0;
    size_t len = lead >= 0xc2 && lead <= 0xdf   ? 2
                 : lead >= 0xe0 && lead <= 0xef ? 3
                 : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                : 0;
    if (len == 0 || text.len < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((text.at[i] & 0xc0) != 0x80)
            return 0;
    uint8_t next = text.at[1];
    bool is_bad = (lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f) || (lead == 0xf0 && next < 0x90) ||
                  (lead == 0xf4 && next > 0x8f);
    return is_bad ? 0 : len;
}

/* RFC 5322 §3.2.3 */
static bool is_atext(uint8_t byte)
{
    return ascii_is_alpha(byte) || ascii_is_digit(byte) || (byte != 0 && strchr("!#$%&'*+-/=?^_`{|}~", byte) != NULL);
}

/* RFC 5321 §4.1.2: Dot-string; RFC 6531 §3.3 adds UTF-8. */
static bool is_dot_string(span_t local)
{
    bool after_dot = true;
    for (size_t i = 0; i < local.len;) {
        if (local.at[i] == '.') {
            if (after_dot)
                return false;
            after_dot = true;
            i++;
            continue;
        }
        size_t step = is_atext(local.at[i]) ? 1 : utf8_sequence(span_from(local, i));
        if (step == 0)
            return false;
        after_dot = false;
        i += step;
    }
    return local.len > 0 && !after_dot;
}

static bool path_add(struct smtp_path *path, span_t bytes)
{
    if (bytes.len > sizeof(path->text) - path->len)
        return false;
    if (bytes.len > 0)
        memcpy(path->text + path->len, bytes.at, bytes.len);
    for (size_t i = 0; i < bytes.len; i++)
        path->is_utf8 |= bytes.at[i] >= 0x80;
    path->len += bytes.len;
    return true;
}

/* Writes an unquoted local part in its one spelling. */
static bool path_add_local(struct smtp_path *path, span_t local)
{
    if (local.len > SMTP_LOCAL_MAX)
        return false;
    bool added = true;
    if (is_dot_string(local)) {
        added = path_add(path, local);
    } else {
        added = path_add(path, SPAN("\""));
        for (size_t i = 0; added && i < local.len; i++) {
            if (local.at[i] == '"' || local.at[i] == '\\')
                added = path_add(path, SPAN("\\"));
            added = added && path_add(path, span_slice(local, i, 1));
        }
        added = added && path_add(path, SPAN("\""));
    }
    path->local_len = path->len;
    return added;
}

/* RFC 5321 §4.1.2: Quoted-string; takes it off *rest, unquoted into unquoted. */
static bool take_quoted(span_t *rest, uint8_t unquoted[SMTP_LOCAL_MAX], size_t *ret_len)
{
    size_t at = 1;
    size_t len = 0;
    while (at < rest->len && rest->at[at] != '"') {
        size_t step = 1;
        if (rest->at[at] == '\\') {
            at++;
            if (at == rest->len || rest->at[at] < 0x20 || rest->at[at] > 0x7e)
                return false;
        } else if (rest->at[at] >= 0x80) {
            step = utf8_sequence(span_from(*rest, at));
        } else if (rest->at[at] < 0x20 || rest->at[at] == 0x7f) {
            return false;
        }
        if (step == 0 || len + step > SMTP_LOCAL_MAX)
            return false;
        memcpy(unquoted + len, rest->at + at, step);
        len += step;
        at += step;
    }
    if (at == rest->len)
        return false;
    *rest = span_from(*rest, at + 1);
    *ret_len = len;
    return true;
}

static bool take_local(span_t *rest, struct smtp_path *path)
{
    if (rest->len > 0 && rest->at[0] == '"') {
        uint8_t unquoted[SMTP_LOCAL_MAX];
        size_t len = 0;
        return take_quoted(rest, unquoted, &len) && path_add_local(path, span_of(unquoted, len));
    }
    size_t len = 0;
    while (len < rest->len && rest->at[len] != '@' && rest->at[len] != '>')
        len++;
    span_t local = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    return is_dot_string(local) && path_add_local(path, local);
}

bool smtp_domain_is_valid(span_t domain, bool *ret_is_utf8)
{
    size_t label = 0;
    bool is_utf8 = false;
    if (domain.len == 0 || domain.len > SMTP_DOMAIN_MAX)
        return false;
    for (size_t i = 0; i < domain.len;) {
        uint8_t byte = domain.at[i];
        size_t step = 1;
        if (byte == '.') {
            if (label == 0 || domain.at[i - 1] == '-')
                return false;
            label = 0;
            i++;
            continue;
        }
        if (byte >= 0x80) {
            step = utf8_sequence(span_from(domain, i));
            is_utf8 = true;
        } else if (byte == '-') {
            step = label > 0;
        } else if (!ascii_is_alpha(byte) && !ascii_is_digit(byte) && byte != '_') {
            step = 0;
        }
        if (step == 0 || label + step > 63U * (is_utf8 ? 4U : 1U))
            return false;
        label += step;
        i += step;
    }
    *ret_is_utf8 = is_utf8;
    return label > 0 && domain.at[domain.len - 1] != '-';
}

/* RFC 5321 §4.1.3 */
bool smtp_literal_is_valid(span_t literal)
{
    if (literal.len < 2 || literal.at[0] != '[' || literal.at[literal.len - 1] != ']')
        return false;
    span_t inside = span_slice(literal, 1, literal.len - 2);
    int family = AF_INET;
    if (span_starts_nocase(inside, SPAN("IPv6:"))) {
        family = AF_INET6;
        inside = span_from(inside, 5);
    }
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (inside.len == 0 || inside.len >= sizeof(text))
        return false;
    memcpy(text, inside.at, inside.len);
    text[inside.len] = '\0';
    return span_find_byte(inside, 0) == inside.len && inet_pton(family, text, &address) == 1;
}

static bool path_add_domain(struct smtp_path *path, span_t domain)
{
    bool is_utf8 = false;
    path->is_literal = domain.len > 0 && domain.at[0] == '[';
    bool is_valid = path->is_literal ? smtp_literal_is_valid(domain) : smtp_domain_is_valid(domain, &is_utf8);
    return is_valid && path_add(path, SPAN("@")) && path_add(path, domain);
}

/* "@one,@two:" in front of a mailbox is accepted and ignored (RFC 5321 §4.1.1.3, appendix C). */
static bool drop_route(span_t *rest)
{
    if (rest->len == 0 || rest->at[0] != '@')
        return true;
    size_t colon = span_find_byte(*rest, ':');
    if (colon == rest->len)
        return false;
    span_t route = span_upto(*rest, colon);
    span_t hop;
    bool is_utf8;
    while (span_cut(&route, ',', &hop))
        if (hop.len < 2 || hop.at[0] != '@' || !smtp_domain_is_valid(span_from(hop, 1), &is_utf8))
            return false;
    *rest = span_from(*rest, colon + 1);
    return true;
}

static enum smtp_parse take_mailbox(span_t *rest, struct smtp_path *path)
{
    if (!drop_route(rest) || !take_local(rest, path))
        return SMTP_PARSE_ADDRESS;
    if (rest->len == 0 || rest->at[0] != '@') /* "<Postmaster>" (RFC 5321 §4.1.1.3) */
        return span_equal_nocase(smtp_path_local(path), SPAN("postmaster")) ? SMTP_PARSE_OK : SMTP_PARSE_ADDRESS;
    *rest = span_from(*rest, 1);
    size_t len = 0;
    while (len < rest->len && rest->at[len] != '>')
        len++;
    span_t domain = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    return path_add_domain(path, domain) ? SMTP_PARSE_OK : SMTP_PARSE_ADDRESS;
}

enum smtp_parse smtp_path_take(span_t *rest, struct smtp_path *ret_path)
{
    memset(ret_path, 0, offsetof(struct smtp_path, text));
    if (rest->len < 2 || rest->at[0] != '<')
        return SMTP_PARSE_ADDRESS;
    *rest = span_from(*rest, 1);
    if (rest->at[0] == '>') {
        ret_path->is_null = true;
        *rest = span_from(*rest, 1);
        return SMTP_PARSE_OK;
    }
    enum smtp_parse parse = take_mailbox(rest, ret_path);
    if (parse != SMTP_PARSE_OK || rest->len == 0 || rest->at[0] != '>')
        return SMTP_PARSE_ADDRESS;
    *rest = span_from(*rest, 1);
    return SMTP_PARSE_OK;
}

enum smtp_parse smtp_address_parse(span_t text, struct smtp_path *ret_path)
{
    memset(ret_path, 0, offsetof(struct smtp_path, text));
    span_t rest = text;
    enum smtp_parse parse = take_mailbox(&rest, ret_path);
    return parse == SMTP_PARSE_OK && rest.len == 0 ? SMTP_PARSE_OK : SMTP_PARSE_ADDRESS;
}

span_t smtp_path_address(const struct smtp_path *path)
{
    return span_of(path->text, path->len);
}

span_t smtp_path_local(const struct smtp_path *path)
{
    return span_of(path->text, path->local_len);
}

span_t smtp_path_domain(const struct smtp_path *path)
{
    return path->local_len < path->len ? span_from(smtp_path_address(path), path->local_len + 1) : SPAN_NONE;
}
