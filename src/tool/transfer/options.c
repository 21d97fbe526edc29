#include "tool/transfer/options.h"

volatile sig_atomic_t transfer_stopped;

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
