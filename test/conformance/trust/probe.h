#pragma once

#include "base/arena.h"
#include "zone.h"

#define PROBE_WORDS_MAX 16U

/* What the commands of probe.c work on. */
struct probe {
    struct zone *zone;
    struct arena *arena;
};
