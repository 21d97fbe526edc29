#include "tool/transfer/mbox.h"

#include <errno.h>
#include <time.h>

#include "mime/date.h"

#define WORDS_MAX 12U /* after From */
#define LINE_MAX 1024U

/* --- From lines --- */

static int month_of(span_t word)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int month = 0; word.len == 3 && month < 12; month++)
        if (span_equal_nocase(word, span_of(names + 3 * (size_t)month, 3)))
            return month + 1;
    return 0;
}

static bool clock_of(span_t word, int64_t *ret_seconds)
{
    uint64_t parts[3] = {0};
    size_t count = 0;
    span_t piece;
    while (count < 3 && span_cut(&word, ':', &piece))
        if (span_to_u64(piece, 60, &parts[count++]) < 0)
            return false;
    *ret_seconds = (int64_t)(parts[0] * 3600 + parts[1] * 60 + parts[2]);
    return count >= 2 && word.len == 0 && parts[0] < 24;
}

/* `Sat Jan  3 01:05:34 1996`, as asctime(3) writes it, perhaps with a zone before or behind the year. */
static bool date_of(const span_t *words, size_t count, int64_t *ret_seconds)
{
    uint64_t day = 0;
    uint64_t year = 0;
    int64_t clock = 0;
    int month = count >= 4 ? month_of(words[0]) : 0;
    if (month == 0 || span_to_u64(words[1], 31, &day) < 0 || day == 0 || !clock_of(words[2], &clock))
        return false;
    for (size_t i = 3; i < count && year == 0; i++)
        if (words[i].len == 4 && span_to_u64(words[i], 9999, &year) < 0)
            year = 0;
    if (year == 0)
        return false;
    *ret_seconds = mime_date_days((int64_t)year, month, (int64_t)day) * 86400 + clock;
    for (size_t i = 3; i < count; i++) {
        uint64_t zone = 0;
        if (words[i].len == 5 && (words[i].at[0] == '+' || words[i].at[0] == '-') &&
            span_to_u64(span_from(words[i], 1), 2400, &zone) == 0)
            *ret_seconds -= (words[i].at[0] == '-' ? -1 : 1) * (int64_t)(zone / 100 * 3600 + zone % 100 * 60);
    }
    return true;
}

bool mbox_is_from(span_t line, int64_t *ret_seconds)
{
    span_t words[WORDS_MAX];
    size_t count = 0;
    span_t word;
    span_t rest = span_from(line, 5);
    int64_t seconds = 0;
    if (!span_starts(line, SPAN("From ")) || line.len > LINE_MAX)
        return false;
    while (count < WORDS_MAX && span_cut(&rest, ' ', &word))
        if (word.len > 0)
            words[count++] = word;
    *ret_seconds = 0;
    for (size_t i = 0; i < count; i++)
        if (date_of(words + i, count - i, &seconds)) {
            *ret_seconds = seconds;
            return true;
        }
    return false;
}

/* --- where messages are --- */

