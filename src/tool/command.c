#include "tool/command.h"

#include <string.h>

#include "base/result.h"

const struct tool_command tool_commands[] = {
    {"status", "[--json]", 0, 1, INPUT_NONE, NULL, "the roles, ports and counts; 1 when degraded, 2 when not running"},
    {"config", "[KEY | check]", 0, 1, INPUT_NONE, tool_config, "every setting with its value and what it means"},
    {"domain add", "DOMAIN", 1, 1, INPUT_NONE, NULL, "receive mail for a domain"},
    {"domain list", "[--json]", 0, 1, INPUT_NONE, NULL, "the domains"},
    {"domain remove", "DOMAIN", 1, 1, INPUT_NONE, NULL, "receive no more mail for a domain without accounts"},
    {"dkim list", "DOMAIN [--json]", 1, 2, INPUT_NONE, NULL,
     "the keys that sign a domain's mail, with their DNS records"},
    {"dkim rotate", "DOMAIN", 1, 1, INPUT_NONE, NULL,
     "make new ones: they are to be published now, and sign from three days later"},
    {"account add", "ADDRESS [--password-stdin] [--quota SIZE]", 1, 4, INPUT_NEW_PASSWORD, NULL,
     "make an account; prints its recovery code, once"},
    {"account list", "[--json]", 0, 1, INPUT_NONE, NULL, "the accounts"},
    {"account remove", "ADDRESS", 1, 1, INPUT_NONE, NULL, "destroy an account and all its mail"},
    {"account lock", "ADDRESS", 1, 1, INPUT_NONE, NULL, "refuse logins and mail for now"},
    {"account unlock", "ADDRESS", 1, 1, INPUT_NONE, NULL, "allow them again"},
    {"account limit", "ADDRESS [--quota SIZE] [--recipients-per-hour N|default] [--messages-per-hour N|default]", 1, 7,
     INPUT_NONE, NULL,
     "change, at once, how much mail an account may hold (0: any size), and to how many people elsewhere, in how many "
     "messages, it may write within an hour (0: any number; default: what the settings say); without an option: show "
     "them, and what it has sent"},
    {"account passwd", "ADDRESS [--recovery CODE]", 1, 3, INPUT_CHANGE, NULL,
     "change the password: the old and the new one on standard input"},
    {"app-password add", "ADDRESS --label TEXT [--scope imap,smtp,…]", 3, 5, INPUT_PASSWORD, NULL,
     "make a password for one program; prints it, once"},
    {"app-password list", "ADDRESS [--json]", 1, 2, INPUT_NONE, NULL, "the programs' passwords of an account"},
    {"app-password remove", "ADDRESS ID", 2, 2, INPUT_NONE, NULL, "end one"},
    {"address add", "ADDRESS TARGET…", 2, 100, INPUT_NONE, NULL, "a further address; @DOMAIN for all others of it"},
    {"address list", "[--json]", 0, 1, INPUT_NONE, NULL, "the further addresses"},
    {"address remove", "ADDRESS", 1, 1, INPUT_NONE, NULL, "remove one"},
    {"forward add", "ADDRESS TARGET…", 2, 100, INPUT_NONE, NULL,
     "send mail for an address on to others elsewhere; @DOMAIN for all others of it"},
    {"forward list", "[--json]", 0, 1, INPUT_NONE, NULL, "what is sent on, and where to"},
    {"forward remove", "ADDRESS [TARGET]", 1, 2, INPUT_NONE, NULL, "send it on no more"},
    {"queue list", "[--json]", 0, 1, INPUT_NONE, NULL, "the messages on their way to other servers"},
    {"queue show", "ID [--json]", 1, 2, INPUT_NONE, NULL, "one of them, with its recipients and what was said of them"},
    {"queue retry", "ID|--all", 1, 1, INPUT_NONE, NULL, "try it now, whatever was planned"},
    {"queue hold", "ID|--account ADDRESS", 1, 2, INPUT_NONE, NULL, "do not send it, or all of an account, for now"},
    {"queue release", "ID|--account ADDRESS", 1, 2, INPUT_NONE, NULL, "send it after all"},
    {"queue remove", "ID|--account ADDRESS", 1, 2, INPUT_NONE, NULL,
     "take it out of the queue, without a word to its sender"},
    {"queue accounts", "[--json]", 0, 1, INPUT_NONE, NULL,
     "the accounts whose mail is held, as they look hijacked or by the operator's word"},
    {"reports send", "[--day YYYY-MM-DD|today]", 0, 2, INPUT_NONE, NULL,
     "send what other domains want to be told of TLS and of mail in their name now: of one day, or of all before "
     "today"},
    {"reports", "[DOMAIN] [--days N] [--json]", 0, 4, INPUT_NONE, NULL,
     "what other servers report on the domains: who sends mail in their name, and who could not reach them over TLS"},
    {"check", "ADDRESS [--quick] [--repair] [--json] [--password-stdin]", 1, 5, INPUT_PASSWORD, NULL,
     "read all of an account's mail and say what is damaged, with a password of its or its recovery code; 1 when "
     "something is"},
    {"index", "ADDRESS [--rebuild] [--password-stdin]", 1, 3, INPUT_PASSWORD, NULL,
     "wait until all of an account's mail can be searched; with --rebuild, make its search index anew"},
    {"import",
     "ADDRESS mbox|maildir|eml|imap SOURCE [--folder NAME] [--dry-run] [--again] [--insecure] [--password-stdin]", 3, 9,
     INPUT_NONE, tool_import,
     "bring mail in from files or from another server (imaps://USER@HOST), with folders, flags and dates; what an "
     "import has brought once it does not bring again. Asks for a password of the account or its recovery code, then "
     "for the one at the other server"},
    {"export", "ADDRESS mbox|maildir|eml TARGET [--folder NAME] [--password-stdin]", 3, 6, INPUT_NONE, tool_export,
     "write all of an account's mail into a folder of files; run again, it adds what has come since"},
    {"dns", "DOMAIN [--zone | --json]", 1, 2, INPUT_NONE, tool_dns,
     "the DNS records a domain needs, and how far what is live agrees, 1 where that falls short; --zone: only the "
     "records, for a zone file"},
    {"stop", "", 0, 0, INPUT_NONE, NULL, "finish what is under way and end the server"},
    {"reload", "", 0, 0, INPUT_NONE, NULL, "read certificates and settings again"},
    {"version", "", 0, 0, INPUT_NONE, tool_version, "what this is"},
    {"help", "[COMMAND]", 0, 2, INPUT_NONE, tool_help, "this"},
};

const size_t tool_command_count = COUNT_OF(tool_commands);

const struct tool_command *tool_command_find(int count, char **words, int *ret_words)
{
    for (size_t i = 0; i < tool_command_count; i++) {
        const char *name = tool_commands[i].words;
        const char *space = strchr(name, ' ');
        size_t first = space == NULL ? strlen(name) : (size_t)(space - name);
        if (count < 1 || strlen(words[0]) != first || memcmp(words[0], name, first) != 0)
            continue;
        if (space != NULL && (count < 2 || strcmp(words[1], space + 1) != 0))
            continue;
        *ret_words = space == NULL ? 1 : 2;
        return &tool_commands[i];
    }
    return NULL;
}
