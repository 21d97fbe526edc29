#include "tool/transfer/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define BAR_WIDTH 24
#define SHOW_MS 100

volatile sig_atomic_t transfer_stopped;

static bool has_line; /* a line of progress stands on the terminal */
static long long shown_ms;

static void on_signal(int number)
{
    (void)number;
    transfer_stopped = 1;
}

void transfer_catch_signals(void)
{
    /* Once: a second Ctrl-C ends the program. Calls that wait are interrupted. */
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

void transfer_progress_end(void)
{
    if (has_line)
        (void)fputs("\r\033[K", stderr);
    has_line = false;
}

int transfer_fail(const char *format, ...)
{
    va_list arguments;
    transfer_progress_end();
    (void)fputs("waxwing: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return 1;
}

static void show_bar(unsigned long long done, unsigned long long total)
{
    char bar[BAR_WIDTH + 1];
    unsigned long long full = done >= total ? BAR_WIDTH : done * BAR_WIDTH / total;
    for (unsigned i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    (void)fprintf(stderr, "[%s] ", bar);
}

void transfer_progress(unsigned long long done, unsigned long long total, const char *what)
{
    struct timespec now = {0};
    if (!isatty(STDERR_FILENO))
        return;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    long long ms = (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (ms - shown_ms < SHOW_MS)
        return;
    shown_ms = ms;
    transfer_progress_end();
    has_line = true;
    if (total > 0)
        show_bar(done, total);
    (void)fprintf(stderr, "%llu", done);
    if (total > 0)
        (void)fprintf(stderr, " of %llu", total);
    (void)fprintf(stderr, " %s", what);
    (void)fflush(stderr);
}
