#include "base/test.h"

#include <errno.h>
#include <string.h>

#include "crypto/kdf.h"
#include "crypto/recordkey.h"

struct party {
    uint8_t public_key[KEY_SIZE];
    struct secret *private_key;
    struct record_receiver *receiver;
};

static void party_make(struct party *party)
{
    AUTO(secret) struct secret *root = NULL;
    assert_int_equal(secret_new_random(KEY_SIZE, &root), 0);
    assert_int_equal(kdf_sealing_pair(root, party->public_key, &party->private_key), 0);
    assert_int_equal(record_receiver_new(party->public_key, party->private_key, &party->receiver), 0);
}

static void party_end(struct party *party)
{
    secret_free(party->private_key);
    record_receiver_free(party->receiver);
}

static void expect_opens(struct party *party, const uint8_t *sealed, const struct secret *content)
{
    AUTO(secret) struct secret *opened = NULL;
    assert_int_equal(record_key_open(party->receiver, sealed, &opened), RECORD_OK);
    assert_true(secret_equal(secret_span(opened), secret_span(content)));
}

static void a_key_opens_for_its_recipient_alone(void **state)
{
    (void)state;
    struct party one;
    struct party other;
    AUTO(secret) struct secret *content = NULL;
    AUTO(secret) struct secret *opened = NULL;
    AUTO(record_sender) struct record_sender *sender = NULL;
    uint8_t sealed[RECORD_SEALED_KEY_LEN];
    party_make(&one);
    party_make(&other);
    assert_int_equal(secret_new_random(RECORD_KEY_LEN, &content), 0);
    assert_int_equal(record_sender_new(&sender), 0);
    assert_int_equal(record_key_seal(sender, content, one.public_key, sealed), 0);
    assert_int_equal(record_key_open(other.receiver, sealed, &opened), RECORD_FORGED);
    for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_equal(record_key_open(one.receiver, sealed, &opened),
                         bit < 8 ? RECORD_UNKNOWN_VERSION : RECORD_FORGED);
        sealed[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    expect_opens(&one, sealed, content);
    party_end(&one);
    party_end(&other);
}

/* More recipients than a sender remembers, and more senders than a recipient does; some come again. */
static void keys_open_whether_their_parties_are_remembered_or_not(void **state)
{
    (void)state;
    enum { PARTIES = 600, SENDERS = 12, ROUNDS = 3 };
    static struct party parties[PARTIES];
    struct record_sender *senders[SENDERS];
    AUTO(secret) struct secret *content = NULL;
    uint8_t sealed[RECORD_SEALED_KEY_LEN];
    for (size_t at = 0; at < PARTIES; at++)
        party_make(&parties[at]);
    for (size_t at = 0; at < SENDERS; at++)
        assert_int_equal(record_sender_new(&senders[at]), 0);
    assert_int_equal(secret_new_random(RECORD_KEY_LEN, &content), 0);
    for (size_t at = 0; at < (size_t)PARTIES * ROUNDS; at++) {
        struct party *party = &parties[at % PARTIES];
        assert_int_equal(record_key_seal(senders[0], content, party->public_key, sealed), 0);
        expect_opens(party, sealed, content);
    }
    for (size_t at = 0; at < (size_t)SENDERS * ROUNDS; at++) {
        assert_int_equal(record_key_seal(senders[at % SENDERS], content, parties[0].public_key, sealed), 0);
        expect_opens(&parties[0], sealed, content);
        expect_opens(&parties[0], sealed, content);
    }
    for (size_t at = 0; at < SENDERS; at++)
        record_sender_free(senders[at]);
    for (size_t at = 0; at < PARTIES; at++)
        party_end(&parties[at]);
}

static void nothing_shows_that_two_keys_are_alike_but_the_same_key(void **state)
{
    (void)state;
    struct party party;
    AUTO(secret) struct secret *one = NULL;
    AUTO(secret) struct secret *other = NULL;
    AUTO(record_sender) struct record_sender *sender = NULL;
    uint8_t sealed[2][RECORD_SEALED_KEY_LEN];
    party_make(&party);
    assert_int_equal(secret_new_random(RECORD_KEY_LEN, &one), 0);
    assert_int_equal(secret_copy(secret_span(one), &other), 0);
    secret_edit(other)[RECORD_KEY_LEN - 1] ^= 1U;
    assert_int_equal(record_sender_new(&sender), 0);
    assert_int_equal(record_key_seal(sender, one, party.public_key, sealed[0]), 0);
    assert_int_equal(record_key_seal(sender, other, party.public_key, sealed[1]), 0);
    size_t behind_sender = 1 + KEY_SIZE;
    assert_memory_equal(sealed[0], sealed[1], behind_sender);
    size_t same = 0;
    for (size_t at = behind_sender; at < RECORD_SEALED_KEY_LEN; at++)
        same += sealed[0][at] == sealed[1][at];
    assert_true(same < 8);
    party_end(&party);
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    static const uint8_t zero[KEY_SIZE];
    struct party party;
    AUTO(secret) struct secret *content = NULL;
    AUTO(secret) struct secret *shorter = NULL;
    AUTO(record_sender) struct record_sender *sender = NULL;
    uint8_t sealed[RECORD_SEALED_KEY_LEN] = {RECORD_KEY_VERSION};
    struct secret *opened = NULL;
    party_make(&party);
    assert_int_equal(secret_new_random(RECORD_KEY_LEN, &content), 0);
    assert_int_equal(secret_new_random(RECORD_KEY_LEN - 1, &shorter), 0);
    assert_int_equal(record_sender_new(&sender), 0);
    assert_int_equal(record_key_open(party.receiver, sealed, &opened), RECORD_FORGED);
    assert_int_equal(record_key_seal(sender, content, zero, sealed), -EINVAL);
    assert_int_equal(record_key_seal(sender, shorter, party.public_key, sealed), -EINVAL);
    party_end(&party);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_opens_for_its_recipient_alone),
        cmocka_unit_test(keys_open_whether_their_parties_are_remembered_or_not),
        cmocka_unit_test(nothing_shows_that_two_keys_are_alike_but_the_same_key),
        cmocka_unit_test(what_is_no_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
