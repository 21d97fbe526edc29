#include "tool/transfer/eml.h"

#include <errno.h>
#include <time.h>

#include "mime/date.h"

#define TIME_LEN 20U

static int number_at(span_t text, size_t at, size_t len, uint64_t max, int64_t *ret_number)
{
    uint64_t number = 0;
    int result = span_to_u64(span_slice(text, at, len), max, &number);
    *ret_number = (int64_t)number;
    return result;
}

static int time_read(span_t text, int64_t *ret_seconds)
{
    int64_t year = 0;
    int64_t month = 0;
    int64_t day = 0;
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;
    if (text.len != TIME_LEN || text.at[4] != '-' || text.at[7] != '-' || text.at[10] != 'T' || text.at[13] != ':' ||
        text.at[16] != ':' || text.at[19] != 'Z')
        return -EINVAL;
    if (number_at(text, 0, 4, 9999, &year) < 0 || number_at(text, 5, 2, 12, &month) < 0 ||
        number_at(text, 8, 2, 31, &day) < 0 || number_at(text, 11, 2, 23, &hour) < 0 ||
        number_at(text, 14, 2, 59, &minute) < 0 || number_at(text, 17, 2, 60, &second) < 0 || month == 0 || day == 0)
        return -EINVAL;
    *ret_seconds = mime_date_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return 0;
}

int eml_row_read(span_t line, struct eml_row *ret_row)
{
    struct eml_row row;
    span_t time;
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    if (!span_cut(&line, '\t', &row.name) || !span_cut(&line, '\t', &time) || row.name.len == 0 ||
        time_read(time, &row.seconds) < 0)
        return -EINVAL;
    row.flags = line;
    *ret_row = row;
    return 0;
}

int eml_row_write(const struct eml_row *row, struct buf *index)
{
    char text[32] = "1970-01-01T00:00:00Z";
    struct tm parts;
    time_t moment = (time_t)row->seconds;
    if (gmtime_r(&moment, &parts) != NULL && parts.tm_year >= -900 && parts.tm_year < 8100)
        (void)(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0);
    return buf_append_format(index, "%.*s\t%s\t%.*s\n", SPAN_PRINT(row->name), text, SPAN_PRINT(row->flags));
}