static span_t line_at(span_t file, size_t at, size_t *ret_next)
{
    span_t rest = span_from(file, at);
    size_t len = span_find_byte(rest, '\n');
    *ret_next = at + len + (len < rest.len);
    span_t line = span_upto(rest, len);
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

int mbox_find(span_t file, size_t at, struct mbox_place *ret_place)
{
    struct mbox_place place = {.start = 0};
    int64_t seconds = 0;
    size_t next = 0;
    size_t empty = SIZE_MAX; /* where the empty line before this one is */
    if (!mbox_is_from(line_at(file, at, &next), &place.seconds))
        return -EINVAL;
    place.start = next;
    for (size_t here = next; here < file.len; here = next) {
        span_t line = line_at(file, here, &next);
        if (empty != SIZE_MAX && span_starts(line, SPAN("From ")) && mbox_is_from(line, &seconds)) {
            place.end = empty;
            place.next = here;
            *ret_place = place;
            return 0;
        }
        empty = line.len == 0 ? here : SIZE_MAX;
    }
    place.end = empty != SIZE_MAX && empty >= place.start ? empty : file.len;
    place.next = file.len;
    *ret_place = place;
    return 0;
}

/* --- what is in them --- */

static void add_flag(struct buf *flags, span_t flag)
{
    if (flag.len == 0)
        return;
    if (buf_len(flags) > 0)
        (void)buf_append_byte(flags, ' ');
    (void)buf_append(flags, flag);
}

static const struct {
    uint8_t letter;
    bool is_status; /* else in X-Status */
    const char *flag;
} letters[] = {
    {'R', true, "\\Seen"},   {'A', false, "\\Answered"}, {'F', false, "\\Flagged"},
    {'T', false, "\\Draft"}, {'D', false, "\\Deleted"},
};

static void read_letters(span_t value, bool is_status, struct buf *flags)
{
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if (letters[i].is_status == is_status && span_find_byte(value, letters[i].letter) < value.len)
            add_flag(flags, span_of_text(letters[i].flag));
}

/* Is this line one of the fields that hold flags? They are read, then. */
static bool is_flags(span_t line, struct buf *flags)
{
    span_t value = line;
    span_t name;
    span_t word;
    if (!span_cut(&value, ':', &name) || value.at == NULL)
        return false;
    value = span_trim(value);
    if (span_equal_nocase(name, SPAN("Status")))
        read_letters(value, true, flags);
    else if (span_equal_nocase(name, SPAN("X-Status")))
        read_letters(value, false, flags);
    else if (span_equal_nocase(name, SPAN("X-Keywords")))
        while (span_cut(&value, ' ', &word))
            add_flag(flags, word);
    else
        return false;
    return true;
}

/* Do the three stand first, as they are written here? *ret_end: behind them. */
static bool has_own_flags(span_t text, size_t *ret_end)
{
    static const span_t names[] = {
        {(const uint8_t *)"Status:", 7}, {(const uint8_t *)"X-Status:", 9}, {(const uint8_t *)"X-Keywords:", 11}};
    size_t at = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (!span_starts(line_at(text, at, &at), names[i]))
            return false;
    *ret_end = at;
    return true;
}

static bool is_quoted_from(span_t line)
{
    size_t quotes = 0;
    while (quotes < line.len && line.at[quotes] == '>')
        quotes++;
    return span_starts(span_from(line, quotes), SPAN("From "));
}

int mbox_read(span_t text, struct buf *message, struct buf *flags)
{
    size_t own = 0;
    size_t next = 0;
    bool has_own = has_own_flags(text, &own);
    bool in_header = true;
    bool is_taken = false; /* the field before: its folded lines go with it */
    for (size_t at = 0; at < text.len; at = next) {
        span_t line = line_at(text, at, &next);
        in_header = in_header && line.len > 0;
        bool is_folded = line.len > 0 && ascii_is_space(line.at[0]);
        if (in_header && !is_folded)
            is_taken = (!has_own || at < own) && is_flags(line, flags);
        if (in_header && is_taken && (!has_own || at < own))
            continue;
        size_t from = at + (line.len > 0 && line.at[0] == '>' && is_quoted_from(line));
        (void)buf_append(message, span_slice(text, from, next - from));
    }
    return buf_fault(message) < 0 ? buf_fault(message) : buf_fault(flags);
}

/* --- writing --- */

static bool has_flag(span_t flags, span_t flag)
{
    span_t found;
    while (span_cut(&flags, ' ', &found))
        if (span_equal_nocase(found, flag))
            return true;
    return false;
}

static void write_letters(span_t flags, bool is_status, struct buf *file)
{
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if (letters[i].is_status == is_status && has_flag(flags, span_of_text(letters[i].flag)))
            (void)buf_append_byte(file, letters[i].letter);
}

static void write_flags(span_t flags, struct buf *file)
{
    span_t flag;
    (void)buf_append(file, SPAN("Status: "));
    write_letters(flags, true, file);
    (void)buf_append(file, SPAN("O\nX-Status: "));
    write_letters(flags, false, file);
    (void)buf_append(file, SPAN("\nX-Keywords:"));
    while (span_cut(&flags, ' ', &flag))
        if (flag.len > 0 && flag.at[0] != '\\') {
            (void)buf_append_byte(file, ' ');
            (void)buf_append(file, flag);
        }
    (void)buf_append_byte(file, '\n');
}

int mbox_write(span_t text, span_t flags, int64_t seconds, struct buf *file)
{
    char date[64] = "Thu Jan  1 00:00:00 1970";
    struct tm parts;
    time_t moment = (time_t)seconds;
    if (gmtime_r(&moment, &parts) != NULL && parts.tm_year >= -900 && parts.tm_year < 8100)
        (void)(strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &parts) == 0);
    (void)buf_append_format(file, "From MAILER-DAEMON %s\n", date);
    write_flags(flags, file);
    size_t next = 0;
    for (size_t at = 0; at < text.len; at = next) {
        if (is_quoted_from(line_at(text, at, &next)))
            (void)buf_append_byte(file, '>');
        (void)buf_append(file, span_slice(text, at, next - at));
    }
    if (text.len > 0 && text.at[text.len - 1] != '\n')
        (void)buf_append_byte(file, '\n');
    (void)buf_append_byte(file, '\n');
    return buf_fault(file);
}
