
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the agents room: what lies in the zone.
 */


#ifndef _NGX_HTTP_AIOBS_AGENTS_ZONE_H_INCLUDED_
#define _NGX_HTTP_AIOBS_AGENTS_ZONE_H_INCLUDED_


#include "ngx_http_aiobs_agents.h"
#include "../metrics/ngx_http_aiobs_families.h"


#define NGX_HTTP_AIOBS_ENDPOINTS_MAX   256
#define NGX_HTTP_AIOBS_RAG_SLICES      60   /* of a window */
#define NGX_HTTP_AIOBS_SESSION_ID_LEN  16   /* of a SHA-256 */
#define NGX_HTTP_AIOBS_SESSION_SLICE   256  /* entries looked at under a lock */
#define NGX_HTTP_AIOBS_SESSION_TURN    4096 /* the same in one turn */
#define NGX_HTTP_AIOBS_SESSION_AHEAD   2000 /* ms that a call under way is good for */


/* scores of one slice of time, and which one that is */

typedef struct {
    uint64_t                     number;
    uint64_t                     n;
    uint64_t                     sum;       /* millionths */
} ngx_http_aiobs_rag_slice_t;


/* never freed: workers of a former configuration may look at it */

struct ngx_http_aiobs_endpoint_s {
    ngx_uint_t                   number;    /* from 0 */
    ngx_msec_t                   ttl;       /* 0: no sessions are asked for */
    ngx_msec_t                   window;    /* 0: no scores are asked for */
    size_t                       len;
    u_char                       name[AIOBS_LABEL_MAX];
    ngx_http_aiobs_rag_slice_t   slices[NGX_HTTP_AIOBS_RAG_SLICES];
};


/* free, or live from the store of its endpoint on, the last that is written */

struct ngx_http_aiobs_session_s {
    ngx_http_aiobs_endpoint_t   *endpoint;  /* NULL: free */
    ngx_http_aiobs_session_t    *next;      /* of a bucket, or free as well */
    u_char                       id[NGX_HTTP_AIOBS_SESSION_ID_LEN];
    ngx_msec_t                   seen;
    uint64_t                     tokens;
    uint32_t                     calls;
    uint32_t                     serial;    /* another at each use */
};


/* all but the entries can be made again from the entries */

typedef struct {
    ngx_uint_t                   capacity;  /* that live, but for a few */
    ngx_uint_t                   last;      /* entries there are */
    ngx_uint_t                   mask;      /* of the buckets */
    ngx_uint_t                   used;      /* entries beyond never were */
    ngx_uint_t                   live;
    ngx_uint_t                   hand;      /* where to look for one to evict */
    ngx_uint_t                   changing;  /* who had the lock may be dead */
    ngx_uint_t                   look;      /* where to look for room */
    ngx_uint_t                   looked;    /* entries since it was missing */
    ngx_msec_t                   full;      /* when all were seen to live */
    ngx_msec_t                   swept;
    uint32_t                     serial;
    ngx_http_aiobs_session_t    *free;
    ngx_http_aiobs_session_t   **buckets;
    ngx_http_aiobs_session_t    *entries;
} ngx_http_aiobs_sessions_t;


struct ngx_http_aiobs_agents_s {
    ngx_uint_t                   n;         /* endpoints */
    ngx_http_aiobs_endpoint_t   *endpoints[NGX_HTTP_AIOBS_ENDPOINTS_MAX];
    ngx_http_aiobs_sessions_t   *sessions;  /* NULL: nobody asked yet */
};


/* one that is over, told to whoever let go of the lock */

typedef struct {
    ngx_http_aiobs_endpoint_t   *endpoint;  /* NULL: none is */
    uint32_t                     calls;
    unsigned                     evicted:1;
} ngx_http_aiobs_session_end_t;


/* over the live sessions of an endpoint */

typedef struct {
    uint64_t                     active;
    uint64_t                     calls_max;
    uint64_t                     tokens_max;
} ngx_http_aiobs_session_stats_t;


/* this process'; NULL where nothing is asked for */
extern ngx_http_aiobs_agents_t  *ngx_http_aiobs_agents;
extern ngx_slab_pool_t          *ngx_http_aiobs_agents_pool;


/* --- ngx_http_aiobs_rag.c --- */

/* in every worker: another window starts empty */
void ngx_http_aiobs_rag_window(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_endpoint_t *e, ngx_msec_t window);

/* the mean of what lies in the window; NGX_DECLINED: nothing does */
ngx_int_t ngx_http_aiobs_rag_mean(ngx_http_aiobs_endpoint_t *e,
    uint64_t *mean);


/* --- ngx_http_aiobs_session.c --- */

ngx_int_t ngx_http_aiobs_session_init_process(ngx_log_t *log);

/*
 * One turn of a sweep, from entry number "from" on: ends what is over and adds
 * what is live to stats (by number of endpoint; NULL: not asked for).  Returns
 * where to go on; 0: that was all.
 */
ngx_uint_t ngx_http_aiobs_session_sweep(ngx_uint_t from,
    ngx_http_aiobs_session_stats_t *stats);


/* --- ngx_http_aiobs_session_table.c: each takes the pool's mutex --- */

size_t ngx_http_aiobs_session_size(ngx_uint_t capacity);

/* zone initialisation; NULL: no room */
ngx_http_aiobs_sessions_t *ngx_http_aiobs_session_create(
    ngx_slab_pool_t *shpool, ngx_uint_t capacity);

/*
 * To be called before a session is made while as many live as may: ends what
 * is over, and tells it, without the lock.  Looks at NGX_HTTP_AIOBS_SESSION_TURN
 * entries at most, and next time at those behind.  Until all were looked at
 * there may be one in 4096 more than capacity; then these are evicted.
 */
void ngx_http_aiobs_session_room(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *sessions,
    void (*told)(ngx_http_aiobs_session_end_t *end));

/*
 * A call of the session with that id, which is made when there is none; when
 * all live one of those idle longest makes room.  limit: of its calls,
 * 0: none.  NGX_BUSY: it is reached, and this one is not counted.
 */
ngx_int_t ngx_http_aiobs_session_call(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *sessions, ngx_http_aiobs_endpoint_t *endpoint,
    const u_char *id, ngx_uint_t limit, ngx_http_aiobs_session_ref_t *ref,
    ngx_http_aiobs_session_end_t *end);

/* its call was refused: it is none; the session stays, be it without any */
void ngx_http_aiobs_session_uncall(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *sessions, ngx_http_aiobs_session_ref_t *ref);

/* its call is still under way */
void ngx_http_aiobs_session_keep(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *sessions, ngx_http_aiobs_session_ref_t *ref);

/* its call is over, with so many tokens; over: it ends as well */
void ngx_http_aiobs_session_seen(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *sessions, ngx_http_aiobs_session_ref_t *ref,
    uint64_t tokens, ngx_uint_t over, ngx_http_aiobs_session_end_t *end);

/*
 * Entries from number "from" on, NGX_HTTP_AIOBS_SESSION_TURN of them at most:
 * those over their ttl end and are told, without the lock, those live are
 * added to stats, if it is not NULL.  Returns where to go on, 0: these were
 * the last.
 */
ngx_uint_t ngx_http_aiobs_session_expire(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *sessions, ngx_uint_t from,
    ngx_http_aiobs_session_stats_t *stats,
    void (*told)(ngx_http_aiobs_session_end_t *end));


#endif /* _NGX_HTTP_AIOBS_AGENTS_ZONE_H_INCLUDED_ */
