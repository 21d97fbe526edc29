#include <assert.h>

#include "proto/smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_command command;
    struct smtp_path path;
    if (smtp_command_parse(span_of(data, size), &command) != SMTP_PARSE_OK)
        return 0;
    bool has_path = command.verb == SMTP_MAIL || command.verb == SMTP_RCPT;
    if (has_path && !command.path.is_null) { /* an address reads as itself */
        span_t address = smtp_path_address(&command.path);
        assert(smtp_address_parse(address, &path) == SMTP_PARSE_OK);
        assert(span_equal(smtp_path_address(&path), address));
    }
    return 0;
}
