#pragma once

#include "role/session/view.h"

/*
 * A command on very many messages is carried out so many at a time, each time in a transaction of its own, and in
 * between the account's other connections are served.
 */
struct slicer {
    const struct view *view;
    struct vault_range *ranges; /* those still to be done; changed while they are sliced */
    size_t count;
    struct vault_range rest; /* of the first one, where its beginning is the end of the slice at hand */
    bool is_cut;
};

void slicer_init(struct slicer *slicer, const struct view *view, struct vault_range *ranges, size_t count);

/* The ranges of the next slice, of at most so many messages (at least 1); 0: all is done. Valid until the next call. */
size_t slicer_next(struct slicer *slicer, size_t most, const struct vault_range **ret_ranges);
bool slicer_is_done(const struct slicer *slicer);
