#pragma once

#include <openssl/evp.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trust/dkim/signature.h"
#include "trust/dmarc/record.h"
#include "zone.h"

#define PROBE_WORDS_MAX 16U

/* What the commands of probe.c work on. */
struct probe {
    struct zone *zone;
    struct arena *arena;
    struct buf message;
    enum dmarc_edition edition;
};

/* probe-dkim.c, and at the end keys to sign with. */
void probe_dkim(struct probe *probe, char **words);
void probe_dkim_sign(struct probe *probe, char **words);

/* probe-judge.c */
void probe_judge(struct probe *probe, char **words);
void probe_arc_seal(struct probe *probe, char **words);

EVP_PKEY *probe_load_key(const char *path);
enum dkim_algorithm probe_algorithm(const EVP_PKEY *key);
int probe_sign_hash(void *key, enum dkim_algorithm algorithm, span_t selector, const uint8_t *hash,
                    struct buf *signature);
void probe_print_hex(span_t bytes);
