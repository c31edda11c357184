
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the usage room: the state of one request's body, and what is told
 * of its members ("data" is the aiobs_request_t).
 */


#ifndef _AIOBS_REQUEST_H_INCLUDED_
#define _AIOBS_REQUEST_H_INCLUDED_


#include <string.h>
#include <strings.h>

#include "aiobs_apis.h"
#include "aiobs_bytes.h"
#include "aiobs_forms.h"
#include "aiobs_multipart.h"


/* a document's source: what was text before it */

#define AIOBS_REQUEST_SOURCES  3        /* paths are no deeper */

typedef struct {
    uint64_t                bytes;
    uint64_t                wide;
    uint8_t                 text;       /* it is some, too: its type says so */
} aiobs_source_t;


struct aiobs_request_s {
    aiobs_place_t           place;
    aiobs_request_record_t  rec;
    uint64_t                bytes;      /* of text */
    uint64_t                wide;       /* of these, outside of ASCII */
    uint64_t                behind;     /* of these, not a character's first */
    uint64_t                escapes;    /* bytes of escapes, less one of each */
    uint32_t                unit;       /* of the escape under way */
    uint8_t                 escape;     /* bytes of it so far */
    uint8_t                 done;       /* the first document is over */
    uint8_t                 speaks;     /* characters are counted */
    uint8_t                 body;       /* AIOBS_BODY_* */
    uint8_t                 named;      /* a form has named its model */
    uint8_t                 fields;     /* of a form-urlencoded body */
    uint8_t                 sources;    /* under way, in each other */
    aiobs_source_t          source[AIOBS_REQUEST_SOURCES];

    aiobs_multipart_t      *parts;      /* of a form that can be read */

    /* what is above is zero at first */

    aiobs_json_t            json;
};


enum {
    AIOBS_BODY_JSON = 0,
    AIOBS_BODY_PARTS,
    AIOBS_BODY_UNREADABLE
};


extern const aiobs_outcome_handler_t  aiobs_request_outcome;


void aiobs_request_begin(aiobs_request_t *q, const aiobs_node_t *root);
void aiobs_request_scalar(void *data, const aiobs_node_t *node, const char *p,
    size_t len, int string);
void aiobs_request_figure(void *data, const aiobs_node_t *node, int64_t n);
void aiobs_request_text(void *data, const aiobs_node_t *node,
    const uint8_t *p, size_t len);


#endif /* _AIOBS_REQUEST_H_INCLUDED_ */
