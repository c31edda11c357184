
/*
 * Copyright (C) the aiobs authors
 *
 * A push reader of multipart/form-data (RFC 7578) for a few fields of it.
 *
 * Who reads such a body behind us may do so in another way: what a key may
 * not ask for is not to be hidden from us in a part that only others see.  So
 * it is read strictly, and whatever could be read in two ways is no form at
 * all: a boundary that stands anywhere else than between parts, lines that do
 * not end with CR LF, folded or broken headers, a name that is escaped or
 * coded, a part that is transfer-encoded, a body that ends too early.
 */


#ifndef _AIOBS_MULTIPART_H_INCLUDED_
#define _AIOBS_MULTIPART_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define AIOBS_MULTIPART_BOUNDARY  70    /* bytes: RFC 2046, 5.1.1 */
#define AIOBS_MULTIPART_NEEDLE    (AIOBS_MULTIPART_BOUNDARY + 2)
#define AIOBS_MULTIPART_LINE      1280  /* of a part's header */
#define AIOBS_MULTIPART_HEADERS   16    /* lines of a part's header */
#define AIOBS_MULTIPART_VALUE     128   /* bytes of a value that are kept */


typedef enum {
    AIOBS_FIELD_OTHER = 0,
    AIOBS_FIELD_MODEL,
    AIOBS_FIELD_STREAM
} aiobs_field_e;


/* p: at most AIOBS_MULTIPART_VALUE bytes; cut: there were more */
typedef void (*aiobs_multipart_pt)(void *data, aiobs_field_e field,
    const char *p, size_t len, int cut);


typedef struct {
    aiobs_multipart_pt  value;
    void               *data;

    uint8_t          state;
    uint8_t          failed;
    uint8_t          closed;        /* the last boundary was seen */
    uint8_t          field;         /* aiobs_field_e, of the part */
    uint8_t          named;         /* it has a name */
    uint8_t          file;          /* and a file name */
    uint8_t          plain;         /* its type is that of a text, or none */
    uint8_t          typed;
    uint8_t          lines;         /* of its header */
    uint8_t          crlf;          /* before what may be a boundary */
    uint8_t          last[2];       /* bytes read before */
    uint8_t          needle_len;
    uint8_t          matched;       /* bytes of the needle */
    uint8_t          fail[AIOBS_MULTIPART_NEEDLE];  /* Knuth, Morris, Pratt */
    uint8_t          needle[AIOBS_MULTIPART_NEEDLE];
    uint16_t         line_len;
    uint16_t         value_len;
    uint8_t          cut;

    char             value_buf[AIOBS_MULTIPART_VALUE + AIOBS_MULTIPART_NEEDLE
                               + 2];
    char             line[AIOBS_MULTIPART_LINE];
} aiobs_multipart_t;


/*
 * type: the value of Content-Type.  0: it is no form; 1: it is, m is ready;
 * -1: it has parts, or other fields, that cannot be told.
 */
int aiobs_multipart_init(aiobs_multipart_t *m, const char *type, size_t len,
    aiobs_multipart_pt value, void *data);

void aiobs_multipart_feed(aiobs_multipart_t *m, const uint8_t *p, size_t len);

/* whether the body was a form from its beginning to its end */
int aiobs_multipart_whole(const aiobs_multipart_t *m);


#endif /* _AIOBS_MULTIPART_H_INCLUDED_ */
