#pragma once

/*
 * The commands for people: everything but `serve` and `role`. argv is the program's own, `-c FILE` included.
 * Returns the exit status: 0, 2 for bad usage (and for `status` when no server runs), 1 for anything else;
 * errors are one line on standard error.
 *
 * A command for the server goes over DATA/control.sock (SOCK_SEQPACKET) as one packet: u32 length of the words, the
 * words each ended by NUL, what was read from standard input. The answer is one packet: u32 exit status, u32
 * length of the output, output, error text; after one with the status TOOL_MORE comes another, whose output goes on.
 * Numbers are little-endian. Where an answer brings a descriptor, the account's session goes on with the command there
 * (ipc/frame.h), and the exit status is what that ends with.
 */
int tool_run(int argc, char **argv);

#define TOOL_SOCKET_NAME "control.sock"
#define TOOL_PACKET_MAX 131072
#define TOOL_ANSWER_MAX (256U * 1024 * 1024) /* of all packets of an answer */
#define TOOL_MORE 256U

/* Says what failed on the way to the server at that socket, and what to do; the exit status of that command. */
int tool_say_unreachable(const char *command, const char *path, int fault);
