#pragma once

#include "proto/smtp/command.h"

/*
 * Paths (RFC 5321 §4.1.2): takes "<...>" off the front of *rest into *ret_path. SMTP_PARSE_OK or SMTP_PARSE_ADDRESS.
 * A missing pair of brackets is an error (RFC 5321 §3.3).
 */
MUST_USE enum smtp_parse smtp_path_take(span_t *rest, struct smtp_path *ret_path);

/* A domain or address literal as EHLO takes it (RFC 5321 §4.1.1.1); underscores are let through, as many hosts have
 * them in their names. */
bool smtp_domain_is_valid(span_t domain, bool *ret_is_utf8);
bool smtp_literal_is_valid(span_t literal);
