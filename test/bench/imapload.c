/*
 * Measures IMAP commands as a client that costs next to nothing sees them.
 *
 *   imapload HOST PORT clear|tls USER PASSWORD COMMAND...
 *
 * Each COMMAND is sent as it is, and a line `seconds bytes untagged-lines status command` is printed when its tagged
 * answer is there. "xN:COMMAND" is run N times, one after the other, as one measurement; client_expand() in client.h
 * says what else may stand in it.
 */
#include "client.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long long literal_of(const char *line, size_t len)
{
    if (len < 5 || line[len - 3] != '}')
        return 0;
    size_t at = len - 3;
    while (at > 0 && line[at] != '{')
        at--;
    return line[at] == '{' ? strtoull(line + at + 1, NULL, 10) : 0;
}

/* Reads up to the tagged answer; *ret_status: its first letter. */
static void read_answer(struct client *client, const char *tag, char *ret_status)
{
    size_t tag_len = strlen(tag);
    bool fresh = true;
    for (;;) {
        size_t len = 0;
        const char *line = client_read_line(client, &len);
        if (fresh && len > tag_len + 1 && memcmp(line, tag, tag_len) == 0 && line[tag_len] == ' ') {
            *ret_status = line[tag_len + 1];
            return;
        }
        if (fresh)
            client->lines++;
        unsigned long long literal = literal_of(line, len);
        fresh = literal == 0;
        client_skip(client, literal);
    }
}

static char run_one(struct client *client, const char *command, unsigned turn)
{
    char tag[16];
    char status = '?';
    int len = snprintf(tag, sizeof(tag), "t%u", ++client->tag);
    memcpy(client->out, tag, (size_t)len);
    client->out[len] = ' ';
    size_t rest = client_expand(command, turn, client->out + len + 1);
    client_send(client, client->out, (size_t)len + 1 + rest);
    read_answer(client, tag, &status);
    return status;
}

static char run(struct client *client, const char *command, unsigned turns)
{
    char status = 'O';
    for (unsigned turn = 1; turn <= turns && status == 'O'; turn++)
        status = run_one(client, command, turn);
    return status;
}

int main(int argc, char **argv)
{
    struct client client;
    char login[512];
    size_t len = 0;
    if (argc < 7) {
        (void)fprintf(stderr, "usage: imapload HOST PORT clear|tls USER PASSWORD COMMAND...\n");
        return 2;
    }
    client_open(&client, argv[1], argv[2], argv[3]);
    (void)client_read_line(&client, &len); /* the greeting */
    snprintf(login, sizeof(login), "LOGIN \"%s\" \"%s\"", argv[4], argv[5]);
    if (run_one(&client, login, 1) != 'O') {
        (void)fprintf(stderr, "imapload: login refused\n");
        return 1;
    }
    for (int i = 6; i < argc; i++)
        client_measure(&client, argv[i], run);
    return 0;
}
