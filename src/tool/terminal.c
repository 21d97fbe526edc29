#include "tool/terminal.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "mime/utf8.h"

#define TEXT_MAX (1U << 20)
#define LINE_MAX 8192U
#define SHOW_MS 100
#define SAY_MS 30000

static bool has_line; /* a line of progress stands on the terminal */
static struct progress shown;

/* --- cleaning --- */

static bool is_obeyed(uint32_t character, enum terminal_shape shape)
{
    if (character == '\n' || character == '\t')
        return shape == TERMINAL_LINE;
    return character < 0x20 || (character >= 0x7f && character < 0xa0) ||
           (character >= 0x2028 && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069);
}

int terminal_clean(span_t text, enum terminal_shape shape, struct buf *clean)
{
    while (text.len > 0) {
        span_t rest = text;
        bool is_character = utf8_sequence_len(text) > 0;
        if (!is_character || is_obeyed(utf8_next(&rest), shape))
            (void)buf_append_byte(clean, '?');
        else
            (void)buf_append(clean, span_upto(text, text.len - rest.len));
        text = is_character ? rest : span_from(text, 1);
    }
    return buf_fault(clean);
}

int terminal_write(span_t text)
{
    AUTO_BUF struct buf clean;
    buf_init(&clean, text.len);
    if (isatty(STDOUT_FILENO)) {
        if (terminal_clean(text, TERMINAL_LINES, &clean) < 0)
            return 1;
        text = buf_span(&clean);
    }
    return fwrite(text.at, 1, text.len, stdout) == text.len && fflush(stdout) == 0 ? 0 : 1;
}

/* --- standard error --- */

int terminal_fail(const char *format, ...)
{
    va_list arguments;
    AUTO_BUF struct buf text;
    AUTO_BUF struct buf clean;
    buf_init(&text, TEXT_MAX);
    buf_init(&clean, LINE_MAX);
    va_start(arguments, format);
    (void)buf_append_vformat(&text, format, arguments);
    va_end(arguments);
    (void)terminal_clean(span_upto(buf_span(&text), LINE_MAX), TERMINAL_LINE, &clean);
    terminal_progress_end();
    (void)fprintf(stderr, "waxwing: %.*s\n", SPAN_PRINT(buf_span(&clean)));
    return 1;
}

void terminal_progress_end(void)
{
    if (has_line)
        (void)fputs("\r\033[K", stderr);
    has_line = false;
}

void terminal_progress(const struct progress_point *point)
{
    struct timespec now = {0};
    AUTO_BUF struct buf line;
    AUTO_BUF struct buf clean;
    buf_init(&line, LINE_MAX);
    buf_init(&clean, LINE_MAX);
    bool is_terminal = isatty(STDERR_FILENO) != 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (!progress_is_due(&shown, point, ms, is_terminal ? SHOW_MS : SAY_MS))
        return;
    (void)progress_write(&shown, point, ms, is_terminal ? PROGRESS_BAR : PROGRESS_WORDS, &line);
    (void)terminal_clean(buf_span(&line), TERMINAL_LINE, &clean);
    terminal_progress_end();
    (void)fprintf(stderr, is_terminal ? "%.*s" : "waxwing: %.*s\n", SPAN_PRINT(buf_span(&clean)));
    (void)fflush(stderr);
    has_line = is_terminal;
}
