#pragma once

#include "proto/smtp/command.h"

/* One parameter of MAIL or RCPT, `NAME` or `NAME=value`, into the command it belongs to. */
MUST_USE enum smtp_parse smtp_parameter_parse(span_t parameter, struct smtp_command *command);

/* RFC 3461 §4: printable ASCII without '+' and '=', or '+' and two hexadecimal digits; not empty. */
bool smtp_is_xtext(span_t text);
