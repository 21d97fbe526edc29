#pragma once

#include "base/buf.h"

struct mime_date {
    int64_t unix_time;    /* seconds since 1970, UTC */
    int32_t zone_minutes; /* of the sender's clock, east of UTC */
};

enum mime_date_result { MIME_DATE_NONE = 1 };

/* Date and time of RFC 5322 §3.3 and §4.3: optional weekday, two-digit years, named zones, comments, missing seconds or
 * zone (UTC). 0, or MIME_DATE_NONE where there is no date in it. */
MUST_USE int mime_date_parse(span_t value, struct mime_date *ret_date);

/* Days since 1970-01-01 of the date as the sender wrote it, zone disregarded (RFC 3501 §6.4.4, SENTON). */
int64_t mime_date_day(const struct mime_date *date);

/* Days since 1970-01-01 of a calendar day (month 1 to 12). */
int64_t mime_date_days(int64_t year, int64_t month, int64_t day);

/* Appends `Mon, 02 Jan 2006 15:04:05 +0100`. */
int mime_date_format(const struct mime_date *date, struct buf *text);
