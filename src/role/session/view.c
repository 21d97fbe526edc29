#include "role/session/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "role/session/flags.h"

void view_free(struct view *view)
{
    if (view == NULL)
        return;
    uids_deinit(&view->uids);
    free(view->recent);
    free(view);
}

size_t view_count(const struct view *view)
{
    return view->uids.count;
}

uint32_t view_uid(const struct view *view, size_t place)
{
    return uids_at(&view->uids, place);
}

uint32_t view_last_uid(const struct view *view)
{
    return view_count(view) > 0 ? view_uid(view, view_count(view) - 1) : 0;
}

size_t view_find(const struct view *view, uint32_t uid)
{
    return uids_find(&view->uids, uid);
}

size_t view_number(const struct view *view, uint32_t uid)
{
    size_t place = view_find(view, uid);
    return place < view_count(view) && view_uid(view, place) == uid ? place + 1 : 0;
}

/* None came since, and so none can have gone. */
bool view_is_current(const struct view *view, const struct vault_mailbox *mailbox)
{
    return view->uidnext == mailbox->uidnext && view_count(view) == mailbox->total;
}

bool view_is_recent(const struct view *view, uint32_t uid)
{
    if (view->rev2)
        return false;
    for (size_t i = view->recent_count; i-- > 0;)
        if (uid >= view->recent[i].first)
            return uid <= view->recent[i].last;
    return false;
}

size_t view_count_recent(const struct view *view)
{
    size_t count = 0;
    for (size_t i = 0; i < view->recent_count; i++) {
        uint32_t last = view->recent[i].last;
        size_t end = last == UINT32_MAX ? view_count(view) : view_find(view, last + 1);
        count += end - view_find(view, view->recent[i].first);
    }
    return count;
}

static int add_uid(void *arg, const struct vault_member *member)
{
    struct view *view = arg;
    return uids_append(&view->uids, member->uid);
}

