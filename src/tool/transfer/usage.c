#include "tool/transfer/usage.h"

#include <stddef.h>
#include <string.h>

#include "base/result.h"

#define EXIT_USAGE 2

enum takes { NOTHING, A_VALUE };

/* Where an option goes; --password-stdin is what happens in any case. */
static const struct {
    const char *name;
    enum takes takes;
    size_t at;
    bool for_export;
} rows[] = {
    {"--folder", A_VALUE, offsetof(struct transfer_options, folder), true},
    {"--dry-run", NOTHING, offsetof(struct transfer_options, dry_run), false},
    {"--again", NOTHING, offsetof(struct transfer_options, again), false},
    {"--insecure", NOTHING, offsetof(struct transfer_options, insecure), false},
    {"--password-stdin", NOTHING, SIZE_MAX, true},
};

static int take_option(const char *command, char **words, int left, struct transfer_options *options)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strcmp(words[0], rows[i].name) != 0 || (!rows[i].for_export && strcmp(command, "export") == 0))
            continue;
        if (rows[i].takes == A_VALUE && left < 2) {
            (void)terminal_fail("%s needs a value; see: waxwing help %s", words[0], command);
            return -EXIT_USAGE;
        }
        if (rows[i].takes == A_VALUE)
            memcpy((char *)options + rows[i].at, &words[1], sizeof(char *));
        else if (rows[i].at != SIZE_MAX)
            *((char *)options + rows[i].at) = 1;
        return rows[i].takes == A_VALUE ? 2 : 1;
    }
    (void)terminal_fail("unknown option %s; see: waxwing help %s", words[0], command);
    return -EXIT_USAGE;
}

int transfer_usage(const char *command, int count, char **words, struct transfer_options *ret_options)
{
    const char *plain[3] = {NULL};
    size_t found = 0;
    struct transfer_options options = {.address = NULL};
    for (int i = 0; i < count;) {
        int used = 1;
        if (strncmp(words[i], "--", 2) == 0)
            used = take_option(command, words + i, count - i, &options);
        else if (found < COUNT_OF(plain))
            plain[found++] = words[i];
        else
            found = COUNT_OF(plain) + 1;
        if (used < 0)
            return -used;
        i += used;
    }
    if (found != COUNT_OF(plain)) {
        (void)terminal_fail("what is needed: waxwing %s ADDRESS FORMAT %s; see: waxwing help %s", command,
                            strcmp(command, "import") == 0 ? "SOURCE" : "TARGET", command);
        return EXIT_USAGE;
    }
    options.address = plain[0];
    options.format = plain[1];
    options.place = plain[2];
    *ret_options = options;
    return 0;
}
