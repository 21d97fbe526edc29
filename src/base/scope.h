#pragma once

#include <stddef.h>

/*
 * Clean-up by scope. AUTO_FREE frees a heap block, AUTO_FD closes a descriptor when the name leaves its scope;
 * TAKE and TAKE_FD move the value out, so that the scope no longer owns it.
 * AUTO(type) runs type_free() for any struct that has one: AUTO(arena) struct arena *arena = NULL.
 * SCOPE_OF(type) defines what AUTO(type) needs, once, in the header that declares type_free().
 */
void scope_free(void *pointer_to_pointer);
void scope_close(const int *fd);
int scope_take_fd(int *fd);
void *scope_take(void *pointer_to_pointer);

#define AUTO_FREE __attribute__((cleanup(scope_free)))
#define AUTO_FD __attribute__((cleanup(scope_close)))
#define AUTO(type) __attribute__((cleanup(type##_scope_free)))
#define SCOPE_OF(type)                                                                                                 \
    __attribute__((unused)) static inline void type##_scope_free(struct type **pointer)                                \
    {                                                                                                                  \
        type##_free(*pointer);                                                                                         \
    }

#define TAKE(pointer) ((__typeof__(pointer))scope_take(&(pointer)))
#define TAKE_FD(fd) scope_take_fd(&(fd))
