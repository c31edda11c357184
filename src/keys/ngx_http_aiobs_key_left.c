
/*
 * Copyright (C) the aiobs authors
 *
 * What a worker that ends could not write: it is left in shared memory, for
 * those that go on or come later.  Uses of keys and what was taken of limits
 * go back to where they came from; spend, and uses of keys that are not in
 * the table any more, make a list.
 */


#include "ngx_http_aiobs_key_worker.h"
#include "../limits/ngx_http_aiobs_limits.h"
#include "../metrics/ngx_http_aiobs_metrics.h"
#include "../ngx_http_aiobs_process.h"


#define NGX_HTTP_AIOBS_KEY_LEFT  1024       /* in the list, at most */


struct ngx_http_aiobs_key_left_s {
    ngx_http_aiobs_key_left_t    *next;
    uint32_t                      store;    /* checksum of its path */
    uint32_t                      spend;    /* else it is a use */
    aiobs_key_use_t               use;
    aiobs_usage_row_t             spent;
    ngx_http_aiobs_spend_text_t   text;
};


static ngx_uint_t ngx_http_aiobs_key_others(ngx_http_aiobs_key_worker_t *w);
static ngx_int_t ngx_http_aiobs_key_left_add(ngx_http_aiobs_key_worker_t *w,
    const aiobs_key_use_t *use, const aiobs_usage_row_t *spent);
static ngx_uint_t ngx_http_aiobs_key_left_move(ngx_http_aiobs_key_job_t *job,
    ngx_http_aiobs_key_left_t *left);
static int64_t ngx_http_aiobs_key_give_spent(ngx_http_aiobs_key_worker_t *w,
    int64_t *calls);


void
ngx_http_aiobs_key_join(ngx_http_aiobs_key_worker_t *w)
{
    __atomic_store_n(&w->keys->savers[ngx_process_slot], ngx_pid,
                     __ATOMIC_SEQ_CST);
}


void
ngx_http_aiobs_key_leave(ngx_http_aiobs_key_worker_t *w)
{
    ngx_shmtx_lock(&w->shpool->mutex);

    w->keys->savers[ngx_process_slot] = 0;

    ngx_shmtx_unlock(&w->shpool->mutex);
}


static ngx_uint_t
ngx_http_aiobs_key_others(ngx_http_aiobs_key_worker_t *w)
{
    ngx_pid_t   pid;
    ngx_uint_t  i, n;

    for (i = 0, n = 0; i < NGX_MAX_PROCESSES; i++) {
        pid = w->keys->savers[i];
        n += pid && pid != ngx_pid && ngx_http_aiobs_process_alive(pid);
    }

    return n;
}


/* what workers of another store have left is of no use any more */

void
ngx_http_aiobs_key_left_take(ngx_http_aiobs_key_worker_t *w)
{
    int64_t                      lost;
    ngx_http_aiobs_keys_t       *keys;
    ngx_http_aiobs_key_left_t   *left, **last;

    keys = w->keys;
    lost = 0;

    if (__atomic_load_n(&keys->left, __ATOMIC_RELAXED) == NULL) {
        return;
    }

    ngx_shmtx_lock(&w->shpool->mutex);

    last = &keys->left;

    while (*last) {
        left = *last;

        if (left->store != w->store) {
            lost += left->spent.calls;

        } else if (!ngx_http_aiobs_key_left_move(w->job, left)) {
            last = &left->next;
            continue;
        }

        *last = left->next;
        keys->nleft -= (keys->nleft != 0);

        ngx_slab_free_locked(w->shpool, left);
    }

    ngx_shmtx_unlock(&w->shpool->mutex);

    ngx_http_aiobs_key_lost(w, lost, "they are of another store");
}


/* 0: the job has no room for it now */

static ngx_uint_t
ngx_http_aiobs_key_left_move(ngx_http_aiobs_key_job_t *job,
    ngx_http_aiobs_key_left_t *left)
{
    ngx_uint_t  n;

    if (!left->spend) {

        if (job->nuses == NGX_HTTP_AIOBS_KEY_USES) {
            return 0;
        }

        job->uses[job->nuses++] = left->use;

        return 1;
    }

    if (job->nspent == NGX_HTTP_AIOBS_KEY_SPENT) {
        return 0;
    }

    n = job->nspent++;

    job->spent[n] = left->spent;
    job->texts[n] = left->text;
    job->spent[n].model = job->texts[n].model;
    job->spent[n].endpoint = job->texts[n].endpoint;

    return 1;
}


