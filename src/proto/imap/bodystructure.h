#pragma once

#include "mime/message.h"

/* Appends BODY, the structure without extension data (RFC 3501 §7.4.2). 0, the buffer's fault, -ENOMEM. */
int imap_body_append(const struct mime_part *root, struct buf *line);

/* Appends BODYSTRUCTURE, with extension data. The same message always gives the same bytes. */
int imap_bodystructure_append(const struct mime_part *root, struct buf *line);
