#pragma once

#include "base/buf.h"
#include "proto/sasl/plain.h"

/*
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), the server's side: parsing, and the mathematics. Pure.
 */
#define SCRAM_KEY_SIZE 32U
#define SCRAM_NONCE_LEN 24U         /* of ours, as text */
#define SCRAM_CLIENT_NONCE_MAX 512U /* of the client's */
#define SCRAM_ITERATIONS 4096U      /* RFC 7677 §4: at least */

/* What the client says about channel binding (RFC 5802 §7, gs2-cbind-flag). */
enum scram_binding { SCRAM_BINDING_UNSUPPORTED, SCRAM_BINDING_NOT_OFFERED, SCRAM_BINDING_USED };

struct scram_first {
    enum scram_binding binding;
    span_t binding_type; /* with SCRAM_BINDING_USED */
    span_t gs2_header;   /* as sent */
    span_t bare;         /* client-first-message-bare, as sent */
    span_t user_quoted;  /* with "=2C" and "=3D"; see scram_name_unquote */
    span_t nonce;
};

struct scram_final {
    span_t binding; /* of c=, in base64 as sent */
    span_t nonce;
    span_t without_proof; /* client-final-message-without-proof, as sent */
    uint8_t proof[SCRAM_KEY_SIZE];
};

/* An enum sasl_result. Spans point into message. A mandatory extension (m=) is malformed for us (RFC 5802 §5.1). */
MUST_USE int scram_first_parse(span_t message, struct scram_first *ret_first);
MUST_USE int scram_final_parse(span_t message, struct scram_final *ret_final);
MUST_USE int scram_name_unquote(span_t quoted, struct buf *name);

/* Does c= say what it must: the gs2 header, and with SCRAM_BINDING_USED the channel's binding data (RFC 5802 §6)? */
MUST_USE int scram_binding_check(span_t binding_base64, span_t gs2_header, span_t binding_data);

struct scram_keys {
    uint8_t client[SCRAM_KEY_SIZE];
    uint8_t stored[SCRAM_KEY_SIZE];
    uint8_t server[SCRAM_KEY_SIZE];
};

/* From a password (RFC 5802 §3). The caller wipes the result. */
MUST_USE int scram_keys_derive(span_t password, span_t salt, uint32_t iterations, struct scram_keys *ret_keys);

/* SASL_OK and the client's key where the proof fits stored; SASL_REFUSED where it does not. */
MUST_USE int scram_proof_open(const uint8_t proof[SCRAM_KEY_SIZE], const uint8_t stored[SCRAM_KEY_SIZE],
                              span_t auth_message, uint8_t ret_client_key[SCRAM_KEY_SIZE]);
MUST_USE int scram_server_signature(const uint8_t server[SCRAM_KEY_SIZE], span_t auth_message,
                                    uint8_t ret_signature[SCRAM_KEY_SIZE]);
