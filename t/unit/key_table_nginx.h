
/*
 * Copyright (C) the aiobs authors
 *
 * What of nginx the table of keys uses, between processes: a lock that a killed
 * one holds until it is taken from it, and memory that all share.
 */


typedef struct {
    ngx_atomic_t   stop;
    ngx_atomic_t   hits;
    ngx_atomic_t   misses;
    ngx_atomic_t   known;
    ngx_atomic_t   torn;
    ngx_atomic_t   writes;
    ngx_atomic_t   lock;
} shared_t;


/* what of nginx the table uses */

ngx_uint_t  ngx_pagesize = 4096;

static shared_t  *shared;


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    ngx_atomic_uint_t  me = getpid();

    while (!__sync_bool_compare_and_swap(&shared->lock, 0, me)) {
        sched_yield();
    }
}


ngx_uint_t
ngx_shmtx_trylock(ngx_shmtx_t *mtx)
{
    return __sync_bool_compare_and_swap(&shared->lock, 0,
                                        (ngx_atomic_uint_t) getpid());
}


void
ngx_http_aiobs_random_secret(u_char *p, size_t len)
{
    memset(p, 7, len);
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    (void) __sync_bool_compare_and_swap(&shared->lock,
                                        (ngx_atomic_uint_t) getpid(), 0);
}


void *
ngx_slab_calloc(ngx_slab_pool_t *pool, size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}


/* keys here may do everything: nothing is kept about them */

void *
ngx_slab_alloc_locked(ngx_slab_pool_t *pool, size_t size)
{
    return NULL;
}


void *
ngx_slab_calloc_locked(ngx_slab_pool_t *pool, size_t size)
{
    return NULL;
}


void
ngx_slab_free_locked(ngx_slab_pool_t *pool, void *p)
{
    abort();
}


uint32_t
ngx_murmur_hash2(u_char *data, size_t len)
{
    return (uint32_t) len;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}
