#pragma once

#include <stddef.h>

/* What a command reads from standard input, line by line; asked for without echo where that is a terminal. */
enum tool_input {
    INPUT_NONE,
    INPUT_PASSWORD,      /* the password there is */
    INPUT_NEW_PASSWORD,  /* one to be set, asked for twice */
    INPUT_CHANGE,        /* the old and a new one; with --recovery, the new one */
    INPUT_TWO_PASSWORDS, /* the password there is, and the one at another server */
};

/* A command of the program, one row each; help and the checks of usage derive from it. */
struct tool_command {
    const char *words;     /* one or two, such as "account add" */
    const char *arguments; /* as usage shows them */
    int least;             /* how many words must follow */
    int most;              /* and may */
    enum tool_input input;
    int (*local)(const char *conf_path, int count, char **words); /* NULL: the server does it */
    const char *sentence;
};

extern const struct tool_command tool_commands[];
extern const size_t tool_command_count;

/* The row that the first words mean, or NULL; *ret_words is how many of them name it. */
const struct tool_command *tool_command_find(int count, char **words, int *ret_words);

int tool_import(const char *conf_path, int count, char **words);
int tool_export(const char *conf_path, int count, char **words);
int tool_dns(const char *conf_path, int count, char **words);
int tool_config(const char *conf_path, int count, char **words);
int tool_version(const char *conf_path, int count, char **words);
int tool_help(const char *conf_path, int count, char **words);
