#include <errno.h>
#include <stdlib.h>

#include "role/session/imap/context.h"
#include "role/session/imap/scope.h"
#include "role/session/imap/search.h"

/*
 * ESEARCH (RFC 7377): one search in many mailboxes, one after the other, each in a view of its own that stands in for
 * the client's while it is searched. Those in which nothing is found are not told of.
 */
struct place {
    struct place *next;
    span_t name;
    uint64_t id;
    uint32_t uidvalidity;
};

struct places {
    struct run *run;
    struct place *first;
    struct place **link;
};

/* Each mailbox once, however many parts name it (RFC 7377 §2.2). */
static int add_place(void *arg, const struct vault_mailbox *mailbox)
{
    struct places *places = arg;
    const struct imap_scope *scope = &places->run->command->search.scope;
    const struct view *view = places->run->client->view;
    bool is_selected = view != NULL && view->mailbox == mailbox->id;
    if (!scope_covers(scope, mailbox, is_selected) || !mailbox->selectable)
        return 0;
    struct place *place = arena_alloc(places->run->arena, sizeof(*place));
    if (place == NULL)
        return -ENOMEM;
    *place = (struct place){.id = mailbox->id, .uidvalidity = mailbox->uidvalidity};
    *places->link = place;
    places->link = &place->next;
    return arena_copy(places->run->arena, span_of_text(mailbox->name), &place->name);
}

/* Message numbers and "$" mean something in the selected mailbox alone (RFC 7377 §2.1). */
static bool is_of_selected(const struct imap_search_key *key)
{
    for (; key != NULL; key = key->next)
        if (key->set.saved || is_of_selected(key->children))
            return true;
    return false;
}

static int search_there(struct task *task, struct run *run, struct search_found *found)
{
    struct imap_search_key *keys = run->command->search.keys;
    int result = search_copy_keys(run->arena, keys, &run->command->search.keys);
    if (result == 0)
        result = search_run(task, run, found);
    run->command->search.keys = keys;
    return result;
}

static int search_place(struct task *task, struct run *run, const struct place *place)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO(view) struct view *view = NULL;
    struct search_found found = {0};
    int result = view_new(run->session, place->id, true, &view);
    if (result == 0)
        result = arena_new(CLIENT_ARENA_MAX, &arena);
    if (result != 0)
        return result < 0 ? result : 0; /* deleted meanwhile */
    struct view *own = run->client->view;
    struct arena *own_arena = run->arena;
    run->client->view = view;
    run->arena = arena;
    result = search_there(task, run, &found);
    run->client->view = own;
    run->arena = own_arena;
    if (result == 0 && found.count > 0)
        search_write_in(run, place->name, place->uidvalidity, &found);
    free(found.uids);
    return result == 0 ? client_drain(task, run->client) : result;
}

static int search_places(struct task *task, struct run *run)
{
    struct places places = {.run = run};
    places.link = &places.first;
    int result = vault_mailbox_list(run->vault, add_place, &places);
    for (const struct place *place = places.first; result == 0 && place != NULL; place = place->next)
        result = search_place(task, run, place);
    if (result != 0)
        return result < 0 ? result : search_refuse(run, result);
    return run_ok(run, "Searched");
}

int imap_do_esearch(struct task *task, struct run *run)
{
    const struct imap_scope *scope = &run->command->search.scope;
    bool asks_selected = scope->count == 0;
    for (size_t i = 0; i < scope->count; i++)
        asks_selected |= scope->parts[i].kind == IMAP_SCOPE_SELECTED;
    if (asks_selected && run->client->view == NULL)
        return run_bad(run, "Select a mailbox first");
    if (scope->count == 0)
        return imap_do_search(task, run);
    if ((run->command->search.returns & IMAP_RETURN_SAVE) != 0)
        return run_bad(run, "Only a search of the selected mailbox can be saved"); /* RFC 7377 §2.1 */
    const struct imap_search_key *keys = run->command->search.keys;
    if (imap_keys_have_numbers(keys) || is_of_selected(keys))
        return run_bad(run, "Message numbers belong to one mailbox");
    if (run->command->search.charset.len > 0 && run_is_enabled(run, IMAP_ENABLE_UTF8))
        return run_bad(run, "No CHARSET once UTF-8 is accepted"); /* RFC 6855 §3 */
    if ((run->command->search.returns & IMAP_RETURN_UPDATE) != 0)
        context_refuse(run, "Only of the selected mailbox");
    return search_places(task, run);
}
