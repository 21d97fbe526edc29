#include "base/list.h"

void list_init(struct list *list)
{
    list->ends = (struct list_link){&list->ends, &list->ends};
}

bool list_is_empty(const struct list *list)
{
    return list->ends.next == &list->ends;
}

static void insert(struct list_link *link, struct list_link *previous, struct list_link *next)
{
    *link = (struct list_link){next, previous};
    previous->next = link;
    next->previous = link;
}

void list_push(struct list *list, struct list_link *link)
{
    insert(link, list->ends.previous, &list->ends);
}

void list_push_front(struct list *list, struct list_link *link)
{
    insert(link, &list->ends, list->ends.next);
}

void list_remove(struct list_link *link)
{
    if (link->next == NULL)
        return;
    link->next->previous = link->previous;
    link->previous->next = link->next;
    *link = (struct list_link){NULL, NULL};
}

struct list_link *list_pop(struct list *list)
{
    struct list_link *first = list_first(list);
    if (first != NULL)
        list_remove(first);
    return first;
}

struct list_link *list_first(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->ends.next;
}

struct list_link *list_after(const struct list *list, const struct list_link *link)
{
    return link->next == &list->ends ? NULL : link->next;
}
