
/*
 * Copyright (C) the aiobs authors
 *
 * Protocol Buffers, as far as OTLP needs them: a message is written straight
 * into its buffer.  A span's attributes are known one after the other and go
 * out as bytes; protobuf-c would have them as a tree of structs first, each
 * allocated, for a message of which a dozen fields are used.
 *
 * https://protobuf.dev/programming-guides/encoding/
 */


#ifndef _AIOBS_PROTOBUF_H_INCLUDED_
#define _AIOBS_PROTOBUF_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define AIOBS_PB_TEXT_MAX  512      /* bytes of a text, the rest is cut */
#define AIOBS_PB_KEY_MAX   46       /* bytes of a key that is a constant */


/* wire types */
#define AIOBS_PB_VARINT   0
#define AIOBS_PB_FIXED64  1
#define AIOBS_PB_BYTES    2
#define AIOBS_PB_FIXED32  5


/* what does not fit sets "full"; nothing is ever written past end */

typedef struct {
    unsigned char  *pos;
    unsigned char  *end;
    int             full;
} aiobs_pb_t;


void aiobs_pb_varint(aiobs_pb_t *pb, int field, uint64_t n);
void aiobs_pb_fixed32(aiobs_pb_t *pb, int field, uint32_t n);
void aiobs_pb_fixed64(aiobs_pb_t *pb, int field, uint64_t n);
void aiobs_pb_bytes(aiobs_pb_t *pb, int field, const void *data, size_t len);

/* the same, cut and made valid UTF-8: a message with other text is refused */
void aiobs_pb_text(aiobs_pb_t *pb, int field, const void *data, size_t len);

/*
 * A message inside, of less than 2 MB.  Its length is written last, in three
 * bytes whatever it is: readers take that.
 */
unsigned char *aiobs_pb_begin(aiobs_pb_t *pb, int field);
void aiobs_pb_end(aiobs_pb_t *pb, unsigned char *mark);

/*
 * KeyValue of opentelemetry.proto.common.v1, field: 15 at most.  Keys that are
 * known beforehand are constants that hold the field as it is written.
 */

typedef struct {
    unsigned char  tag;
    unsigned char  len;
    char           name[AIOBS_PB_KEY_MAX];      /* need not end with NUL */
} aiobs_pb_key_t;

#define aiobs_pb_key(name)  { 1 << 3 | 2, sizeof(name) - 1, name }

void aiobs_pb_key_text(aiobs_pb_t *pb, int field, const aiobs_pb_key_t *key,
    const void *data, size_t len);
void aiobs_pb_key_int(aiobs_pb_t *pb, int field, const aiobs_pb_key_t *key,
    int64_t n);
void aiobs_pb_key_double(aiobs_pb_t *pb, int field, const aiobs_pb_key_t *key,
    double n);
void aiobs_pb_key_bool(aiobs_pb_t *pb, int field, const aiobs_pb_key_t *key,
    int n);

/* an array of texts, separated by commas in data */
void aiobs_pb_key_list(aiobs_pb_t *pb, int field, const aiobs_pb_key_t *key,
    const void *data, size_t len);

/* the same for any key, which ends with NUL */
void aiobs_pb_attr_text(aiobs_pb_t *pb, int field, const char *key,
    const void *data, size_t len);
void aiobs_pb_attr_int(aiobs_pb_t *pb, int field, const char *key, int64_t n);
void aiobs_pb_attr_double(aiobs_pb_t *pb, int field, const char *key,
    double n);

/* bytes that n takes as a varint, of 7 bits each */

static inline size_t
aiobs_pb_size(uint64_t n)
{
    return (size_t) (70 - __builtin_clzll(n | 1)) / 7;
}


/* writes it; returns what follows */

static inline unsigned char *
aiobs_pb_put(unsigned char *p, uint64_t n)
{
    while (n > 0x7f) {
        *p++ = (unsigned char) (n | 0x80);
        n >>= 7;
    }

    *p++ = (unsigned char) n;

    return p;
}


/* one field of a message that is read */

typedef struct {
    int                   number;
    int                   wire;     /* type */
    uint64_t              n;        /* of a varint */
    const unsigned char  *data;     /* of the others */
    size_t                len;
} aiobs_pb_field_t;

/* --- aiobs_protobuf_read.c --- */

/* 1: a field; 0: the end; -1: no message */
int aiobs_pb_next(const unsigned char **p, const unsigned char *end,
    aiobs_pb_field_t *field);


#endif /* _AIOBS_PROTOBUF_H_INCLUDED_ */
