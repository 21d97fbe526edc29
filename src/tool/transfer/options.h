#pragma once

#include <signal.h>
#include <stdbool.h>

#include "base/span.h"
#include "tool/terminal.h"

/* What was asked for on the command line, and what the parts of a transfer share. */
struct transfer_options {
    const char *address;
    const char *format;
    const char *place;  /* SOURCE or TARGET */
    const char *folder; /* --folder, or NULL */
    bool again;
    bool dry_run;
    bool insecure;
    span_t password; /* at the other server */
};

#define TRANSFER_PATH_MAX 16384U

/* Set by Ctrl-C: finish what is under way. */
extern volatile sig_atomic_t transfer_stopped;
void transfer_catch_signals(void);
