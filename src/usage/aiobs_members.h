
/*
 * Copyright (C) the aiobs authors
 *
 * A push reader that tells where the members of a JSON object stand: those of
 * the outermost object and those of the objects directly in it.  It is used
 * where bytes of a document are to be changed and all others kept.
 */


#ifndef _AIOBS_MEMBERS_H_INCLUDED_
#define _AIOBS_MEMBERS_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define AIOBS_MEMBERS_DEPTH   128       /* containers open at a time, at most */
#define AIOBS_MEMBERS_KEY     24        /* bytes of a key that are told apart */


typedef struct {
    int          depth;         /* 1: of the document, 2: of a member */
    const char  *key;           /* as written, without quotes */
    size_t       key_len;       /* AIOBS_MEMBERS_KEY: that or longer */
    uint64_t     key_at;        /* of its opening quote, from the start */
    uint64_t     value_at;      /* of its first byte */
    uint64_t     value_end;     /* behind its last byte */
    char         first;         /* of the value */
    int          empty;         /* {} or [] */
    int          last;          /* nothing follows in its object */
} aiobs_member_t;


/* called when a member has ended, inner ones first */
typedef void (*aiobs_member_pt)(void *data, const aiobs_member_t *member);


typedef struct {
    uint64_t         at;        /* bytes read */
    uint64_t         end;       /* behind the document, 0: not seen */
    uint64_t         open_end;  /* position of the document's last brace */
    uint64_t         objects[AIOBS_MEMBERS_DEPTH / 64];   /* bit: an object */
    int              depth;
    int              state;
    int              is_key;
    int              in_string;
    int              escaped;
    int              failed;
    int              odd_key;   /* an escape in a key that matters */
    uint64_t         value_last;
    struct {
        char         key[AIOBS_MEMBERS_KEY];
        size_t       key_len;
        uint64_t     key_at;
        uint64_t     value_at;
        char         first;
        int          filled;    /* the value has something in it */
    } open[2];
    aiobs_member_pt  member;
    void            *data;
} aiobs_members_t;


void aiobs_members_init(aiobs_members_t *m, aiobs_member_pt member,
    void *data);
void aiobs_members_feed(aiobs_members_t *m, const uint8_t *p, size_t len);

/* true: one whole object was read, and nothing but white space around it */
int aiobs_members_done(const aiobs_members_t *m);


#endif /* _AIOBS_MEMBERS_H_INCLUDED_ */
