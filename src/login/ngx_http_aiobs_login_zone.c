
/*
 * Copyright (C) the aiobs authors
 *
 * What logins keep in the zone: the secret that cookies are signed with, and
 * which of them were used.
 */


#include "ngx_http_aiobs_login_room.h"


#define NGX_HTTP_AIOBS_LOGIN_SETS  1024     /* a power of two */
#define NGX_HTTP_AIOBS_LOGIN_WAYS  4


typedef struct {
    uint64_t        tag;                    /* random bytes of the ticket */
    time_t          expires;                /* 0: free */
} ngx_http_aiobs_login_used_t;


struct ngx_http_aiobs_login_shared_s {
    u_char                        secret[NGX_HTTP_AIOBS_LOGIN_SECRET];
    ngx_http_aiobs_login_used_t   used[NGX_HTTP_AIOBS_LOGIN_SETS]
                                      [NGX_HTTP_AIOBS_LOGIN_WAYS];
};


size_t
ngx_http_aiobs_login_size(ngx_http_aiobs_login_main_conf_t *main)
{
    return main->used ? sizeof(ngx_http_aiobs_login_shared_t) + ngx_pagesize
                      : 0;
}


ngx_int_t
ngx_http_aiobs_login_init_zone(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_login_main_conf_t *main,
    ngx_http_aiobs_login_shared_t **shared, ngx_log_t *log)
{
    ngx_http_aiobs_login_shared_t  *s;

    if (!main->used || *shared) {
        return NGX_OK;
    }

    s = ngx_slab_calloc(shpool, sizeof(ngx_http_aiobs_login_shared_t));

    if (s == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"aiobs_zone\" has no room for logins: enlarge it, or "
                      "restart nginx");
        return NGX_ERROR;
    }

    ngx_http_aiobs_random(s->secret, NGX_HTTP_AIOBS_LOGIN_SECRET);

    *shared = s;

    return NGX_OK;
}


void
ngx_http_aiobs_login_secret(ngx_http_aiobs_login_provider_t *provider,
    aiobs_oidc_ticket_t *ticket)
{
    ticket->provider = (char *) provider->name.data;

    if (provider->cookie_secret.len) {
        ticket->secret = provider->cookie_secret.data;
        ticket->secret_len = provider->cookie_secret.len;

    } else {
        ticket->secret = ngx_http_aiobs_login_shared->secret;
        ticket->secret_len = NGX_HTTP_AIOBS_LOGIN_SECRET;
    }
}


/*
 * Where there is no room the oldest is forgotten: the provider takes no code
 * twice either.
 */

ngx_int_t
ngx_http_aiobs_login_use(const u_char *ticket, time_t expires)
{
    uint64_t                      tag;
    uint32_t                      set;
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_aiobs_login_used_t  *used, *free;

    ngx_memcpy(&tag, ticket, sizeof(tag));
    ngx_memcpy(&set, ticket + sizeof(tag), sizeof(set));

    rc = NGX_OK;

    ngx_shmtx_lock(&ngx_http_aiobs_login_pool->mutex);

    used = ngx_http_aiobs_login_shared->used[set % NGX_HTTP_AIOBS_LOGIN_SETS];
    free = &used[0];

    for (i = 0; i < NGX_HTTP_AIOBS_LOGIN_WAYS; i++) {

        if (used[i].tag == tag && used[i].expires) {
            rc = NGX_DECLINED;
        }

        if (used[i].expires < free->expires) {
            free = &used[i];
        }
    }

    if (rc == NGX_OK) {
        free->tag = tag;
        free->expires = expires;
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_login_pool->mutex);

    return rc;
}
