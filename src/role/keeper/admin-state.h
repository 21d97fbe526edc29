#pragma once

#include "role/keeper/admin.h"
#include "role/keeper/domainkeys.h"

/* What the files of the administrator's commands share. */
struct admin_command {
    const struct admin *admin;
    struct task *task;
    struct admin_reply *reply;
    span_t words[ADMIN_WORDS_MAX]; /* after the command's own; options and their values removed */
    unsigned count;
    span_t input;  /* lines not yet read */
    unsigned rows; /* of a list, written so far */
    bool json;
    bool quick;
    bool repair;
    bool rebuild;
    bool again;
    bool by_recovery;
    span_t recovery; /* empty: on standard input */
    span_t quota;
    span_t recipients_per_hour;
    span_t messages_per_hour;
    span_t label;
    span_t scope;
    span_t days;
};

/* They answer 0 and say in the reply how it went, or a fault. */
typedef int admin_function(struct admin_command *command);
admin_function admin_dkim_list, admin_dkim_rotate;
admin_function admin_domain_add, admin_domain_list, admin_domain_remove;
admin_function admin_account_add, admin_account_list, admin_account_remove;
admin_function admin_account_lock, admin_account_unlock, admin_account_passwd;
admin_function admin_account_limit;
admin_function admin_app_add, admin_app_list, admin_app_remove;
admin_function admin_address_add, admin_address_list, admin_address_remove;
admin_function admin_forward_add, admin_forward_list, admin_forward_remove;
admin_function admin_reports;
admin_function admin_owner_check;
admin_function admin_owner_index;
admin_function admin_owner_import, admin_owner_export;

/* Makes the open session of an account end, once what was changed is stored. */
void admin_end_session(struct admin_command *command, uint64_t account, enum admin_gone how);
/* What went wrong and what to do; returns 0. */
int admin_refuse(struct admin_command *command, const char *format, ...) PRINTF_LIKE(2, 3);
int admin_misused(struct admin_command *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* The next line of standard input; false where there is none, or an empty one. */
bool admin_next_line(struct admin_command *command, span_t *ret_line);

/* The account of an address given as a word: 1 and the account, or 0 and it is told, or a fault. */
MUST_USE int admin_account_of(struct admin_command *command, span_t address, struct account *ret_account);
/* 1 and the domain of the first word in its one form, or 0 and it is told. */
MUST_USE int admin_domain_of(struct admin_command *command, char domain[NAME_DOMAIN_MAX + 1]);
/* 1 where the word is an address, or (pattern) @domain; else 0 and it is told. */
MUST_USE int admin_name_of(struct admin_command *command, span_t address, struct name *ret_name);

/* SIZE: digits, and K, M, G or T. 1, or 0 and it is told. */
MUST_USE int admin_size_of(struct admin_command *command, span_t text, uint64_t *ret_size);

/* The account's root secret by its password: 1, or 0 and it is told, or a fault. */
MUST_USE int admin_unlock_root(struct admin_command *command, const struct account *account, span_t password,
                               struct secret **ret_root);
/* The same by its recovery code. */
MUST_USE int admin_unlock_recovery(struct admin_command *command, const struct account *account, span_t text,
                                   struct secret **ret_root);
/* A password credential for the account: hashes, which takes a while. 1, or 0 and it is told, or a fault. */
MUST_USE int admin_make_password(struct admin_command *command, uint64_t account, span_t password,
                                 struct secret **ret_hash, struct credential *ret_credential);
/* New keys for a domain, which takes a while, too. 1, or 0 and it is told, or a fault. */
MUST_USE int admin_make_keys(struct admin_command *command, struct domainkeys_made *ret_made);
/* A new recovery code and its credential. */
MUST_USE int admin_make_recovery(const struct account *account, const struct secret *root,
                                 struct credential *ret_credential, struct secret **ret_text);

/*
 * Lists come in pages. The row function of a walk writes its row between admin_list_row and admin_list_row_end, which
 * is given the keys by which the walk can go on behind it, and ends the walk (with 1) once the page is full.
 */
/* The keys behind which the page starts: "" each where it is the first. They live as long as the command. */
void admin_list_after(const struct admin_command *command, const char **ret_keys, size_t count);
void admin_list_row(struct admin_command *command);
MUST_USE int admin_list_row_end(struct admin_command *command, const char *const *keys, size_t count);
/* The same, for rows that are long: a page has at most so many bytes before its last row. */
MUST_USE int admin_list_row_end_at(struct admin_command *command, size_t page, const char *const *keys, size_t count);
/* What the walk answered goes in; the list's end is written where it was reached. */
MUST_USE int admin_list_end(struct admin_command *command, int result);

/* Seconds since 1970 as 2026-01-31 12:00, UTC; "never" for 0. */
void admin_write_time(struct buf *text, uint64_t seconds);
/* A JSON string, quotes included (RFC 8259 §7). */
void admin_write_json(struct buf *text, const char *string);
void admin_write_json_address(struct buf *text, const char *local, const char *domain);
