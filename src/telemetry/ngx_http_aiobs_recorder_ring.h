
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the recorder: what lies in the zone, and how it is read.
 */


#ifndef _NGX_HTTP_AIOBS_RECORDER_RING_H_INCLUDED_
#define _NGX_HTTP_AIOBS_RECORDER_RING_H_INCLUDED_


#include "ngx_http_aiobs_telemetry.h"
#include "../ngx_http_aiobs_process.h"


#define NGX_HTTP_AIOBS_SLOT_SIZE     2048   /* bytes of a record, with head */
#define NGX_HTTP_AIOBS_FLIGHTS       128    /* shown of one process */


/*
 * What is written before is seen before what is written after; likewise what
 * is read.  Cheaper than a full barrier, and enough for one who writes and
 * others who look whether it has changed meanwhile.
 */
#define ngx_http_aiobs_written()  __atomic_thread_fence(__ATOMIC_RELEASE)
#define ngx_http_aiobs_read()     __atomic_thread_fence(__ATOMIC_ACQUIRE)


/*
 * One finished request.  Whoever writes holds the slot by his pid: one of a
 * dead process is taken over.  number is 0 while it is written and grows with
 * every record, so that what a reader has copied is whole when it is the same
 * afterwards.
 */

typedef struct {
    ngx_atomic_t                writer;
    ngx_atomic_t                number;
    uint64_t                    duration;   /* milliseconds */
    int64_t                     sec;        /* when it was logged */
    uint32_t                    usec;
    uint16_t                    status;
    uint16_t                    len;        /* of the figures */
} ngx_http_aiobs_record_head_t;


/*
 * Figures as they are, to become text when they are asked for: number and type,
 * a byte each, then 8 bytes of a number, or 2 of a length and the string.
 */

typedef struct {
    ngx_http_aiobs_record_head_t  head;
    u_char                        data[NGX_HTTP_AIOBS_SLOT_SIZE
                                    - sizeof(ngx_http_aiobs_record_head_t)];
} ngx_http_aiobs_record_t;


/* one request under way, of the process whose table it is in */

struct ngx_http_aiobs_flight_s {
    ngx_atomic_t                seq;        /* odd: being written */
    uint64_t                    start;      /* ms since 1970; 0: none */
    ngx_uint_t                  answering;
    uint16_t                    len[6];
    u_char                      request_id[NGX_HTTP_AIOBS_REQUEST_ID_MAX];
    u_char                      method[16];
    u_char                      path[128];
    u_char                      endpoint[64];
    u_char                      user[64];
    u_char                      model[64];
};


typedef struct {
    ngx_atomic_t                pid;        /* 0: nobody's */
    ngx_atomic_t                more;       /* under way, but not in the table */
    ngx_http_aiobs_flight_t    *flights;    /* NULL: never had any */
} ngx_http_aiobs_flights_t;


struct ngx_http_aiobs_recorder_s {
    ngx_uint_t                  capacity;
    ngx_atomic_t                next;       /* records ever made */
    ngx_http_aiobs_flights_t    processes[NGX_MAX_PROCESSES];
    ngx_http_aiobs_record_t     records[1];
};


/* this process'; NULL where nothing is recorded */
extern ngx_http_aiobs_recorder_t  *ngx_http_aiobs_recorder;


/* a copy of the n-th record ever made; NGX_DECLINED: not there (any more) */
ngx_int_t ngx_http_aiobs_recorder_read(ngx_uint_t n,
    ngx_http_aiobs_record_t *copy);

/* its figures; strings lie in the record */
void ngx_http_aiobs_record_values(ngx_http_aiobs_record_t *record,
    ngx_http_aiobs_values_t *values);

/* as one JSON object; json: room for NGX_HTTP_AIOBS_LINE_ROOM; its length */
size_t ngx_http_aiobs_record_json(ngx_http_aiobs_record_t *record,
    u_char *json);

/* a copy; NGX_DECLINED: none there, or it cannot be had */
ngx_int_t ngx_http_aiobs_flight_read(ngx_http_aiobs_flight_t *flight,
    ngx_http_aiobs_flight_t *copy);

/* NULL: that process is not there, or has none */
ngx_http_aiobs_flights_t *ngx_http_aiobs_flights_of(ngx_uint_t process);

void ngx_http_aiobs_flight_init_process(ngx_slab_pool_t *shpool);


#endif /* _NGX_HTTP_AIOBS_RECORDER_RING_H_INCLUDED_ */
