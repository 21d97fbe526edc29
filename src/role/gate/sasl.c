#include "role/gate/ask.h"

/* What the keeper says to a step that needs it: LOGIN_OK with the next SASL step, or how the login ended. */
static int ask_keeper(struct task *task, struct login *login, struct sasl_exchange *sasl, enum sasl_step *step)
{
    int outcome =
        *step == SASL_STEP_SCRAM_START ? ask_scram_start(task, login, sasl) : ask_scram_finish(task, login, sasl);
    if (outcome == LOGIN_OK)
        *step = sasl_exchange_answer(sasl, buf_span(&login->answer));
    return outcome;
}

int ask_sasl(struct task *task, struct login *login, struct sasl_exchange *sasl, enum sasl_step step,
             login_exchange *exchange, void *arg)
{
    for (;;) {
        int outcome = LOGIN_OK;
        switch (step) {
        case SASL_STEP_CHALLENGE:
            outcome = exchange(task, arg, &step);
            break;
        case SASL_STEP_LOGIN:
            return ask_login(task, login, buf_span(&sasl->user), buf_span(&sasl->password));
        case SASL_STEP_SCRAM_START:
        case SASL_STEP_SCRAM_FINISH:
            outcome = ask_keeper(task, login, sasl, &step);
            break;
        case SASL_STEP_SCRAM_END:
            return LOGIN_OK;
        case SASL_STEP_CANCELLED:
            return LOGIN_CANCELLED;
        case SASL_STEP_MALFORMED:
            return LOGIN_MALFORMED;
        }
        if (outcome != LOGIN_OK)
            return outcome;
    }
}
