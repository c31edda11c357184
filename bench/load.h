
/*
 * Copyright (C) the aiobs authors
 *
 * A request and its answer, of load.c.
 */


#ifndef _LOAD_H_INCLUDED_
#define _LOAD_H_INCLUDED_


#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define LOAD_HEAD   8192        /* bytes of an answer's head */
#define LOAD_TIMES  4000000     /* answers of a slice */

#define load_fail(...)                                                        \
    do { fprintf(stderr, "load: " __VA_ARGS__); fputc('\n', stderr);          \
         exit(1); } while (0)


typedef struct {
    char       *text;           /* before the key, and all if there is none */
    char       *rest;           /* after it */
    uint64_t    keys;           /* 0: any */
    uint64_t    last;           /* the one that was sent */
    int         once;
} request_t;


typedef struct {
    int         fd;
    int         beside;
    int         busy;
    int         chunked;
    int64_t     left;           /* bytes; -1: the head is not complete */
    uint64_t    began;
    size_t      len;
    char        head[LOAD_HEAD];
    char        tail[8];        /* the last bytes, where it is chunked */
} conn_t;


typedef struct {
    uint64_t    answers;
    uint64_t    failed;
    uint64_t    beside;
    uint64_t    busy;
    uint64_t    end;            /* no request is sent from then on */
} slice_t;


extern uint64_t  load_times[LOAD_TIMES];        /* of a slice's answers */
extern uint64_t  load_seed;                     /* not 0 */


/* nanoseconds */
uint64_t load_now(void);

/* from a file; keys: its KEYS as the command line has them */
void load_request(request_t *r, const char *name, const char *keys);

/* one of them, on a connection that is not busy */
void load_send(conn_t *c, request_t *r, slice_t *slice);

/* what has come; the connection is busy no more when that is all */
void load_read(conn_t *c, slice_t *slice);


#endif /* _LOAD_H_INCLUDED_ */
