#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A doubly linked list through members of its elements; the list owns nothing. A zeroed link is in no list. */
struct list_link {
    struct list_link *next;
    struct list_link *previous;
};

struct list {
    struct list_link ends;
};

void list_init(struct list *list);
bool list_is_empty(const struct list *list);
void list_push(struct list *list, struct list_link *link); /* at the end */
void list_push_front(struct list *list, struct list_link *link);
void list_remove(struct list_link *link);                                            /* harmless when in no list */
struct list_link *list_pop(struct list *list);                                       /* the first, or NULL */
struct list_link *list_first(const struct list *list);                               /* or NULL */
struct list_link *list_after(const struct list *list, const struct list_link *link); /* or NULL */

/* The element whose member the link is. */
#define LIST_ITEM(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))
