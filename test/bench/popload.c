/*
 * Measures POP3 commands as a client that costs next to nothing sees them.
 *
 *   popload HOST PORT clear|tls USER PASSWORD COMMAND...
 *
 * The first line printed is that of connecting, TLS and login, as command LOGIN; then one for each COMMAND, as imapload
 * prints them. "xN:COMMAND" is run N times, one after the other; "xN:|COMMAND" as pipelined as the window allows
 * (RFC 2449 §6.8), which is WINDOW commands.
 */
#include "client.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WINDOW 64U

/* RFC 1939 §3: RETR and TOP, and LIST and UIDL without a message's number, are answered by many lines. */
static bool has_many_lines(const char *command)
{
    return strncmp(command, "RETR", 4) == 0 || strncmp(command, "TOP", 3) == 0 || strcmp(command, "LIST") == 0 ||
           strcmp(command, "UIDL") == 0 || strcmp(command, "CAPA") == 0;
}

static char read_answer(struct client *client, bool is_long)
{
    size_t len = 0;
    const char *line = client_read_line(client, &len);
    char status = line[0] == '+' ? 'O' : 'N';
    while (is_long && status == 'O') {
        line = client_read_line(client, &len);
        if (len == 3 && line[0] == '.')
            break;
        client->lines++;
    }
    return status;
}

static char run(struct client *client, const char *command, unsigned turns)
{
    unsigned window = command[0] == '|' ? WINDOW : 1;
    const char *what = command[0] == '|' ? command + 1 : command;
    unsigned sent = 0;
    char status = 'O';
    for (unsigned turn = 1; turn <= turns && status == 'O'; turn++) {
        if (turn > sent) {
            size_t len = 0;
            while (sent < turns && sent < turn - 1 + window)
                len += client_expand(what, ++sent, client->out + len);
            client_send(client, client->out, len);
        }
        status = read_answer(client, has_many_lines(what));
    }
    return status;
}

static char log_in(struct client *client)
{
    bool is_in = read_answer(client, false) == 'O';
    client_send(client, client->out, strlen(client->out));
    return is_in && read_answer(client, false) == 'O' && read_answer(client, false) == 'O' ? 'O' : 'N';
}

int main(int argc, char **argv)
{
    struct client client;
    if (argc < 6) {
        (void)fprintf(stderr, "usage: popload HOST PORT clear|tls USER PASSWORD COMMAND...\n");
        return 2;
    }
    double begun = client_now();
    client_open(&client, argv[1], argv[2], argv[3]);
    (void)sprintf(client.out, "USER %.200s\r\nPASS %.200s\r\n", argv[4], argv[5]);
    if (log_in(&client) != 'O') {
        (void)fprintf(stderr, "popload: login refused\n");
        return 1;
    }
    printf("%.4f 0 0 OK LOGIN\n", client_now() - begun);
    for (int i = 6; i < argc; i++)
        client_measure(&client, argv[i], run);
    return 0;
}
