#pragma once

#include "ipc/body.h"
#include "ipc/channel.h"

/*
 * A call that carries bytes: up to BODY_SMALL_MAX of them in the message itself, for which content points to the
 * request's member, more over a socket that goes along. The bytes must live until it returns. As channel_call_within();
 * a peer that stops reading answers all the same, and its answer counts.
 */
MUST_USE int parcel_call(struct task *task, struct channel *channel, struct ipc_message *request, span_t *content,
                         span_t bytes, int64_t timeout_ms, struct ipc_message **ret_reply);
