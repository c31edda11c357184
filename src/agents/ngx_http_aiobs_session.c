
/*
 * Copyright (C) the aiobs authors
 *
 * Sessions of agents: what calls belong to, told by an id that the client
 * chooses.  An id is kept as a digest, whatever its length and bytes.
 */


#include "ngx_http_aiobs_agents_zone.h"

#include <openssl/evp.h>


#define NGX_HTTP_AIOBS_SESSION_TEXT      128    /* longer ids show as digests */
#define NGX_HTTP_AIOBS_SESSION_HEX       16     /* digits of those */
#define NGX_HTTP_AIOBS_SESSION_TICK      250    /* ms */
#define NGX_HTTP_AIOBS_SESSION_INTERVAL  1000   /* between sweeps, ms */
#define NGX_HTTP_AIOBS_SESSION_PAUSE     1      /* in a sweep, ms */


static ngx_int_t ngx_http_aiobs_session_digest(ngx_str_t *user, ngx_str_t *id,
    u_char *digest);
static ngx_int_t ngx_http_aiobs_session_text(ngx_pool_t *pool, ngx_str_t *id,
    ngx_str_t *text);
static ngx_uint_t ngx_http_aiobs_session_asks_end(ngx_http_request_t *r,
    ngx_http_complex_value_t *end);
static void ngx_http_aiobs_session_ended(ngx_http_aiobs_session_end_t *end);
static void ngx_http_aiobs_session_timer(ngx_event_t *ev);
static void ngx_http_aiobs_session_keep_calls(ngx_http_aiobs_sessions_t *s);


static EVP_MD       *ngx_http_aiobs_session_md;
static EVP_MD_CTX   *ngx_http_aiobs_session_md_ctx;
static ngx_queue_t   ngx_http_aiobs_session_calls;   /* under way here */
static ngx_event_t   ngx_http_aiobs_session_event;


ngx_int_t
ngx_http_aiobs_session_init_process(ngx_log_t *log)
{
    static ngx_connection_t  dummy = { .fd = (ngx_socket_t) -1 };

    ngx_event_t  *ev;

    ngx_http_aiobs_session_md = EVP_MD_fetch(NULL, "SHA256", NULL);
    ngx_http_aiobs_session_md_ctx = EVP_MD_CTX_new();

    if (ngx_http_aiobs_session_md == NULL
        || ngx_http_aiobs_session_md_ctx == NULL)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "OpenSSL has no SHA-256");
        return NGX_ERROR;
    }

    ngx_queue_init(&ngx_http_aiobs_session_calls);

    ev = &ngx_http_aiobs_session_event;

    ev->handler = ngx_http_aiobs_session_timer;
    ev->data = &dummy;
    ev->log = log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_AIOBS_SESSION_TICK);

    return NGX_OK;
}


