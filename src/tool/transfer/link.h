#pragma once

#include "ipc/transfer.h"
#include "tool/transfer/options.h"

/*
 * The way to the account's session, which does what only it can (ipc/transfer.h). Faults of it are told here, once:
 * what is answered then is -ECONNRESET. Waits, and goes on waiting after a Ctrl-C.
 */
struct link {
    int fd;
    struct buf in;
    struct buf out;
    size_t used; /* bytes of the frame that was lent out last */
};

/*
 * Asks for the credentials on standard input, shows the first to the server, and opens the link. 0, or the exit status,
 * and it is told. other_password: a second one is asked for, which becomes options->password, in memory that lasts.
 */
MUST_USE int link_open(struct link *link, const char *conf_path, struct transfer_options *options, span_t words,
                       bool other_password);
void link_close(struct link *link);

MUST_USE int link_say(struct link *link, const struct transfer *transfer); /* sent when it is much */
MUST_USE int link_flush(struct link *link);

enum link_outcome {
    LINK_HEARD,
    LINK_ENDED, /* the session has done its work, and well */
};
/* What the session says next, valid until the next call. Its progress is shown on the way. */
MUST_USE int link_hear(struct link *link, struct transfer *ret_transfer);
