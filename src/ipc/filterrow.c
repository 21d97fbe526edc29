#include "ipc/filterrow.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

#define NUMBERS 8U

const char *filter_kind_name(enum filter_kind kind)
{
    static const char *const names[FILTER_KIND_COUNT] = {
        [FILTER_RSPAMD] = "rspamd", [FILTER_CLAMD] = "clamd", [FILTER_DNSBL] = "dnsbl", [FILTER_GREYLIST] = "greylist",
        [FILTER_TURN] = "turn",     [FILTER_HELO] = "helo",   [FILTER_RATES] = "rates",
    };
    return names[kind];
}

void filter_version_set(char version[FILTER_VERSION_MAX], span_t text)
{
    size_t len = 0;
    for (size_t at = 0; at < text.len && len + 1 < FILTER_VERSION_MAX; at++) {
        uint8_t byte = text.at[at];
        if ((ascii_is_print(byte) || byte == ' ') && byte != '"' && byte != '\\')
            version[len++] = (char)byte;
    }
    memset(version + len, 0, FILTER_VERSION_MAX - len);
}

void filter_row_put(uint8_t at[FILTER_ROW_SIZE], const struct filter_row *row)
{
    const uint64_t numbers[NUMBERS] = {row->since,   row->asked,    row->passed, row->junked,
                                       row->refused, row->deferred, row->failed, row->microseconds};
    at[0] = (uint8_t)row->kind;
    at[1] = (uint8_t)row->standing;
    for (size_t i = 0; i < NUMBERS; i++)
        bytes_put_u64(at + 2 + 8 * i, numbers[i]);
    memcpy(at + 2 + 8 * NUMBERS, row->version, FILTER_VERSION_MAX);
}

int filter_row_get(const uint8_t at[FILTER_ROW_SIZE], struct filter_row *ret_row)
{
    const uint8_t *version = at + 2 + 8 * NUMBERS;
    if (at[0] >= FILTER_KIND_COUNT || at[1] >= FILTER_STANDING_COUNT)
        return -EBADMSG;
    *ret_row = (struct filter_row){
        .kind = (enum filter_kind)at[0],
        .standing = (enum filter_standing)at[1],
        .since = bytes_get_u64(at + 2),
        .asked = bytes_get_u64(at + 10),
        .passed = bytes_get_u64(at + 18),
        .junked = bytes_get_u64(at + 26),
        .refused = bytes_get_u64(at + 34),
        .deferred = bytes_get_u64(at + 42),
        .failed = bytes_get_u64(at + 50),
        .microseconds = bytes_get_u64(at + 58),
    };
    const span_t text = span_of(version, FILTER_VERSION_MAX);
    filter_version_set(ret_row->version, span_upto(text, span_find_byte(text, 0)));
    return 0;
}

void filter_row_add(struct filter_row *sum, const struct filter_row *row)
{
    if (row->standing > sum->standing ||
        (row->standing == sum->standing && row->since > 0 && row->since < sum->since)) {
        sum->standing = row->standing;
        sum->since = row->since;
    }
    if (sum->version[0] == '\0')
        memcpy(sum->version, row->version, sizeof(sum->version));
    sum->asked += row->asked;
    sum->passed += row->passed;
    sum->junked += row->junked;
    sum->refused += row->refused;
    sum->deferred += row->deferred;
    sum->failed += row->failed;
    sum->microseconds += row->microseconds;
}
