#pragma once

#include "crypto/kdf.h"
#include "crypto/record.h"

/*
 * Content keys, sealed to an account's public key (X25519):
 *
 *   version (1) | the sender's public key (32) | tag (16) | content key, encrypted (32)
 *
 * Tag and encryption are under two keys that HKDF makes of the secret which sender and recipient share, with both their
 * public keys for salt: the tag is keyed BLAKE2b of the content key, and the first part of the nonce of XChaCha20 under
 * which the content key stands, as in SIV (RFC 5297 §2.1). Content keys are random, so no two tags are alike.
 */
#define RECORD_KEY_VERSION 2U

/*
 * A key pair for sealing, and what it shares with those it has sealed to: making either costs ten times as much as all
 * else, and under load they serve many messages. Who gets hold of it can open what it has sealed, so its owner frees it
 * soon: within RECORD_SENDER_MS.
 */
struct record_sender;
#define RECORD_SENDER_MS 1000

MUST_USE int record_sender_new(struct record_sender **ret_sender);
void record_sender_free(struct record_sender *sender);

/* -EINVAL where the key is none of RECORD_KEY_LEN bytes, or the public key is no public key. */
MUST_USE int record_key_seal(struct record_sender *sender, const struct secret *content_key,
                             const uint8_t public_key[KEY_SIZE], uint8_t ret_sealed[RECORD_SEALED_KEY_LEN]);

/* A recipient's key pair, and what it shares with the latest senders. It keeps a copy of the private key. */
struct record_receiver;

MUST_USE int record_receiver_new(const uint8_t public_key[KEY_SIZE], const struct secret *private_key,
                                 struct record_receiver **ret_receiver);
void record_receiver_free(struct record_receiver *receiver);

/* An enum record_result or a fault. */
MUST_USE int record_key_open(struct record_receiver *receiver, const uint8_t sealed[RECORD_SEALED_KEY_LEN],
                             struct secret **ret_content_key);

SCOPE_OF(record_sender)
SCOPE_OF(record_receiver)
