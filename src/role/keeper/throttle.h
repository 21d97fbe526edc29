#pragma once

#include "base/scope.h"
#include "base/span.h"

/*
 * Slows down guessing. Failures count against the account that was tried and against the client's network (/24, /64);
 * beyond the allowed number each further attempt waits, longer each time, up to a limit. Attempts of one network
 * wait in turn; attempts at one account from several networks wait side by side, so that strangers cannot
 * fill the queue before its owner. From a network where the account's owner logged in lately, only failures at this
 * account from there count: a stranger slows nobody down but himself. Pure: the time is given, in milliseconds.
 * Tables are bounded; when one is full, what was touched longest ago is forgotten.
 */
struct throttle;

#define THROTTLE_ENTRIES_MAX 65536U
#define THROTTLE_TRUSTED_MAX 16384U
#define THROTTLE_DELAY_MAX 30000         /* of one attempt */
#define THROTTLE_QUEUE_MAX 60000         /* of all that wait before it */
#define THROTTLE_HALF_LIFE 600000        /* failures are halved after so long without another */
#define THROTTLE_TRUST (30LL * 86400000) /* how long a login is remembered */
#define THROTTLE_NEWS_EVERY 86400000LL   /* how often one is news again */

enum throttle_result { THROTTLE_GO, THROTTLE_REFUSE };
enum throttle_event { THROTTLE_FAILED, THROTTLE_SUCCEEDED };

/* failures: how many are free; delay: of the first attempt after them. key: 16 random bytes. */
MUST_USE int throttle_new(uint32_t failures, int64_t delay, const uint8_t key[16], struct throttle **ret_throttle);
void throttle_free(struct throttle *throttle);

/* How long the attempt has to wait before it is judged; THROTTLE_REFUSE where that would be too long. user: in one
 * form per account; client: a network address as text. */
MUST_USE int throttle_ask(struct throttle *throttle, int64_t now, span_t user, span_t client, int64_t *ret_wait);
/*
 * How it ended. A fault means that it could not be counted. guess: the password, if it is known, of which no more than
 * a short keyed hash is kept: from a trusted network the same wrong one again is a forgotten device, and counts once.
 */
MUST_USE int throttle_tell(struct throttle *throttle, int64_t now, span_t user, span_t client, span_t guess,
                           enum throttle_event event);

/*
 * What is trusted outlives the process where its owner keeps it: a pair of account and network as a keyed hash, and
 * when its last login was. throttle_recall tells one that was kept, oldest first, under the key it was hashed with;
 * throttle_news calls for each login that has not been kept yet, and counts it as kept where the function answers 0
 * (any other result ends the walk, and is passed up).
 */
typedef int throttle_news_function(void *arg, uint64_t pair, int64_t last);
MUST_USE int throttle_recall(struct throttle *throttle, uint64_t pair, int64_t last);
MUST_USE int throttle_news(struct throttle *throttle, throttle_news_function *function, void *arg);

SCOPE_OF(throttle)
