#include "tool/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/result.h"
#include "conf/conf.h"
#include "conf/manual.h"
#include "tool/terminal.h"

#define CONFIG_TEXT_MAX ((size_t)1024 * 1024)

int tool_config(const char *conf_path, int count, char **words)
{
    struct conf_error error;
    AUTO(conf) struct conf *conf = NULL;
    AUTO_BUF struct buf text;
    buf_init(&text, CONFIG_TEXT_MAX);
    if (count > 0 && strcmp(words[0], "--man") == 0)
        return manual_settings(&text) < 0 ? 1 : terminal_write(buf_span(&text));
    if (conf_load(conf_path, &conf, &error) < 0) {
        (void)terminal_fail("%s", error.text);
        return 1;
    }
    if (count > 0 && strcmp(words[0], "check") == 0) {
        (void)printf("the settings are in order\n");
        return 0;
    }
    int result = conf_explain(conf, count > 0 ? words[0] : NULL, &text);
    if (result < 0) {
        (void)terminal_fail("there is no setting %s; see: waxwing config", count > 0 ? words[0] : "");
        return 2;
    }
    return terminal_write(buf_span(&text));
}

int tool_version(const char *conf_path, int count, char **words)
{
    (void)conf_path, (void)count, (void)words;
    (void)printf("waxwing %s\n", WAXWING_VERSION);
    return 0;
}

static int show_manual(void)
{
    AUTO_BUF struct buf text;
    buf_init(&text, CONFIG_TEXT_MAX);
    for (size_t i = 0; i < tool_command_count; i++)
        manual_entry(&text, tool_commands[i].words, tool_commands[i].arguments, tool_commands[i].sentence);
    return buf_fault(&text) < 0 ? 1 : terminal_write(buf_span(&text));
}

int tool_help(const char *conf_path, int count, char **words)
{
    (void)conf_path;
    if (count > 0 && strcmp(words[0], "--man") == 0)
        return show_manual();
    int hits = 0;
    if (count == 0)
        (void)printf(
            "waxwing [-c FILE] COMMAND\n\n  serve [--foreground]\n      start the server; \"ready\" once every "
            "listener accepts\n");
    for (size_t i = 0; i < tool_command_count; i++) {
        const struct tool_command *command = &tool_commands[i];
        if (count > 0 && strncmp(command->words, words[0], strlen(words[0])) != 0)
            continue;
        (void)printf("  %s%s%s\n      %s\n", command->words, command->arguments[0] == '\0' ? "" : " ",
                     command->arguments, command->sentence);
        hits++;
    }
    if (hits > 0)
        return 0;
    (void)terminal_fail("there is no command `%s`; see: waxwing help", words[0]);
    return 2;
}