static int add_recent(struct view *view, uint32_t first, uint32_t last)
{
    if (first > last || first == 0)
        return 0;
    if (view->recent_count > 0 && view->recent[view->recent_count - 1].last + 1 == first) {
        view->recent[view->recent_count - 1].last = last;
        return 0;
    }
    struct imap_range *more = mem_grow(view->recent, view->recent_count, &view->recent_room, sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    view->recent = more;
    view->recent[view->recent_count++] = (struct imap_range){first, last};
    return 0;
}

/* RFC 3501 §2.3.2: \Recent is for the first session that is told of a message; EXAMINE leaves it for others. */
static int claim_recent(struct view *view, const struct vault_mailbox *mailbox)
{
    if (mailbox->recent_from >= mailbox->uidnext)
        return 0;
    if (view->read_only) {
        uint32_t from = mailbox->recent_from;
        if (view->recent_count > 0 && view->recent[view->recent_count - 1].last >= from)
            from = view->recent[view->recent_count - 1].last + 1;
        return add_recent(view, from, mailbox->uidnext - 1);
    }
    uint32_t from = 0;
    struct vault *vault = view->session->vault;
    int result = vault_begin(vault, VAULT_RELAXED);
    if (result < 0)
        return result;
    result = vault_mailbox_claim_recent(vault, view->mailbox, &from);
    if (result == 0)
        result = vault_commit(vault);
    if (result != 0) {
        vault_rollback(vault);
        return result < 0 ? result : 0;
    }
    return add_recent(view, from, mailbox->uidnext - 1);
}

static int read_new(struct view *view)
{
    uint32_t last = view_last_uid(view);
    struct vault_range range = {last + 1, UINT32_MAX};
    return last == UINT32_MAX ? 0 : vault_member_scan(view->session->vault, view->mailbox, range, add_uid, view);
}

struct gaps {
    struct view *view;
    uint32_t next; /* UID behind the last gap */
    size_t count;
};

static int add_before_gap(void *arg, uint32_t uid, uint64_t modseq)
{
    struct gaps *gaps = arg;
    (void)modseq;
    int result = uids_append_run(&gaps->view->uids, gaps->next, uid - gaps->next);
    gaps->next = uid + 1;
    gaps->count++;
    return result;
}

/*
 * Where the vault remembers every expunge, what there is follows from what has gone, and a million messages need not be
 * walked. Where that does not add up, they are.
 */
static int read_first(struct view *view, const struct vault_mailbox *mailbox)
{
    struct gaps gaps = {.view = view, .next = 1};
    size_t gone = mailbox->uidnext - 1U - mailbox->total;
    if (mailbox->total >= mailbox->uidnext || gone >= VAULT_EXPUNGES_MAX)
        return read_new(view);
    int result = vault_member_expunged(view->session->vault, view->mailbox, VAULT_RANGE_ALL, 0, add_before_gap, &gaps);
    if (result == 0)
        result = uids_append_run(&view->uids, gaps.next, mailbox->uidnext - gaps.next);
    if (result < 0 || gaps.count == gone)
        return result;
    uids_deinit(&view->uids);
    return read_new(view);
}

int view_new(struct session *session, uint64_t mailbox, bool read_only, struct view **ret_view)
{
    AUTO(view) struct view *view = mem_new(sizeof(*view));
    if (view == NULL)
        return -ENOMEM;
    *view = (struct view){.session = session, .mailbox = mailbox, .read_only = read_only};
    struct vault_mailbox now;
    int result = vault_mailbox_get(session->vault, mailbox, &now);
    if (result != 0)
        return result > 0 ? VIEW_GONE : result;
    view->uidvalidity = now.uidvalidity;
    view->flags_seen = now.highest_modseq;
    view->expunged_seen = now.highest_modseq;
    view->keywords = flags_keyword_count(session->vault);
    view->uidnext = now.uidnext;
    result = read_first(view, &now);
    view->shown = view_last_uid(view);
    if (result == 0)
        result = claim_recent(view, &now);
    if (result < 0)
        return result;
    *ret_view = TAKE(view);
    return 0;
}

int view_ranges(const struct view *view, struct imap_set *set, bool by_uid, struct arena *arena,
                struct vault_range **ret_ranges, size_t *ret_count, bool *ret_beyond)
{
    uint32_t largest = by_uid ? view_last_uid(view) : (uint32_t)view_count(view);
    imap_set_fix(set, largest);
    *ret_beyond = !by_uid && (imap_set_beyond(set, largest) || view_count(view) == 0);
    struct vault_range *ranges = arena_alloc_array(arena, set->count + 1, sizeof(*ranges));
    if (ranges == NULL)
        return -ENOMEM;
    size_t count = 0;
    for (size_t i = 0; i < set->count && !*ret_beyond; i++) {
        struct imap_range range = set->ranges[i];
        size_t first = by_uid ? view_find(view, range.first) : range.first - 1;
        size_t end = !by_uid                    ? range.last
                     : range.last == UINT32_MAX ? view_count(view)
                                                : view_find(view, range.last + 1);
        if (first < end)
            ranges[count++] = (struct vault_range){view_uid(view, first), view_uid(view, end - 1)};
    }
    *ret_ranges = ranges;
    *ret_count = count;
    return 0;
}

/* --- telling --- */

struct telling {
    struct view *view;
    struct view_format format;
    struct buf *out;
    size_t left;    /* responses still allowed in this step */
    uint32_t *gone; /* expunged UIDs, rising */
    size_t gone_count;
    uint64_t told;
};

#define STEP_FULL 100 /* ends a walk of the vault early */

static int note_gone(void *arg, uint32_t uid, uint64_t modseq)
{
    (void)modseq;
    struct telling *telling = arg;
    if (view_number(telling->view, uid) == 0)
        return 0;
    if (telling->left == 0)
        return STEP_FULL;
    telling->left--;
    telling->gone[telling->gone_count++] = uid;
    return 0;
}

/* Each expunge lowers the numbers behind it (RFC 3501 §7.4.1). */
static int drop_gone(struct telling *telling)
{
    struct view *view = telling->view;
    struct imap_set_writer vanished;
    if (view->on_gone != NULL)
        view->on_gone(view->gone_arg, telling->gone, telling->gone_count);
    imap_set_writer_start(&vanished, telling->out);
    if (view->resyncs)
        buf_append_text(telling->out, "* VANISHED ");
    for (size_t i = 0; i < telling->gone_count; i++) {
        if (view->resyncs) {
            imap_set_writer_add(&vanished, telling->gone[i]);
        } else {
            buf_append_text(telling->out, "* ");
            buf_append_u64(telling->out, view_number(view, telling->gone[i]) - i);
            buf_append_text(telling->out, " EXPUNGE\r\n");
        }
    }
    imap_set_writer_end(&vanished);
    if (view->resyncs)
        buf_append_text(telling->out, "\r\n");
    return uids_remove(&view->uids, telling->gone, telling->gone_count);
}

static int tell_expunged(struct telling *telling, uint64_t now)
{
    struct view *view = telling->view;
    if (view->expunged_seen == now)
        return 0;
    AUTO_FREE uint32_t *gone = mem_new_array(VIEW_STEP, sizeof(*gone));
    if (gone == NULL)
        return -ENOMEM;
    telling->gone = gone;
    if (view->expunged_next == 0) {
        view->expunged_next = 1;
        view->expunged_aim = now;
    }
    struct vault_range range = {view->expunged_next, UINT32_MAX};
    int result =
        vault_member_expunged(view->session->vault, view->mailbox, range, view->expunged_seen, note_gone, telling);
    if (result >= 0 && telling->gone_count > 0)
        view->expunged_next = gone[telling->gone_count - 1] + 1;
    int dropped = result >= 0 && telling->gone_count > 0 ? drop_gone(telling) : 0;
    telling->gone = NULL;
    if (dropped < 0)
        return dropped;
    if (result < 0)
        return result;
    /* What was expunged meanwhile, behind this walk, is newer than its aim, and met by the next one. */
    if (result == 0) {
        view->expunged_seen = view->expunged_aim;
        view->expunged_next = 0;
    }
    return result;
}

void view_write_counts(const struct view *view, struct buf *out)
{
    buf_append_format(out, "* %zu EXISTS\r\n", view_count(view));
    if (!view->rev2)
        buf_append_format(out, "* %zu RECENT\r\n", view_count_recent(view));
}

static int tell_new(struct telling *telling, const struct vault_mailbox *mailbox)
{
    struct view *view = telling->view;
    size_t before = view_count(view);
    int result = read_new(view);
    if (result == 0)
        view->uidnext = mailbox->uidnext;
    if (result == 0 && view_count(view) > before)
        result = claim_recent(view, mailbox);
    if (result < 0)
        return result;
    if (view_count(view) == before)
        return 0;
    view_write_counts(view, telling->out);
    return 0;
}

void view_begin_fetch(const struct view *view, size_t number, uint32_t uid, struct buf *out)
{
    buf_append_format(out, view->uid_only ? "* %zu UIDFETCH (" : "* %zu FETCH (",
                      view->uid_only ? (size_t)uid : number);
}

static int tell_flags(void *arg, const struct vault_member *member)
{
    struct telling *telling = arg;
    struct view *view = telling->view;
    size_t number = view_number(view, member->uid);
    if (number == 0)
        return 0;
    if (telling->left == 0)
        return STEP_FULL;
    telling->left--;
    telling->told = member->uid;
    struct buf *out = telling->out;
    view_begin_fetch(view, number, member->uid, out);
    if (!view->uid_only && (telling->format.uid || view->resyncs || view->rev2))
        buf_append_format(out, "UID %u ", member->uid);
    if (telling->format.modseq)
        buf_append_format(out, "MODSEQ (%llu) ", (unsigned long long)member->modseq);
    buf_append_text(out, "FLAGS (");
    flags_write(view->session->vault, member->flags, view_is_recent(view, member->uid), out);
    buf_append_text(out, "))\r\n");
    return 0;
}

/*
 * New messages are in the changes too; their flags are not told unasked, as the client is about to fetch them. The
 * walk begins anew in each step, behind the last UID that was told. Where messages only came and went, there is none.
 */
static int tell_changes(struct telling *telling, uint64_t since, const struct vault_mailbox *now, uint32_t known)
{
    struct view *view = telling->view;
    if (now->flags_modseq <= since || known == 0)
        return 0;
    uint32_t from = 1;
    for (;;) {
        telling->left = VIEW_STEP;
        int result = vault_member_changes(view->session->vault, view->mailbox, (struct vault_range){from, known}, since,
                                          tell_flags, telling);
        if (result != STEP_FULL)
            return result;
        from = (uint32_t)telling->told + 1;
    }
}

void view_write_flags(struct view *view, struct buf *out)
{
    uint64_t all = VAULT_SEEN | VAULT_ANSWERED | VAULT_FLAGGED | VAULT_DELETED | VAULT_DRAFT;
    struct vault *vault = view->session->vault;
    view->keywords = flags_keyword_count(vault);
    for (unsigned bit = 0; bit < view->keywords; bit++)
        all |= UINT64_C(1) << (VAULT_KEYWORD_FIRST + bit);
    buf_append_text(out, "* FLAGS (");
    flags_write(vault, all, false, out);
    buf_append_text(out, ")\r\n* OK [PERMANENTFLAGS (");
    if (!view->read_only) {
        flags_write(vault, all, false, out);
        if (view->keywords < VAULT_KEYWORDS_MAX)
            buf_append_text(out, " \\*");
    }
    buf_append_text(out, ")] Flags permitted\r\n");
}

int view_tell(struct view *view, struct view_format format, struct buf *out, bool *ret_more)
{
    struct vault_mailbox now;
    *ret_more = false;
    int result = view->is_gone ? VIEW_GONE : vault_mailbox_get(view->session->vault, view->mailbox, &now);
    if (result < 0)
        return result;
    if (result > 0 || !now.selectable) {
        view->is_gone = true;
        return VIEW_GONE;
    }
    bool tells_flags = !format.is_blind && !format.is_flagless;
    if (tells_flags && flags_keyword_count(view->session->vault) != view->keywords)
        view_write_flags(view, out);
    struct telling telling = {.view = view, .format = format, .out = out, .left = VIEW_STEP};
    if (format.expunge == VIEW_TELL_EXPUNGED) {
        result = tell_expunged(&telling, now.highest_modseq);
        if (result < 0)
            return result;
        *ret_more = result == STEP_FULL;
        if (*ret_more)
            return buf_fault(out);
    }
    uint32_t known = view_last_uid(view);
    uint64_t since = view->flags_seen;
    result = format.is_blind ? 0 : tell_new(&telling, &now);
    if (result == 0 && tells_flags)
        result = tell_changes(&telling, since, &now, known);
    if (result < 0)
        return result;
    if (tells_flags)
        view->flags_seen = now.highest_modseq;
    return buf_fault(out);
}

void view_skip_flags(struct view *view)
{
    struct vault_mailbox now;
    if (vault_mailbox_get(view->session->vault, view->mailbox, &now) == 0)
        view->flags_seen = now.highest_modseq;
}

static int note_held(void *arg, uint32_t uid, uint64_t modseq)
{
    (void)modseq;
    return view_number(arg, uid) != 0 ? VIEW_HOLDS_BACK : 0;
}

int view_holds_back(struct view *view)
{
    return vault_member_expunged(view->session->vault, view->mailbox, VAULT_RANGE_ALL, view->expunged_seen, note_held,
                                 view);
}
