#include "tool/tool.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "tool/command.h"
#include "tool/control.h"
#include "tool/follow.h"
#include "tool/input.h"
#include "tool/terminal.h"

#define EXIT_USAGE 2
#define EXIT_NOT_RUNNING 2
#define WORDS_MAX 8192
#define INPUT_MAX 8192

int tool_say_unreachable(const char *command, const char *path, int fault)
{
    if (fault == -ENOENT || fault == -ECONNREFUSED) {
        (void)terminal_fail("not running: no server answers at %s; start it with: waxwing serve", path);
        return strcmp(command, "status") == 0 ? EXIT_NOT_RUNNING : 1;
    }
    if (fault == -EACCES || fault == -EPERM)
        (void)terminal_fail("the server at %s listens to root and its owner only; run this as one of them", path);
    else if (fault == -ECONNRESET)
        (void)terminal_fail("the server ended before it answered; see its log");
    else if (fault == -EAGAIN)
        (void)terminal_fail("the server did not answer in time; see: waxwing status");
    else
        (void)terminal_fail("cannot ask the server at %s: %s", path, strerror(-fault));
    return 1;
}

static int show(const struct control_answer *answer)
{
    span_t error = span_trim(buf_span(&answer->error));
    int status = terminal_write(buf_span(&answer->output));
    if (error.len > 0)
        (void)terminal_fail("%.*s", SPAN_PRINT(error));
    if (answer->status == 0)
        return status;
    return answer->status <= 255 ? (int)answer->status : 1;
}

/* The descriptor is let go of in any case. */
static int finish(struct control_answer *answer)
{
    AUTO_FD int fd = TAKE_FD(answer->session_fd);
    int status = show(answer);
    return fd >= 0 && status == 0 ? follow_session(fd) : status;
}

static int ask_server(const struct tool_command *command, const char *path, span_t words, span_t input)
{
    AUTO_BUF struct buf packet;
    struct control_answer answer = {.status = 1, .session_fd = -1};
    buf_init(&packet, TOOL_PACKET_MAX);
    buf_init(&answer.output, TOOL_ANSWER_MAX);
    buf_init(&answer.error, TOOL_PACKET_MAX);
    int result = control_write(words, input, &packet);
    if (result == 0)
        result = control_ask(path, buf_span(&packet), CONTROL_PATIENCE, &answer);
    if (packet.bytes != NULL)
        explicit_bzero(packet.bytes, packet.room);
    int status = result < 0 ? tool_say_unreachable(command->words, path, result) : finish(&answer);
    scope_close(&answer.session_fd);
    buf_deinit(&answer.output);
    buf_deinit(&answer.error);
    return status;
}

static int has_word(int count, char **words, const char *word)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0)
            return 1;
    }
    return 0;
}

static int run_on_server(const struct tool_command *command, const char *conf_path, int count, char **words)
{
    struct conf_error error;
    char path[PATH_MAX];
    const char *why = NULL;
    AUTO(conf) struct conf *conf = NULL;
    AUTO_BUF struct buf list;
    AUTO_BUF struct buf lines;
    buf_init(&list, WORDS_MAX);
    buf_init(&lines, INPUT_MAX);
    if (conf_load(conf_path, &conf, &error) < 0) {
        (void)terminal_fail("%s", error.text);
        return 1;
    }
    (void)snprintf(path, sizeof(path), "%s/%s", conf->server_data, TOOL_SOCKET_NAME);
    for (int i = 0; i < count; i++)
        (void)buf_append(&list, span_of(words[i], strlen(words[i]) + 1));
    if (buf_fault(&list) < 0) {
        (void)terminal_fail("the command is too long");
        return EXIT_USAGE;
    }
    int status = 1;
    if (tool_input_read(command->input, has_word(count, words, "--recovery"), &lines, &why) < 0)
        (void)terminal_fail("%s", why);
    else
        status = ask_server(command, path, buf_span(&list), buf_span(&lines));
    if (lines.bytes != NULL)
        explicit_bzero(lines.bytes, lines.room);
    return status;
}

static void say_command(const char *before, const char *words, const char *arguments)
{
    (void)fprintf(stderr, "%s%s%s%s", before, words, arguments[0] == '\0' ? "" : " ", arguments);
}

/* The usage of the command that was meant, or of all that start with its first word. */
static int say_usage(const struct tool_command *meant, int count, char **words)
{
    const char *before = "waxwing: usage: waxwing ";
    int hits = 0;
    for (size_t i = 0; count > 0 && i < tool_command_count; i++) {
        const struct tool_command *command = &tool_commands[i];
        size_t length = strcspn(command->words, " ");
        bool is_near = strlen(words[0]) == length && memcmp(command->words, words[0], length) == 0;
        if (meant != NULL ? command != meant : !is_near)
            continue;
        say_command(hits++ == 0 ? before : " | ", command->words, command->arguments);
    }
    if (hits == 0 && strcmp(words[0], "serve") == 0)
        say_command(before, "serve", "[--foreground]");
    else if (hits == 0)
        (void)fprintf(stderr, "waxwing: there is no command `%s`; see: waxwing help", words[0]);
    (void)fputc('\n', stderr);
    return EXIT_USAGE;
}

int tool_run(int argc, char **argv)
{
    const char *conf_path = NULL;
    int first = argc;
    int named = 0;
    if (conf_options(argc, argv, &conf_path, &first) < 0 || first >= argc) {
        (void)terminal_fail("usage: waxwing [-c FILE] COMMAND; see: waxwing help");
        return EXIT_USAGE;
    }
    int count = argc - first;
    char **words = argv + first;
    if (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0)
        return tool_help(conf_path, 0, NULL);
    if (strcmp(words[0], "--version") == 0)
        return tool_version(conf_path, 0, NULL);
    const struct tool_command *command = tool_command_find(count, words, &named);
    if (command == NULL || count - named < command->least || count - named > command->most)
        return say_usage(command, count, words);
    if (command->local != NULL)
        return command->local(conf_path, count - named, words + named);
    return run_on_server(command, conf_path, count, words);
}
