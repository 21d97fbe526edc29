#include "base/log.h"
#include "role/session/session.h"

#define SAY_EVERY_MS 10000 /* a client may ask for what is damaged again and again */

static void say(struct session *session, uint64_t times)
{
    struct ipc_message message = {.type = IPC_damage, .damage = {.times = times}};
    int result = channel_send(wiring_supervisor(session->wiring), &message);
    if (result < 0)
        log_warn("session.damage.unsaid", F_FAULT(result));
    session->damage = 0;
}

void damage_note(struct session *session)
{
    int64_t now = loop_now(session->loop);
    session->damage++;
    if (session->damage_said != 0 && now - session->damage_said < SAY_EVERY_MS)
        return;
    session->damage_said = now;
    say(session, session->damage);
}

void damage_none(struct session *session)
{
    session->damage_said = 0;
    say(session, 0);
}
