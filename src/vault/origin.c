#include "vault/origin.h"

#include "base/hash.h"
#include "vault/engine.h"

static int64_t number_of(const struct vault *vault, span_t origin)
{
    return (int64_t)hash_keyed(vault->hash_key, origin);
}

int vault_origin_find(struct vault *vault, span_t origin)
{
    int64_t found = 0;
    return engine_ask(vault, STATEMENT_ORIGIN_FIND, NUMBERS(number_of(vault, origin)), &found);
}

int vault_origin_add(struct vault *vault, span_t origin)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    result = engine_run(vault, STATEMENT_ORIGIN_ADD, NUMBERS(number_of(vault, origin)));
    return engine_step_end(vault, &step, result);
}

int vault_origin_count(struct vault *vault, uint64_t *ret_count)
{
    int64_t count = 0;
    int result = engine_ask(vault, STATEMENT_ORIGIN_COUNT, NO_NUMBERS, &count);
    if (result == 0)
        *ret_count = (uint64_t)count;
    return result;
}