ngx_int_t
ngx_http_aiobs_session_start(ngx_http_request_t *r,
    ngx_http_aiobs_agents_conf_t *conf, ngx_str_t *user,
    ngx_http_aiobs_agent_t *agent)
{
    u_char                         digest[EVP_MAX_MD_SIZE];
    ngx_int_t                      rc;
    ngx_str_t                      id;
    ngx_http_aiobs_sessions_t     *s;
    ngx_http_aiobs_session_end_t   end;

    agent->conf = conf;

    if (ngx_http_complex_value(r, conf->session, &id) != NGX_OK
        || id.len == 0
        || ngx_http_aiobs_session_text(r->pool, &id, &agent->id) != NGX_OK
        || ngx_http_aiobs_session_digest(user, &id, digest) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    s = ngx_http_aiobs_agents->sessions;

    if (s->live >= s->capacity) {
        ngx_http_aiobs_session_room(ngx_http_aiobs_agents_pool, s,
                                    ngx_http_aiobs_session_ended);
    }

    rc = ngx_http_aiobs_session_call(ngx_http_aiobs_agents_pool, s,
                                     conf->endpoint, digest, conf->calls,
                                     &agent->ref, &end);

    ngx_http_aiobs_session_ended(&end);

    if (rc == NGX_OK) {
        ngx_queue_insert_tail(&ngx_http_aiobs_session_calls, &agent->calls);
        agent->calling = 1;
    }

    return rc;
}


void
ngx_http_aiobs_session_finish(ngx_http_request_t *r, ngx_str_t *user,
    uint64_t tokens, ngx_http_aiobs_agent_t *agent)
{
    ngx_uint_t                    over;
    ngx_http_aiobs_session_end_t  end;

    if (agent->conf && agent->id.len == 0) {
        (void) ngx_http_aiobs_session_start(r, agent->conf, user, agent);
    }

    ngx_http_aiobs_session_forget(agent);

    if (agent->ref.session == NULL) {
        return;
    }

    over = ngx_http_aiobs_session_asks_end(r, agent->conf->end);

    ngx_http_aiobs_session_seen(ngx_http_aiobs_agents_pool,
                                ngx_http_aiobs_agents->sessions, &agent->ref,
                                tokens, over, &end);

    ngx_http_aiobs_session_ended(&end);
}


void
ngx_http_aiobs_session_refused(ngx_http_aiobs_agent_t *agent)
{
    if (agent->calling) {
        ngx_http_aiobs_session_uncall(ngx_http_aiobs_agents_pool,
                                      ngx_http_aiobs_agents->sessions,
                                      &agent->ref);
    }
}


void
ngx_http_aiobs_session_forget(ngx_http_aiobs_agent_t *agent)
{
    if (agent->calling) {
        agent->calling = 0;
        ngx_queue_remove(&agent->calls);
    }
}


ngx_uint_t
ngx_http_aiobs_session_sweep(ngx_uint_t from,
    ngx_http_aiobs_session_stats_t *stats)
{
    ngx_http_aiobs_sessions_t  *s;

    s = ngx_http_aiobs_agents->sessions;

    if (from == 0) {
        s->swept = ngx_current_msec;
    }

    return ngx_http_aiobs_session_expire(ngx_http_aiobs_agents_pool, s, from,
                                         stats, ngx_http_aiobs_session_ended);
}


/* two users may use the same id: their sessions have nothing in common */

static ngx_int_t
ngx_http_aiobs_session_digest(ngx_str_t *user, ngx_str_t *id, u_char *digest)
{
    EVP_MD_CTX  *ctx;

    ctx = ngx_http_aiobs_session_md_ctx;

    if (EVP_DigestInit_ex2(ctx, ngx_http_aiobs_session_md, NULL) != 1
        || (user && (EVP_DigestUpdate(ctx, user->data, user->len) != 1
                     || EVP_DigestUpdate(ctx, "", 1) != 1))
        || EVP_DigestUpdate(ctx, id->data, id->len) != 1
        || EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* a long or binary id is shown by its SHA-256, so that it can be looked up */

static ngx_int_t
ngx_http_aiobs_session_text(ngx_pool_t *pool, ngx_str_t *id, ngx_str_t *text)
{
    u_char  digest[EVP_MAX_MD_SIZE];
    size_t  i;

    for (i = 0; i < id->len; i++) {
        if (id->data[i] < 0x20 || id->data[i] > 0x7e) {
            break;
        }
    }

    if (i == id->len && id->len <= NGX_HTTP_AIOBS_SESSION_TEXT) {
        text->data = ngx_pstrdup(pool, id);
        text->len = text->data ? id->len : 0;

        return text->data ? NGX_OK : NGX_ERROR;
    }

    text->data = ngx_pnalloc(pool, 7 + NGX_HTTP_AIOBS_SESSION_HEX);

    if (text->data == NULL
        || ngx_http_aiobs_session_digest(NULL, id, digest) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(text->data, "sha256:", 7);
    ngx_hex_dump(text->data + 7, digest, NGX_HTTP_AIOBS_SESSION_HEX / 2);
    text->len = 7 + NGX_HTTP_AIOBS_SESSION_HEX;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_aiobs_session_asks_end(ngx_http_request_t *r,
    ngx_http_complex_value_t *end)
{
    ngx_str_t  value;

    if (end == NULL || ngx_http_complex_value(r, end, &value) != NGX_OK) {
        return 0;
    }

    return value.len && (value.len != 1 || value.data[0] != '0');
}


/* without the lock, which a new series would take once more */

static void
ngx_http_aiobs_session_ended(ngx_http_aiobs_session_end_t *end)
{
    ngx_str_t  label;

    if (end->endpoint == NULL) {
        return;
    }

    label.data = end->endpoint->name;
    label.len = end->endpoint->len;

    /* none: all that it asked for was refused */

    if (end->calls) {
        ngx_http_aiobs_metrics_observe(NGX_HTTP_AIOBS_SESSION_CALLS, &label,
                                       end->calls);
    }

    if (end->evicted) {
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_SESSION_EVICTED, &label, 1);
    }
}


/*
 * Sessions end without traffic too: whichever worker comes first in an
 * interval looks for them, in as many turns as it takes.
 */

static void
ngx_http_aiobs_session_timer(ngx_event_t *ev)
{
    ngx_http_aiobs_sessions_t  *s;

    static ngx_uint_t  next;                    /* of a sweep; 0: none */

    s = ngx_http_aiobs_agents->sessions;

    if (next == 0) {
        ngx_http_aiobs_session_keep_calls(s);
    }

    if (next || (s->live && ngx_current_msec - s->swept
                            >= NGX_HTTP_AIOBS_SESSION_INTERVAL))
    {
        next = ngx_http_aiobs_session_sweep(next, NULL);
    }

    ngx_add_timer(ev, next ? NGX_HTTP_AIOBS_SESSION_PAUSE
                           : NGX_HTTP_AIOBS_SESSION_TICK);
}


/*
 * A session whose call takes longer than its ttl is not over; if this worker
 * dies, it will be.
 */

static void
ngx_http_aiobs_session_keep_calls(ngx_http_aiobs_sessions_t *s)
{
    ngx_queue_t             *q;
    ngx_http_aiobs_agent_t  *agent;

    for (q = ngx_queue_head(&ngx_http_aiobs_session_calls);
         q != ngx_queue_sentinel(&ngx_http_aiobs_session_calls);
         q = ngx_queue_next(q))
    {
        agent = ngx_queue_data(q, ngx_http_aiobs_agent_t, calls);

        ngx_http_aiobs_session_keep(ngx_http_aiobs_agents_pool, s,
                                    &agent->ref);
    }
}
