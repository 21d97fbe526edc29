#include "role/supervisor/portowner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"

#define PIECE 4096U
#define LISTENS "0A"
#define WORDS 8U /* sl, local, remote, state, queues, timer, retransmits, uid */

/* An address in those tables: 32-bit words in the byte order of this machine, as hexadecimal digits. */
static bool reaches_loopback(span_t address)
{
    static const span_t them[] = {
        {(const uint8_t *)"0100007F", 8},                          /* 127.0.0.1 */
        {(const uint8_t *)"00000000", 8},                          /* any */
        {(const uint8_t *)"0000000000000000FFFF00000100007F", 32}, /* ::ffff:127.0.0.1 */
        {(const uint8_t *)"0000000000000000FFFF000000000000", 32}, /* ::ffff:0.0.0.0 */
        {(const uint8_t *)"00000000000000000000000000000000", 32}, /* any, of both kinds */
    };
    for (size_t at = 0; at < COUNT_OF(them); at++)
        if (span_equal_nocase(address, them[at]))
            return true;
    return false;
}

static bool is_port(span_t text, uint16_t port)
{
    uint32_t value = 0;
    for (size_t at = 0; at < text.len && at < 4; at++) {
        int digit = ascii_hex_value(text.at[at]);
        if (digit < 0)
            return false;
        value = value * 16 + (uint32_t)digit;
    }
    return text.len == 4 && value == port;
}

static size_t cut_words(span_t line, span_t words[WORDS])
{
    size_t count = 0;
    while (count < WORDS && (line = span_trim(line)).len > 0) {
        const size_t len = span_find_byte(line, ' ');
        words[count++] = span_upto(line, len);
        line = span_from(line, len);
    }
    return count;
}

static void add(struct port_owners *owners, uid_t user)
{
    for (size_t at = 0; at < owners->count; at++)
        if (owners->users[at] == user)
            return;
    if (owners->count < PORT_OWNERS_MAX)
        owners->users[owners->count++] = user;
}

bool port_owners_note(struct port_owners *owners, span_t line, uint16_t port)
{
    span_t words[WORDS];
    uint64_t user;
    if (cut_words(line, words) < WORDS || !span_equal(words[3], SPAN(LISTENS)))
        return span_starts(span_trim(line), SPAN("sl")); /* the head of the table */
    const size_t colon = span_find_byte(words[1], ':');
    if (is_port(span_from(words[1], colon + 1), port) && reaches_loopback(span_upto(words[1], colon)) &&
        span_to_u64(words[7], UINT32_MAX, &user) == 0)
        add(owners, (uid_t)user);
    return true;
}

/* Piece by piece, as the kernel makes the table while it is read: those who listen cost little, whatever number of
 * connections stand behind them. */
static int read_table(const char *path, uint16_t port, struct port_owners *owners)
{
    char piece[PIECE];
    size_t held = 0;
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno; /* a kernel without IPv6 */
    for (;;) {
        ssize_t got = read(fd, piece + held, sizeof(piece) - held);
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0;
        span_t rest = span_of(piece, held + (size_t)got);
        for (size_t end = span_find_byte(rest, '\n'); end < rest.len; end = span_find_byte(rest, '\n')) {
            if (!port_owners_note(owners, span_upto(rest, end), port))
                return 0;
            rest = span_from(rest, end + 1);
        }
        held = rest.len;
        if (held == sizeof(piece))
            return -EBADMSG;
        memmove(piece, rest.at, held);
    }
}

int port_owners_find(uint16_t port, struct port_owners *ret_owners)
{
    *ret_owners = (struct port_owners){0};
    int result = read_table("/proc/net/tcp", port, ret_owners);
    return result == 0 ? read_table("/proc/net/tcp6", port, ret_owners) : result;
}
