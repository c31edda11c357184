
/*
 * Copyright (C) the aiobs authors
 *
 * A push reader of JSON that follows a tree of interesting paths and skips
 * everything else.  Strings and nesting decide what a byte means; nothing is
 * copied but short scalars on those paths.
 */


#ifndef _AIOBS_JSON_H_INCLUDED_
#define _AIOBS_JSON_H_INCLUDED_


#include "aiobs_find.h"
#include "aiobs_usage.h"


#define AIOBS_JSON_DEPTH    512     /* nested containers at most */
#define AIOBS_JSON_PATH     10      /* levels of a path at most */
#define AIOBS_JSON_SCALAR   128     /* bytes of a scalar that are kept */
#define AIOBS_JSON_DIGITS   12      /* of a number without anything else */
#define AIOBS_JSON_SPANS    24      /* noted of one document */
#define AIOBS_JSON_MEMBERS  64      /* of a document, that are foreseen */
#define AIOBS_JSON_NAME      32      /* bytes of such a key, ":" included */


typedef enum {
    AIOBS_NODE_PATH = 0,            /* leads further */
    AIOBS_NODE_STRING,              /* a string, unescaped; slot: which */
    AIOBS_NODE_NUMBER,              /* a number; slot: which figure */
    AIOBS_NODE_TEXT,                /* the text of an answer or a prompt */
    AIOBS_NODE_GROUP,               /* an object: told at begin and end */
    AIOBS_NODE_FLAG,                /* true, false, null */
    AIOBS_NODE_RAW                  /* a container that is text as it stands */
} aiobs_node_e;


typedef struct aiobs_node_s  aiobs_node_t;

/*
 * A list of nodes ends with one without a key, which is that of all other keys
 * if it is no PATH.  The key "*" is any element of an array; one that begins
 * with "~", which is not counted in its length, has letters of either case.  A node may have children whatever its type: the
 * value decides.
 */

struct aiobs_node_s {
    const char          *key;
    uint8_t              len;       /* of the key */
    uint8_t              type;      /* aiobs_node_e */
    uint8_t              slot;
    const aiobs_node_t  *children;
};


typedef struct {
    /* p: not terminated; cut at AIOBS_JSON_SCALAR */
    void  (*scalar)(void *data, const aiobs_node_t *node, const char *p,
                    size_t len, int string);
    /* a NUMBER of 1 to AIOBS_JSON_DIGITS digits: as scalar() of these */
    void  (*figure)(void *data, const aiobs_node_t *node, int64_t n);
    /* pieces of a string as they stand there, escapes included, or of a RAW */
    void  (*text)(void *data, const aiobs_node_t *node, const uint8_t *p,
                  size_t len);
    /* a container of type GROUP opens (1) or closes (0) */
    void  (*group)(void *data, const aiobs_node_t *node, int open);
    /* a document, or an element of the outermost array, begins (1), ends (0) */
    void  (*document)(void *data, int begin);
} aiobs_json_handler_t;


/* values whose content says nothing about the rest of their document */

typedef enum {
    AIOBS_SPAN_TEXT = 0,            /* a string that is a TEXT node */
    AIOBS_SPAN_STRING,              /* a string, a scalar that nobody asks for */
    AIOBS_SPAN_SCALAR,
    AIOBS_SPAN_BLANKS,              /* spaces before the last brace, if any */
    AIOBS_SPAN_FIGURE               /* digits of one that is kept; its slot above */
} aiobs_span_e;

typedef struct {
    uint16_t                     start;     /* of a string: behind its quote */
    uint16_t                     end;
    uint16_t                     type;      /* aiobs_span_e, slot << 8 */
} aiobs_span_t;

typedef struct {
    const uint8_t               *base;      /* at most 64 KB before */
    uint8_t                      n;         /* above AIOBS_JSON_SPANS: more */
    aiobs_span_t                 span[AIOBS_JSON_SPANS];
} aiobs_spans_t;


/*
 * Documents of one kind mostly have the same members in the same order: the
 * n-th key is compared with the n-th of the document before, and looked for
 * only when it is another.
 */

typedef struct {
    const aiobs_node_t          *list;      /* of the object it is in */
    const aiobs_node_t          *node;
    uint8_t                      len;
    uint8_t                      key[AIOBS_JSON_NAME];   /* with quotes and ":" */
} aiobs_json_member_t;


#define AIOBS_JSON_START  0         /* the state between documents */

typedef struct {
    const aiobs_node_t          *root;
    const aiobs_json_handler_t  *handler;
    void                        *data;

    aiobs_spans_t               *spans;     /* to be filled, or NULL */
    const aiobs_node_t         **nodes;     /* of these, or NULL */
    const uint8_t               *start;     /* of the value under way */

    const aiobs_node_t          *stack[AIOBS_JSON_PATH + 1];
    const aiobs_node_t          *groups[AIOBS_JSON_PATH + 1];
    aiobs_json_member_t         *members;   /* of the document before */
    const aiobs_node_t          *node;      /* of the value under way */
    uint64_t                     objects[AIOBS_JSON_DEPTH / 64];
    int                          depth;
    uint8_t                      state;
    uint8_t                      escaped;   /* 1: after "\", 2 to 5: in \uXXXX */
    uint8_t                      failure;   /* aiobs_failure_e */
    uint8_t                      list;      /* the outermost is an array */
    uint8_t                      first;     /* and has no element yet */
    uint8_t                      member;    /* of the document, how many */
    uint32_t                     unit;      /* of \uXXXX */
    uint32_t                     high;      /* a surrogate waiting */
    size_t                       len;
    char                         buf[AIOBS_JSON_SCALAR + 4];
} aiobs_json_t;


/* root: the children of the document's object */
void aiobs_json_init(aiobs_json_t *j, const aiobs_node_t *root,
    const aiobs_json_handler_t *handler, void *data);

/* after a document is over, or broken: ready for the next */
void aiobs_json_reset(aiobs_json_t *j);

/* failures are kept in j->failure; nothing is read after one */
void aiobs_json_feed(aiobs_json_t *j, const uint8_t *p, size_t len);

/* the same, but not further than to the end of a document; where that is */
const uint8_t *aiobs_json_document(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last);

/* true between documents, false inside of one */

static inline int
aiobs_json_idle(const aiobs_json_t *j)
{
    return j->state == AIOBS_JSON_START && j->depth == 0;
}


#endif /* _AIOBS_JSON_H_INCLUDED_ */
