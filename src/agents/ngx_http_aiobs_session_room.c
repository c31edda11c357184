
/*
 * Copyright (C) the aiobs authors
 *
 * Room in the table of sessions: what is over ends, and where all live those
 * idle longest make way.
 */


#include "ngx_http_aiobs_session_table.h"


#define NGX_HTTP_AIOBS_SESSION_SAMPLE  16   /* entries, for one to evict */
#define NGX_HTTP_AIOBS_SESSION_FULL    100  /* ms that all are known to live */


static ngx_uint_t ngx_http_aiobs_session_look(ngx_http_aiobs_sessions_t *s,
    ngx_http_aiobs_session_end_t *ends, ngx_uint_t *n);
static ngx_http_aiobs_session_t *ngx_http_aiobs_session_oldest(
    ngx_http_aiobs_sessions_t *s);


void
ngx_http_aiobs_session_room(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s,
    void (*told)(ngx_http_aiobs_session_end_t *end))
{
    ngx_uint_t                    i, n, more, turn;
    ngx_http_aiobs_session_end_t  ends[NGX_HTTP_AIOBS_SESSION_SLICE];

    for (turn = 0; turn < NGX_HTTP_AIOBS_SESSION_TURN;
         turn += NGX_HTTP_AIOBS_SESSION_SLICE)
    {
        ngx_http_aiobs_session_lock(shpool, s);

        more = ngx_http_aiobs_session_look(s, ends, &n);

        ngx_http_aiobs_session_unlock(shpool, s);

        for (i = 0; i < n; i++) {
            told(&ends[i]);
        }

        if (!more) {
            return;
        }
    }
}


/*
 * Under the lock.  Goes on where it was, whoever was there, until there is
 * room or every entry was looked at; then those too many are evicted.  0: there
 * is nothing more to look for.
 */

static ngx_uint_t
ngx_http_aiobs_session_look(ngx_http_aiobs_sessions_t *s,
    ngx_http_aiobs_session_end_t *ends, ngx_uint_t *n)
{
    ngx_uint_t  from;

    *n = 0;

    if (s->live >= s->capacity && !ngx_http_aiobs_session_full(s)) {
        from = s->look < s->used ? s->look : 0;

        s->look = ngx_http_aiobs_session_scan(s, from, NULL, ends, n);
        s->looked += s->look - from;

        if (s->live >= s->capacity && s->looked < s->used) {
            return 1;
        }

        if (s->live >= s->capacity) {
            s->full = ngx_current_msec;
        }
    }

    s->looked = 0;

    while (s->live > s->capacity && *n < NGX_HTTP_AIOBS_SESSION_SLICE) {
        ngx_http_aiobs_session_evict(s, &ends[(*n)++]);
    }

    return 0;
}


/* all live, as far as is known */

ngx_uint_t
ngx_http_aiobs_session_full(ngx_http_aiobs_sessions_t *s)
{
    return ngx_current_msec - s->full < NGX_HTTP_AIOBS_SESSION_FULL;
}


void
ngx_http_aiobs_session_evict(ngx_http_aiobs_sessions_t *s,
    ngx_http_aiobs_session_end_t *end)
{
    ngx_uint_t                 evicted;
    ngx_http_aiobs_session_t  *e;

    e = ngx_http_aiobs_session_oldest(s);
    evicted = !ngx_http_aiobs_session_over(e);

    ngx_http_aiobs_session_end(s, e, end);
    end->evicted = evicted;
}


/* of the next few, the one that was not seen for longest; some live */

static ngx_http_aiobs_session_t *
ngx_http_aiobs_session_oldest(ngx_http_aiobs_sessions_t *s)
{
    ngx_uint_t                 i;
    ngx_http_aiobs_session_t  *e, *oldest;

    oldest = NULL;

    for (i = 0; i < NGX_HTTP_AIOBS_SESSION_SAMPLE || oldest == NULL; i++) {
        s->hand = (s->hand + 1) % s->used;
        e = &s->entries[s->hand];

        if (e->endpoint == NULL) {
            continue;
        }

        if (oldest == NULL || (ngx_msec_int_t) (oldest->seen - e->seen) > 0) {
            oldest = e;
        }
    }

    return oldest;
}
