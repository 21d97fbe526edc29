#include "mime/date.h"

#include <inttypes.h>

#define MINUTES_PER_DAY 1440
#define SECONDS_PER_DAY 86400

static const char *const month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const day_names[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"}; /* from 1970-01-01 on */
/* RFC 5322 §4.3; all others count as UTC. */
static const struct {
    const char *name;
    int32_t minutes;
} zones[] = {{"EST", -300}, {"EDT", -240}, {"CST", -360}, {"CDT", -300}, {"MST", -420}, {"MDT", -360},
             {"PST", -480}, {"PDT", -420}, {"CET", 60},   {"CEST", 120}, {"MET", 60},   {"MEST", 120},
             {"EET", 120},  {"EEST", 180}, {"BST", 60},   {"JST", 540}};

struct parts {
    int64_t day, month, year, hour, minute, second; /* -1: not seen */
    int32_t zone;
    bool bad;
};

/* Takes white space, commas and comments off the front. */
static void skip_filler(span_t *rest)
{
    unsigned depth = 0;
    while (rest->len > 0) {
        uint8_t byte = rest->at[0];
        if (byte == '(')
            depth++;
        else if (byte == ')' && depth > 0)
            depth--;
        else if (depth == 0 && byte != ' ' && byte != '\t' && byte != '\r' && byte != '\n' && byte != ',')
            return;
        *rest = span_from(*rest, 1);
    }
}

static size_t run_len(span_t rest, bool (*is_in)(uint8_t))
{
    size_t len = 0;
    while (len < rest.len && is_in(rest.at[len]))
        len++;
    return len;
}

static int64_t take_number(span_t *rest, size_t *ret_digits)
{
    size_t len = run_len(*rest, ascii_is_digit);
    uint64_t value = 0;
    if (span_to_u64(span_upto(*rest, len), 1000000, &value) < 0)
        value = 1000000;
    *rest = span_from(*rest, len);
    *ret_digits = len;
    return (int64_t)value;
}

static void take_time(struct parts *parts, int64_t hour, span_t *rest)
{
    size_t digits = 0;
    *rest = span_from(*rest, 1);
    parts->hour = hour;
    parts->minute = take_number(rest, &digits);
    parts->bad = parts->bad || digits == 0;
    parts->second = 0;
    if (rest->len > 0 && (rest->at[0] == ':' || rest->at[0] == '.')) {
        *rest = span_from(*rest, 1);
        parts->second = take_number(rest, &digits);
    }
    if (rest->len > 1 && rest->at[0] == '.') { /* fractions of a second */
        *rest = span_from(*rest, 1);
        (void)take_number(rest, &digits);
    }
}

static void take_digits(struct parts *parts, span_t *rest)
{
    size_t digits = 0;
    int64_t value = take_number(rest, &digits);
    if (parts->hour < 0 && rest->len > 0 && rest->at[0] == ':') {
        take_time(parts, value, rest);
    } else if (parts->day < 0 && digits <= 2) {
        parts->day = value;
    } else if (parts->year < 0) { /* RFC 5322 §4.3 */
        parts->year = digits == 2 ? value + (value < 50 ? 2000 : 1900) : digits == 3 ? value + 1900 : value;
    }
}

static void take_zone(struct parts *parts, span_t *rest)
{
    int32_t sign = rest->at[0] == '-' ? -1 : 1;
    size_t digits = 0;
    *rest = span_from(*rest, 1);
    int64_t value = take_number(rest, &digits);
    if (digits == 2 && rest->len > 2 && rest->at[0] == ':') {
        *rest = span_from(*rest, 1);
        value = value * 100 + take_number(rest, &digits);
    } else if (digits <= 2) {
        value *= 100;
    }
    int64_t minutes = value / 100 * 60 + value % 100;
    parts->zone = minutes <= MINUTES_PER_DAY ? sign * (int32_t)minutes : 0;
}

static void take_word(struct parts *parts, span_t *rest)
{
    span_t word = span_upto(*rest, run_len(*rest, ascii_is_alpha));
    *rest = span_from(*rest, word.len);
    for (size_t i = 0; i < COUNT_OF(month_names) && parts->month < 0; i++) {
        if (span_starts_nocase(word, span_of_text(month_names[i])))
            parts->month = (int64_t)i + 1;
    }
    for (size_t i = 0; i < COUNT_OF(zones) && parts->hour >= 0; i++) {
        if (span_equal_nocase(word, span_of_text(zones[i].name)))
            parts->zone = zones[i].minutes;
    }
    if (span_equal_nocase(word, SPAN("PM")) && parts->hour >= 0 && parts->hour < 12)
        parts->hour += 12;
}

int64_t mime_date_days(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

int mime_date_parse(span_t value, struct mime_date *ret_date)
{
    struct parts parts = {-1, -1, -1, -1, 0, 0, 0, false};
    for (skip_filler(&value); value.len > 0; skip_filler(&value)) {
        if (ascii_is_digit(value.at[0]))
            take_digits(&parts, &value);
        else if (ascii_is_alpha(value.at[0]))
            take_word(&parts, &value);
        else if ((value.at[0] == '+' || value.at[0] == '-') && parts.hour >= 0 && parts.year >= 0)
            take_zone(&parts, &value);
        else
            value = span_from(value, 1);
    }
    if (parts.hour < 0)
        parts.hour = 0;
    if (parts.bad || parts.day < 1 || parts.day > 31 || parts.month < 1 || parts.year < 0 || parts.year > 9999 ||
        parts.hour > 24 || parts.minute > 59 || parts.second > 60)
        return MIME_DATE_NONE;
    ret_date->zone_minutes = parts.zone;
    ret_date->unix_time = mime_date_days(parts.year, parts.month, parts.day) * SECONDS_PER_DAY + parts.hour * 3600 +
                          (parts.minute - parts.zone) * 60 + parts.second;
    return 0;
}

/* Rounded down, so that it is right before 1970 too. */
static int64_t divide_down(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

int64_t mime_date_day(const struct mime_date *date)
{
    return divide_down(date->unix_time + (int64_t)date->zone_minutes * 60, SECONDS_PER_DAY);
}

int mime_date_format(const struct mime_date *date, struct buf *text)
{
    int64_t days = mime_date_day(date);
    int64_t second = date->unix_time + (int64_t)date->zone_minutes * 60 - days * SECONDS_PER_DAY;
    int64_t year = 1970 + divide_down(days, 366); /* never too late; then step forward */
    while (mime_date_days(year + 1, 1, 1) <= days)
        year++;
    int64_t month = 1;
    while (month < 12 && mime_date_days(year, month + 1, 1) <= days)
        month++;
    int32_t zone = date->zone_minutes < 0 ? -date->zone_minutes : date->zone_minutes;
    int64_t weekday = days - divide_down(days, 7) * 7;
    return buf_append_format(text, "%s, %02d %s %04d %02d:%02d:%02d %c%02d%02d", day_names[weekday],
                             (int)(days - mime_date_days(year, month, 1) + 1), month_names[month - 1], (int)year,
                             (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60),
                             date->zone_minutes < 0 ? '-' : '+', zone / 60, zone % 60);
}