void
ngx_http_aiobs_key_give(ngx_http_aiobs_key_worker_t *w, const char *why)
{
    int64_t                    calls, lost;
    ngx_uint_t                 i, n, level;
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;

    ngx_http_aiobs_limits_unsaved(job->windows, job->nwindows);

    n = ngx_http_aiobs_key_table_unsaved(w->keys, w->shpool, job->uses,
                                         job->nuses);

    ngx_shmtx_lock(&w->shpool->mutex);

    for (i = 0; i < n; i++) {
        (void) ngx_http_aiobs_key_left_add(w, &job->uses[i], NULL);
    }

    lost = ngx_http_aiobs_key_give_spent(w, &calls);
    n = ngx_http_aiobs_key_others(w);

    ngx_shmtx_unlock(&w->shpool->mutex);

    level = n ? NGX_LOG_WARN : NGX_LOG_ERR;

    /* parts of a micro-USD are of no call */

    if (job->nuses || job->nwindows || calls) {
        ngx_log_error(level, w->log, 0,
                      "key store \"%s\": the last use of %uz keys, %uz limits "
                      "and what %L calls spent are %s: %s", job->path,
                      job->nuses, job->nwindows, calls,
                      n ? "left to other workers" : "not saved, nor is a "
                                                    "worker left that could "
                                                    "do it", why);
    }

    ngx_http_aiobs_key_lost(w, lost, "there is no room for more");
}


static int64_t
ngx_http_aiobs_key_give_spent(ngx_http_aiobs_key_worker_t *w, int64_t *calls)
{
    int64_t                    lost;
    ngx_uint_t                 i;
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;
    lost = 0;
    *calls = 0;

    while (job->nspent) {

        for (i = 0; i < job->nspent; i++) {
            *calls += job->spent[i].calls;

            if (ngx_http_aiobs_key_left_add(w, NULL, &job->spent[i])
                != NGX_OK)
            {
                lost += job->spent[i].calls;
            }
        }

        job->nspent = ngx_http_aiobs_spend_take(job->spent, job->texts,
                                                NGX_HTTP_AIOBS_KEY_SPENT, 1);
    }

    return lost;
}


void
ngx_http_aiobs_key_lost(ngx_http_aiobs_key_worker_t *w, int64_t calls,
    const char *why)
{
    ngx_str_t  reason;

    if (calls == 0) {
        return;
    }

    ngx_str_set(&reason, "store");
    ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_USAGE_LOST, &reason, calls);

    ngx_log_error(NGX_LOG_ERR, w->log, 0,
                  "key store \"%s\": what %L calls spent is lost: %s",
                  w->job->path, calls, why);
}


/* under the mutex */

static ngx_int_t
ngx_http_aiobs_key_left_add(ngx_http_aiobs_key_worker_t *w,
    const aiobs_key_use_t *use, const aiobs_usage_row_t *spent)
{
    ngx_http_aiobs_keys_t      *keys;
    ngx_http_aiobs_key_left_t  *left;

    keys = w->keys;

    if (keys->nleft >= NGX_HTTP_AIOBS_KEY_LEFT) {
        return NGX_DECLINED;
    }

    left = ngx_slab_calloc_locked(w->shpool, sizeof(ngx_http_aiobs_key_left_t));

    if (left == NULL) {
        return NGX_DECLINED;
    }

    left->store = w->store;

    if (use) {
        left->use = *use;

    } else {
        left->spend = 1;
        left->spent = *spent;
        ngx_cpystrn((u_char *) left->text.model, (u_char *) spent->model,
                    NGX_HTTP_AIOBS_SPEND_TEXT);
        ngx_cpystrn((u_char *) left->text.endpoint, (u_char *) spent->endpoint,
                    NGX_HTTP_AIOBS_SPEND_TEXT);
    }

    left->next = keys->left;
    keys->nleft = left->next ? keys->nleft + 1 : 1;

    ngx_http_aiobs_publish(&keys->left, left);

    return NGX_OK;
}
