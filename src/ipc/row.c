#include "ipc/row.h"

#include <string.h>

#include "base/bytes.h"

void recipient_row_get(const uint8_t at[RECIPIENT_ROW_SIZE], struct recipient_row *ret_row)
{
    *ret_row = (struct recipient_row){.account = bytes_get_u64(at), .public_key = at + 8};
}

void recipient_row_put(uint8_t at[RECIPIENT_ROW_SIZE], const struct recipient_row *row)
{
    bytes_put_u64(at, row->account);
    memcpy(at + 8, row->public_key, RECIPIENT_ROW_SIZE - 8);
}

void key_row_get(const uint8_t at[KEY_ROW_SIZE], struct key_row *ret_row)
{
    *ret_row = (struct key_row){.account = bytes_get_u64(at), .sealed_key = at + 8};
}

void key_row_put(uint8_t at[KEY_ROW_SIZE], const struct key_row *row)
{
    bytes_put_u64(at, row->account);
    memcpy(at + 8, row->sealed_key, RECORD_KEY_SIZE);
}

void pending_row_get(const uint8_t at[PENDING_ROW_SIZE], struct pending_row *ret_row)
{
    *ret_row = (struct pending_row){
        .record = bytes_get_u64(at),
        .segment = bytes_get_u64(at + 8),
        .offset = bytes_get_u64(at + 16),
        .length = bytes_get_u64(at + 24),
        .arrival = bytes_get_u64(at + 32),
        .sealed_key = at + 40,
    };
}

void pending_row_put(uint8_t at[PENDING_ROW_SIZE], const struct pending_row *row)
{
    bytes_put_u64(at, row->record);
    bytes_put_u64(at + 8, row->segment);
    bytes_put_u64(at + 16, row->offset);
    bytes_put_u64(at + 24, row->length);
    bytes_put_u64(at + 32, row->arrival);
    memcpy(at + 40, row->sealed_key, RECORD_KEY_SIZE);
}
