#include "base/scope.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void scope_free(void *pointer_to_pointer)
{
    free(scope_take(pointer_to_pointer));
}

void scope_close(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

int scope_take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* Copied bytewise: the pointer's own type is unknown here. */
void *scope_take(void *pointer_to_pointer)
{
    void *taken = NULL;
    void *none = NULL;
    memcpy(&taken, pointer_to_pointer, sizeof(taken));
    memcpy(pointer_to_pointer, &none, sizeof(none));
    return taken;
}
