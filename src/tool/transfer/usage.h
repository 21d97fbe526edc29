#pragma once

#include "tool/transfer/options.h"

/* Takes the words behind `import` or `export` apart. 0, or 2 and it is told. */
int transfer_usage(const char *command, int count, char **words, struct transfer_options *ret_options);
