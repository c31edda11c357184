
/*
 * Copyright (C) the aiobs authors
 *
 * The zone: one piece of shared memory for series and keys.
 */


#include "ngx_http_aiobs.h"

#include <openssl/rand.h>


#define NGX_HTTP_AIOBS_LAYOUT  9    /* of everything in the zone */

/* bytes: gauges of all processes alone take half of it */
#define NGX_HTTP_AIOBS_ZONE_MIN  (128 * ngx_pagesize)


static ngx_int_t ngx_http_aiobs_capacity(ngx_str_t *value, const char *name,
    ngx_int_t max, ngx_uint_t *n);
static void ngx_http_aiobs_zone_changes(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf);
static ngx_http_aiobs_main_conf_t *ngx_http_aiobs_old_conf(ngx_cycle_t *old);
static ngx_int_t ngx_http_aiobs_init_zone(ngx_shm_zone_t *zone, void *data);
static ngx_int_t ngx_http_aiobs_same_zone(ngx_shm_zone_t *zone,
    ngx_http_aiobs_main_conf_t *amcf);


/* aiobs_zone size [series=number] [keys=number] [sessions=number] */

char *
ngx_http_aiobs_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_main_conf_t *amcf = conf;

    ssize_t      size;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (amcf->zone_size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR || size < (ssize_t) NGX_HTTP_AIOBS_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" of \"aiobs_zone\": a size such "
                           "as \"32m\" is expected, %uzk at least", &value[1],
                           NGX_HTTP_AIOBS_ZONE_MIN / 1024);
        return NGX_CONF_ERROR;
    }

    amcf->zone_size = size;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_aiobs_capacity(&value[i], "series=", NGX_MAX_INT32_VALUE,
                                    &amcf->series)
            == NGX_OK
            || ngx_http_aiobs_capacity(&value[i], "keys=", NGX_MAX_INT32_VALUE,
                                       &amcf->keys)
               == NGX_OK
            || ngx_http_aiobs_capacity(&value[i], "sessions=",
                                       NGX_HTTP_AIOBS_SESSIONS_MAX,
                                       &amcf->agents.sessions)
               == NGX_OK)
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"aiobs_zone\": "
                           "\"series=number\", \"keys=number\" and "
                           "\"sessions=number\" of at most %d are accepted, "
                           "each once", &value[i], NGX_HTTP_AIOBS_SESSIONS_MAX);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* n: not set before */

static ngx_int_t
ngx_http_aiobs_capacity(ngx_str_t *value, const char *name, ngx_int_t max,
    ngx_uint_t *n)
{
    size_t     len;
    ngx_int_t  number;

    len = ngx_strlen(name);

    if (value->len <= len || ngx_strncmp(value->data, name, len) != 0) {
        return NGX_DECLINED;
    }

    number = ngx_atoi(value->data + len, value->len - len);

    if (number < 1 || number > max
        || (*n != NGX_CONF_UNSET_UINT && *n != 0))
    {
        return NGX_ERROR;
    }

    *n = number;

    return NGX_OK;
}


ngx_int_t
ngx_http_aiobs_add_zone(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf)
{
    size_t     needed, overhead;
    ngx_str_t  name;

    /* the slab pool: its header, and a descriptor for every page */

    overhead = 8 * ngx_pagesize + sizeof(ngx_http_aiobs_shared_t)
               + amcf->zone_size / ngx_pagesize * sizeof(ngx_slab_page_t);

    needed = ngx_http_aiobs_metrics_size(&amcf->metrics, amcf->series)
             + overhead;

    if (amcf->store.len) {
        needed += ngx_http_aiobs_keys_size(amcf->keys)
                  + ngx_http_aiobs_limits_size(amcf->keys);
    }

    needed += ngx_http_aiobs_agents_size(&amcf->agents)
              + ngx_http_aiobs_login_size(&amcf->login)
              + ngx_http_aiobs_recorder_size(&amcf->recorder);

    if (needed > amcf->zone_size) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"aiobs_zone\" of %uzk is too small: %ui series, "
                      "%ui keys and %ui sessions need %uzk%s; enlarge it, or "
                      "set \"series=\", \"keys=\" and \"sessions=\"",
                      amcf->zone_size / 1024, amcf->series,
                      amcf->store.len ? amcf->keys : 0,
                      ngx_http_aiobs_agents_sessions(&amcf->agents),
                      needed / 1024 + 1,
                      ngx_http_aiobs_recorder_size(&amcf->recorder)
                      ? " with what \"aiobs_recorder\" keeps" : "");
        return NGX_ERROR;
    }

    ngx_http_aiobs_zone_changes(cf, amcf);

    ngx_str_set(&name, "aiobs");

    amcf->zone = ngx_shared_memory_add(cf, &name, amcf->zone_size,
                                       &ngx_http_aiobs_module);
    if (amcf->zone == NULL) {
        return NGX_ERROR;
    }

    amcf->zone->init = ngx_http_aiobs_init_zone;
    amcf->zone->data = amcf;

    return NGX_OK;
}


