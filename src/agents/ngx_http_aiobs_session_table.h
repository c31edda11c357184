
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the table of sessions: all but the first two want its lock.
 */


#ifndef _NGX_HTTP_AIOBS_SESSION_TABLE_H_INCLUDED_
#define _NGX_HTTP_AIOBS_SESSION_TABLE_H_INCLUDED_


#include "ngx_http_aiobs_agents_zone.h"


/* --- ngx_http_aiobs_session_table.c --- */

/* the table is whole under it, whoever died with it before */
void ngx_http_aiobs_session_lock(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s);
void ngx_http_aiobs_session_unlock(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s);

/*
 * NGX_HTTP_AIOBS_SESSION_SLICE entries from number "from" on: those over end
 * and are in ends, from number *n on; returns the first not looked at.
 */
ngx_uint_t ngx_http_aiobs_session_scan(ngx_http_aiobs_sessions_t *s,
    ngx_uint_t from, ngx_http_aiobs_session_stats_t *stats,
    ngx_http_aiobs_session_end_t *ends, ngx_uint_t *n);

/* of one that is live */
ngx_uint_t ngx_http_aiobs_session_over(ngx_http_aiobs_session_t *e);
void ngx_http_aiobs_session_end(ngx_http_aiobs_sessions_t *s,
    ngx_http_aiobs_session_t *e, ngx_http_aiobs_session_end_t *end);


/* --- ngx_http_aiobs_session_room.c --- */

/* all live, as far as is known */
ngx_uint_t ngx_http_aiobs_session_full(ngx_http_aiobs_sessions_t *s);

/* one of those idle longest ends; there has to be one that is live */
void ngx_http_aiobs_session_evict(ngx_http_aiobs_sessions_t *s,
    ngx_http_aiobs_session_end_t *end);


#endif /* _NGX_HTTP_AIOBS_SESSION_TABLE_H_INCLUDED_ */
