
/*
 * Copyright (C) the aiobs authors
 *
 * Scores of retrieval: read from a variable, counted in a histogram, and kept
 * for as long as the window is, in slices of a sixtieth of it.
 */


#include "ngx_http_aiobs_agents_zone.h"


#define NGX_HTTP_AIOBS_SCORE_LEN  63        /* longer is no number */
#define NGX_HTTP_AIOBS_SCORE_ONE  1000000   /* millionths */


static ngx_int_t ngx_http_aiobs_rag_read(ngx_str_t *value, uint64_t *score,
    ngx_uint_t *wrong, ngx_uint_t *outside);
static ngx_int_t ngx_http_aiobs_rag_number(u_char *p, size_t len,
    uint64_t *score);
static void ngx_http_aiobs_rag_ignored(ngx_str_t *endpoint, const char *reason,
    ngx_uint_t n);
static void ngx_http_aiobs_rag_add(ngx_http_aiobs_endpoint_t *e,
    uint64_t score);


void
ngx_http_aiobs_rag_finish(ngx_http_request_t *r,
    ngx_http_aiobs_agents_conf_t *conf, ngx_http_aiobs_agent_t *agent)
{
    ngx_str_t   value;
    ngx_uint_t  wrong, outside;

    if (conf->score == NULL || ngx_http_aiobs_agents == NULL
        || ngx_http_complex_value(r, conf->score, &value) != NGX_OK)
    {
        return;
    }

    if (ngx_http_aiobs_rag_read(&value, &agent->score, &wrong, &outside)
        == NGX_OK)
    {
        agent->scored = 1;

        ngx_http_aiobs_metrics_observe(NGX_HTTP_AIOBS_RAG_SCORE, &conf->name,
                                       agent->score);
        ngx_http_aiobs_rag_add(conf->endpoint, agent->score);
    }

    ngx_http_aiobs_rag_ignored(&conf->name, "not_a_number", wrong);
    ngx_http_aiobs_rag_ignored(&conf->name, "out_of_range", outside);
}


/* the mean of a list of scores; NGX_DECLINED: it has none */

static ngx_int_t
ngx_http_aiobs_rag_read(ngx_str_t *value, uint64_t *score, ngx_uint_t *wrong,
    ngx_uint_t *outside)
{
    u_char     *p, *end, *last, *next;
    uint64_t    sum, n, one;
    ngx_int_t   rc;

    *wrong = 0;
    *outside = 0;
    sum = 0;
    n = 0;

    p = value->data;
    last = p + value->len;

    for ( /* void */ ; p < last; p = next + 1) {

        next = ngx_strlchr(p, last, ',');
        next = next ? next : last;
        end = next;

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        if (p == end) {
            continue;
        }

        rc = ngx_http_aiobs_rag_number(p, end - p, &one);

        if (rc == NGX_OK) {
            sum += one;
            n++;

        } else if (rc == NGX_DECLINED) {
            (*outside)++;

        } else {
            (*wrong)++;
        }
    }

    if (n == 0) {
        return NGX_DECLINED;
    }

    *score = (sum + n / 2) / n;

    return NGX_OK;
}


/* NGX_DECLINED: not from 0 to 1; NGX_ERROR: no number */

static ngx_int_t
ngx_http_aiobs_rag_number(u_char *p, size_t len, uint64_t *score)
{
    char    text[NGX_HTTP_AIOBS_SCORE_LEN + 1], *end;
    double  number;

    if (len > NGX_HTTP_AIOBS_SCORE_LEN) {
        return NGX_ERROR;
    }

    ngx_memcpy(text, p, len);
    text[len] = '\0';

    /* strtod() would also read words and hexadecimal digits */

    if (strspn(text, "0123456789.eE+-") != len) {
        return NGX_ERROR;
    }

    number = strtod(text, &end);

    if (end != text + len) {
        return NGX_ERROR;
    }

    if (!(number >= 0 && number <= 1)) {
        return NGX_DECLINED;
    }

    *score = (uint64_t) (number * NGX_HTTP_AIOBS_SCORE_ONE + 0.5);

    return NGX_OK;
}


static void
ngx_http_aiobs_rag_ignored(ngx_str_t *endpoint, const char *reason,
    ngx_uint_t n)
{
    ngx_str_t  labels[2];

    if (n) {
        labels[0] = *endpoint;
        labels[1].data = (u_char *) reason;
        labels[1].len = ngx_strlen(reason);

        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_RAG_IGNORED, labels, n);
    }
}


void
ngx_http_aiobs_rag_window(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_endpoint_t *e, ngx_msec_t window)
{
    ngx_shmtx_lock(&shpool->mutex);

    if (e->window != window) {
        e->window = window;
        ngx_memzero(e->slices, sizeof(e->slices));
    }

    ngx_shmtx_unlock(&shpool->mutex);
}


static void
ngx_http_aiobs_rag_add(ngx_http_aiobs_endpoint_t *e, uint64_t score)
{
    uint64_t                     number;
    ngx_http_aiobs_rag_slice_t  *slice;

    ngx_shmtx_lock(&ngx_http_aiobs_agents_pool->mutex);

    if (e->window) {
        number = (uint64_t) ngx_current_msec * NGX_HTTP_AIOBS_RAG_SLICES
                 / e->window;
        slice = &e->slices[number % NGX_HTTP_AIOBS_RAG_SLICES];

        /* another worker's clock may be ahead */

        if (slice->number < number) {
            slice->n = 0;
            slice->sum = 0;
            slice->number = number;
        }

        slice->n++;
        slice->sum += score;
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_agents_pool->mutex);
}


ngx_int_t
ngx_http_aiobs_rag_mean(ngx_http_aiobs_endpoint_t *e, uint64_t *mean)
{
    uint64_t                     number, n, sum;
    ngx_uint_t                   i;
    ngx_http_aiobs_rag_slice_t  *slice;

    n = 0;
    sum = 0;

    ngx_shmtx_lock(&ngx_http_aiobs_agents_pool->mutex);

    if (e->window) {
        number = (uint64_t) ngx_current_msec * NGX_HTTP_AIOBS_RAG_SLICES
                 / e->window;

        for (i = 0; i < NGX_HTTP_AIOBS_RAG_SLICES; i++) {
            slice = &e->slices[i];

            if (slice->number + NGX_HTTP_AIOBS_RAG_SLICES > number
                && slice->number < number + NGX_HTTP_AIOBS_RAG_SLICES)
            {
                n += slice->n;
                sum += slice->sum;
            }
        }
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_agents_pool->mutex);

    if (n == 0) {
        return NGX_DECLINED;
    }

    *mean = (sum + n / 2) / n;

    return NGX_OK;
}