/* a reload with another size is no mistake, but more than a reload */

static void
ngx_http_aiobs_zone_changes(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf)
{
    ngx_http_aiobs_main_conf_t  *oamcf;

    oamcf = ngx_http_aiobs_old_conf(cf->cycle->old_cycle);

    if (oamcf && oamcf->used && oamcf->zone_size != amcf->zone_size) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"aiobs_zone\" is now %uzk instead of %uzk: it is made "
                      "anew, counters start at 0, keys are looked up again",
                      amcf->zone_size / 1024, oamcf->zone_size / 1024);
    }
}


/* a configuration before which did not load the module has no place for it */

static ngx_http_aiobs_main_conf_t *
ngx_http_aiobs_old_conf(ngx_cycle_t *old)
{
    ngx_uint_t  i;

    if (old == NULL || ngx_is_init_cycle(old)) {
        return NULL;
    }

    for (i = 0; old->modules[i]; i++) {
        if (old->modules[i] == &ngx_http_aiobs_module) {
            return ngx_http_cycle_get_module_main_conf(old,
                                                       ngx_http_aiobs_module);
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_aiobs_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_aiobs_main_conf_t *oamcf = data;

    ngx_slab_pool_t             *shpool;
    ngx_http_aiobs_shared_t     *shared;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    amcf->shpool = shpool;

    if (oamcf) {
        amcf->shared = oamcf->shared;
        return ngx_http_aiobs_same_zone(zone, amcf);
    }

    if (zone->shm.exists) {
        amcf->shared = shpool->data;
        return ngx_http_aiobs_same_zone(zone, amcf);
    }

    shpool->log_nomem = 0;

    shared = ngx_slab_calloc(shpool, sizeof(ngx_http_aiobs_shared_t));
    if (shared == NULL) {
        return NGX_ERROR;
    }

    shared->layout = NGX_HTTP_AIOBS_LAYOUT;
    shared->series = amcf->series;
    shared->keys = amcf->keys;

    if (RAND_bytes(shared->salt, sizeof(shared->salt)) != 1) {
        return NGX_ERROR;
    }

    shared->metrics = ngx_http_aiobs_metrics_create(shpool, &amcf->metrics,
                                                    amcf->series,
                                                    zone->shm.log);
    if (shared->metrics == NULL) {
        return NGX_ERROR;
    }

    shpool->data = shared;
    amcf->shared = shared;

    return ngx_http_aiobs_same_zone(zone, amcf);
}


/* counters and keys go on over a reload, so the shape has to be the same */

static ngx_int_t
ngx_http_aiobs_same_zone(ngx_shm_zone_t *zone,
    ngx_http_aiobs_main_conf_t *amcf)
{
    ngx_http_aiobs_shared_t  *shared;

    shared = amcf->shared;

    if (shared->layout != NGX_HTTP_AIOBS_LAYOUT) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "\"aiobs_zone\" was laid out by another version of the "
                      "module: restart nginx, or change the zone's size");
        return NGX_ERROR;
    }

    if (shared->series != amcf->series || shared->keys != amcf->keys) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "\"aiobs_zone\" was series=%ui keys=%ui: change its "
                      "size along with them (counters start anew), or "
                      "restart nginx", shared->series, shared->keys);
        return NGX_ERROR;
    }

    if (ngx_http_aiobs_metrics_same(shared->metrics, &amcf->metrics,
                                    zone->shm.log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (amcf->store.len && shared->table == NULL) {
        shared->table = ngx_http_aiobs_keys_create(amcf->shpool, amcf->keys,
                                                   zone->shm.log);
        if (shared->table == NULL) {
            return NGX_ERROR;
        }
    }

    /* a reload that failed may have made the one and not the other */

    if (amcf->store.len && shared->limits == NULL) {
        shared->limits = ngx_http_aiobs_limits_create(amcf->shpool, amcf->keys,
                                                      zone->shm.log);
        if (shared->limits == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_aiobs_login_init_zone(amcf->shpool, &amcf->login,
                                       &shared->login, zone->shm.log)
        != NGX_OK
        || ngx_http_aiobs_recorder_init_zone(amcf->shpool, &amcf->recorder,
                                             &shared->recorder, zone->shm.log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_aiobs_agents_init_zone(amcf->shpool, &amcf->agents,
                                           &shared->agents, zone->shm.log);
}
