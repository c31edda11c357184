
/*
 * Copyright (C) the aiobs authors
 *
 * Reading of protobuf messages.
 */


#include "aiobs_protobuf.h"


static int aiobs_pb_get(const unsigned char **p, const unsigned char *end,
    uint64_t *n);


int
aiobs_pb_next(const unsigned char **p, const unsigned char *end,
    aiobs_pb_field_t *field)
{
    uint64_t  n;

    if (*p == end) {
        return 0;
    }

    if (!aiobs_pb_get(p, end, &n) || n >> 3 == 0 || n >> 3 > 0x1fffffff) {
        return -1;
    }

    field->number = (int) (n >> 3);
    field->wire = (int) (n & 7);

    switch (field->wire) {

    case AIOBS_PB_VARINT:
        return aiobs_pb_get(p, end, &field->n) ? 1 : -1;

    case AIOBS_PB_FIXED64:
        n = 8;
        break;

    case AIOBS_PB_FIXED32:
        n = 4;
        break;

    case AIOBS_PB_BYTES:
        if (!aiobs_pb_get(p, end, &n)) {
            return -1;
        }
        break;

    default:
        return -1;
    }

    if (n > (uint64_t) (end - *p)) {
        return -1;
    }

    field->data = *p;
    field->len = (size_t) n;
    *p += n;

    return 1;
}


static int
aiobs_pb_get(const unsigned char **p, const unsigned char *end, uint64_t *n)
{
    int  shift;

    *n = 0;

    for (shift = 0; *p < end && shift < 64; shift += 7) {
        *n |= (uint64_t) (**p & 0x7f) << shift;

        if (*(*p)++ < 0x80) {
            return 1;
        }
    }

    return 0;
}
