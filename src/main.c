#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf.h"
#include "role/courier/courier.h"
#include "role/gate/gate.h"
#include "role/intake/intake.h"
#include "role/keeper/keeper.h"
#include "role/session/session.h"
#include "role/start.h"
#include "role/store/store.h"
#include "role/supervisor/supervisor.h"
#include "tool/tool.h"

/* `waxwing serve` is the supervisor, `waxwing role …` what it starts; everything else is a command for people. */

static const struct {
    const char *word;
    int (*run)(const struct role_start *start);
} roles[] = {
    {"gate", gate_run}, {"keeper", keeper_run}, {"intake", intake_run}, {"store", store_run}, {"courier", courier_run},
};

static enum log_level level_of(const struct conf *conf)
{
    static const char *const words[] = {
        [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
    for (enum log_level level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        if (strcmp(words[level], conf->server_log_level) == 0)
            return level;
    }
    return LOG_INFO;
}

/* The key that the supervisor drew, so that a hashed field is the same in all roles; without one, a random one. */
static void read_log_key(uint8_t ret_key[16])
{
    const char *text = getenv(SUPERVISOR_LOG_KEY);
    unsigned byte = 0;
    if (text != NULL && strlen(text) == 32) {
        for (size_t i = 0; i < 16 && sscanf(text + 2 * i, "%2x", &byte) == 1; i++)
            ret_key[i] = (uint8_t)byte;
    } else if (getrandom(ret_key, 16, 0) != 16) {
        memset(ret_key, 0, 16);
    }
}

static int load(const char *path, struct conf **ret_conf)
{
    struct conf_error error;
    int result = conf_load(path, ret_conf, &error);
    if (result < 0)
        (void)fprintf(stderr, "waxwing: %s\n", error.text);
    return result;
}

static void start_log(const char *role, const struct conf *conf)
{
    uint8_t key[16] = {0};
    read_log_key(key);
    log_start(role, level_of(conf), key);
}

/* Forked from the supervisor, it takes its own name in the log. */
static int serve_session(const struct role_start *start)
{
    start_log("session", start->conf);
    return session_run(start);
}

static int serve(const char *conf_path)
{
    AUTO(conf) struct conf *conf = NULL;
    char program[PATH_MAX];
    AUTO_FREE char *full_path = NULL;
    if (load(conf_path, &conf) < 0)
        return EXIT_FAILURE;
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length < 0 || (conf_path != NULL && (full_path = realpath(conf_path, NULL)) == NULL)) {
        (void)fprintf(stderr, "waxwing: cannot find its own files: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    program[length] = '\0';
    start_log("supervisor", conf);
    struct supervisor_start start = {
        .conf = conf,
        .conf_path = full_path,
        .program = program,
        .prepare_session = session_prepare,
        .session = serve_session,
    };
    return supervisor_run(&start);
}

/* role NAME INDEX COUNT */
static int become(const char *conf_path, char **words)
{
    uint64_t index = 0;
    uint64_t count = 0;
    AUTO(conf) struct conf *conf = NULL;
    if (span_to_u64(span_of_text(words[1]), 1000, &index) < 0 || span_to_u64(span_of_text(words[2]), 1000, &count) < 0)
        return 2;
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        if (strcmp(words[0], roles[i].word) != 0)
            continue;
        if (load(conf_path, &conf) < 0)
            return EXIT_FAILURE;
        start_log(roles[i].word, conf);
        struct role_start start = {
            .conf = conf,
            .data = conf->server_data,
            .index = (uint32_t)index,
            .count = (uint32_t)count,
            .supervisor_fd = SUPERVISOR_FD,
        };
        return roles[i].run(&start);
    }
    return 2;
}

int main(int argc, char **argv)
{
    const char *conf_path = NULL;
    int first = argc;
    if (conf_options(argc, argv, &conf_path, &first) == 0 && first < argc) {
        bool foreground = first + 2 == argc && strcmp(argv[first + 1], "--foreground") == 0;
        if (strcmp(argv[first], "serve") == 0 && (first + 1 == argc || foreground))
            return serve(conf_path);
        if (strcmp(argv[first], "role") == 0 && first + 4 == argc)
            return become(conf_path, argv + first + 1);
    }
    return tool_run(argc, argv);
}
