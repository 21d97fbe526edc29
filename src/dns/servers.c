#include "dns/servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"

static bool is_address(const char *text)
{
    uint8_t address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* ADDRESS or ADDRESS@PORT. */
static int add_server(struct dns_servers *servers, span_t word)
{
    char address[INET6_ADDRSTRLEN];
    const size_t at = span_find_byte(word, '@');
    const span_t name = span_upto(word, at);
    uint64_t port = DNS_PORT;
    if (name.len == 0 || name.len >= sizeof(address) || span_find_byte(name, '\0') < name.len)
        return -EINVAL;
    memcpy(address, name.at, name.len);
    address[name.len] = '\0';
    if (!is_address(address))
        return -EINVAL;
    if (at < word.len && (span_to_u64(span_from(word, at + 1), UINT16_MAX, &port) < 0 || port == 0))
        return -EINVAL;
    if (servers->count == DNS_SERVERS_MAX)
        return -EINVAL;
    struct dns_server *server = &servers->servers[servers->count++];
    server->port = (uint16_t)port;
    (void)snprintf(server->text, sizeof(server->text), "%s@%u", address, (unsigned)port);
    return 0;
}

/* The words of a line are parted by spaces and tabs. */
static span_t next_word(span_t *line)
{
    *line = span_trim(*line);
    size_t len = 0;
    while (len < line->len && !ascii_is_space(line->at[len]))
        len++;
    const span_t word = span_upto(*line, len);
    *line = span_from(*line, len);
    return word;
}

static void add_system(struct dns_servers *servers, span_t text)
{
    for (span_t line; span_cut(&text, '\n', &line);) {
        if (!span_equal(next_word(&line), SPAN("nameserver")))
            continue;
        const span_t word = next_word(&line);
        if (span_find_byte(word, '@') == word.len)
            (void)add_server(servers, word);
    }
}

int dns_servers_read(const char *setting, span_t system_text, struct dns_servers *ret_servers)
{
    struct dns_servers servers = {.way = DNS_WAY_FORWARD};
    const span_t words = span_trim(span_of_text(setting));
    if (span_equal_nocase(words, SPAN("recursive"))) {
        servers.way = DNS_WAY_RECURSE;
    } else if (span_equal_nocase(words, SPAN("system"))) {
        add_system(&servers, system_text);
        servers.way = servers.count > 0 ? DNS_WAY_FIND_OUT : DNS_WAY_RECURSE;
    } else {
        for (span_t rest = words, word; conf_next_word(&rest, &word);)
            if (add_server(&servers, word) < 0)
                return -EINVAL;
        if (servers.count == 0)
            return -EINVAL;
    }
    *ret_servers = servers;
    return 0;
}
