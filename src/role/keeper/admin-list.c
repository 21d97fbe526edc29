#include <string.h>

#include "role/keeper/admin-state.h"

void admin_list_after(const struct admin_command *command, const char **ret_keys, size_t count)
{
    span_t rest = command->admin->after;
    bool whole = rest.len > 0 && rest.at[rest.len - 1] == '\0';
    for (size_t at = 0; at < count; at++) {
        size_t end = whole ? span_find_byte(rest, '\0') : 0;
        ret_keys[at] = end < rest.len ? (const char *)rest.at : "";
        rest = span_from(rest, end < rest.len ? end + 1 : rest.len);
    }
}

void admin_list_row(struct admin_command *command)
{
    struct buf *output = &command->reply->output;
    bool is_first = command->admin->after.len == 0 && command->rows == 0;
    command->rows++;
    if (command->json)
        buf_append_byte(output, is_first ? '[' : ',');
}

int admin_list_row_end(struct admin_command *command, const char *const *keys, size_t count)
{
    return admin_list_row_end_at(command, ADMIN_PAGE, keys, count);
}

int admin_list_row_end_at(struct admin_command *command, size_t page, const char *const *keys, size_t count)
{
    struct buf *output = &command->reply->output;
    if (!command->json)
        buf_append_byte(output, '\n');
    if (buf_len(output) < page || buf_fault(output) != 0)
        return buf_fault(output);
    for (size_t at = 0; at < count; at++)
        buf_append(&command->reply->next, span_of(keys[at], strlen(keys[at]) + 1));
    return buf_fault(&command->reply->next) < 0 ? buf_fault(&command->reply->next) : 1;
}

int admin_list_end(struct admin_command *command, int result)
{
    if (result != 0 || !command->json)
        return result < 0 ? result : 0;
    if (command->admin->after.len == 0 && command->rows == 0)
        buf_append_byte(&command->reply->output, '[');
    return buf_append_text(&command->reply->output, "]\n");
}
