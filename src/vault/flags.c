#include "vault/engine.h"

/*
 * A change of flags on its way through a mailbox. One statement for each stretch of members that change takes a fifth
 * of the time of one for each member; it finds out by the same rule which of them do.
 */
struct storing {
    struct vault *vault;
    const struct vault_flag_change *change;
    uint64_t kept;   /* of the flags a member has */
    uint64_t added;  /* to those */
    uint64_t modseq; /* of all that change */
    struct engine_stretch stretch;
    struct engine_counters counters;
    bool changed;
};

static void find_bits(struct storing *storing)
{
    const struct vault_flag_change *change = storing->change;
    storing->kept = change->mode == VAULT_FLAGS_REPLACE ? 0 : UINT64_MAX;
    storing->added = change->flags;
    if (change->mode == VAULT_FLAGS_REMOVE) {
        storing->kept = ~change->flags;
        storing->added = 0;
    }
}

/* SQLite prepares to undo a statement that may change many, which costs more than changing one. */
static int write_stretch(struct storing *storing, struct vault_range uids)
{
    uint64_t since = storing->change->unchanged_since;
    return engine_run(storing->vault, uids.first == uids.last ? STATEMENT_MEMBER_FLAGS_ONE : STATEMENT_MEMBER_FLAGS,
                      NUMBERS((int64_t)storing->stretch.walk->mailbox, uids.first, uids.last, (int64_t)storing->kept,
                              (int64_t)storing->added, (int64_t)storing->modseq,
                              since > INT64_MAX ? INT64_MAX : (int64_t)since));
}

static int store_one(void *arg, const struct vault_member *member)
{
    struct storing *storing = arg;
    const struct vault_flag_change *change = storing->change;
    if (member->modseq > change->unchanged_since)
        return change->on_refused == NULL ? 0 : change->on_refused(change->arg, member);
    struct vault_member now = *member;
    now.flags = (member->flags & storing->kept) | storing->added;
    if (now.flags != member->flags) {
        now.modseq = storing->modseq;
        struct vault_range done;
        int result = engine_stretch_add(&storing->stretch, now.uid, &done) ? write_stretch(storing, done) : 0;
        if (result != 0)
            return result;
        engine_count(&storing->counters, -1, member->flags, member->size);
        engine_count(&storing->counters, 1, now.flags, now.size);
        storing->changed = true;
    }
    return change->on_done == NULL ? 0 : change->on_done(change->arg, &now);
}

static int store(struct storing *storing)
{
    uint64_t mailbox = storing->stretch.walk->mailbox;
    int result = engine_walk(storing->vault, storing->stretch.walk, store_one, storing);
    if (result == 0 && storing->changed)
        result = write_stretch(storing, storing->stretch.uids);
    if (result != 0 || !storing->changed)
        return result;
    storing->vault->modseq = storing->modseq;
    storing->counters.flagged = storing->modseq;
    return engine_counters_put(storing->vault, mailbox, &storing->counters, storing->modseq);
}

int vault_member_store(struct vault *vault, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                       const struct vault_flag_change *change)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    struct engine_walk walk = {.mailbox = mailbox, .ranges = ranges, .count = count};
    struct storing storing = {.vault = vault, .change = change, .modseq = vault->modseq + 1, .stretch.walk = &walk};
    find_bits(&storing);
    return engine_step_end(vault, &step, store(&storing));
}
