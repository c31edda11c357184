
/*
 * Copyright (C) the aiobs authors
 *
 * Exemplars written by several processes at once, which are killed at any
 * moment, and read meanwhile.  Prints what came of it.
 *
 * exemplars KILLS
 */


#include "metrics/ngx_http_aiobs_families.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>


#define WRITERS  3


typedef struct {
    ngx_atomic_t               lock;
    ngx_atomic_t               written;
    ngx_http_aiobs_metrics_t   metrics;
    ngx_http_aiobs_series_t    series;
    ngx_http_aiobs_exemplar_t  exemplars[NGX_HTTP_AIOBS_EXEMPLARS_MAX];
} shared_t;


/* what of nginx and of the room exemplars use */

ngx_pid_t                  ngx_pid;
volatile ngx_time_t       *ngx_cached_time;
ngx_http_aiobs_metrics_t  *ngx_http_aiobs_registry;
ngx_slab_pool_t           *ngx_http_aiobs_registry_pool;

const ngx_http_aiobs_family_t
    ngx_http_aiobs_families[NGX_HTTP_AIOBS_FAMILY_LAST] =
{
    [NGX_HTTP_AIOBS_HTTP_DURATION] = { .type = NGX_HTTP_AIOBS_HISTOGRAM }
};

static shared_t         *shared;
static ngx_slab_pool_t   pool;
static ngx_time_t        now;


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    while (!__sync_bool_compare_and_swap(&shared->lock, 0,
                                         (ngx_atomic_uint_t) ngx_pid))
    {
        sched_yield();
    }
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    (void) __sync_bool_compare_and_swap(&shared->lock,
                                        (ngx_atomic_uint_t) ngx_pid, 0);
}


static u_char *
trace_id(void *data)
{
    return data;
}


/* everything in it follows from one letter */

static void
observe(u_char letter)
{
    u_char     trace[NGX_HTTP_AIOBS_EXEMPLAR_TRACE];
    u_char     text[NGX_HTTP_AIOBS_EXEMPLAR_ID];
    ngx_str_t  id;

    memset(trace, letter, sizeof(trace));
    memset(text, letter, sizeof(text));

    id.data = text;
    id.len = letter - 'a' + 1;
    now.sec += 2;                       /* none is too young to be replaced */

    ngx_http_aiobs_metrics_request(trace_id, trace, &id, letter & 1);
    ngx_http_aiobs_exemplar_add(&shared->series, letter % 8, letter * 1000);
    ngx_http_aiobs_metrics_request(NULL, NULL, NULL, 0);
}


static int
whole(ngx_http_aiobs_exemplar_t *e)
{
    ngx_uint_t  i;
    u_char      letter = e->trace_id[0];

    for (i = 0; i < NGX_HTTP_AIOBS_EXEMPLAR_TRACE; i++) {
        if (e->trace_id[i] != letter) {
            return 0;
        }
    }

    for (i = 0; i < e->id_len; i++) {
        if (e->id[i] != letter) {
            return 0;
        }
    }

    return letter >= 'a' && letter <= 'z' && e->id_len == letter - 'a' + 1
           && e->value == letter * 1000u && e->bucket == letter % 8
           && e->sampled == (letter & 1);
}


static void
work(void)
{
    unsigned  n;

    ngx_pid = getpid();
    now.sec = ngx_pid;

    for (n = (unsigned) ngx_pid; ; n++) {
        observe('a' + n % 26);
        (void) ngx_atomic_fetch_add(&shared->written, 1);
    }
}


static pid_t
start_writer(void)
{
    pid_t  pid = fork();

    if (pid == 0) {
        work();
    }

    return pid;
}


static void
end_writer(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    (void) __sync_bool_compare_and_swap(&shared->lock, (ngx_atomic_uint_t) pid,
                                        0);
}


static pid_t
dead(void)
{
    pid_t  pid = fork();

    if (pid == 0) {
        _exit(0);
    }

    waitpid(pid, NULL, 0);

    return pid;
}


/* how many can be read, -1 if one of them is of two writers */

static int
look(void)
{
    ngx_uint_t                 i, n;
    ngx_http_aiobs_exemplar_t  out[NGX_HTTP_AIOBS_EXEMPLARS_MAX];

    n = ngx_http_aiobs_exemplars(&shared->metrics, &shared->series, out);

    for (i = 0; i < n; i++) {
        if (!whole(&out[i])) {
            return -1;
        }
    }

    return n;
}


/* a writer is found where it was: locked by pid, half way or not */

static void
found(const char *name, pid_t pid, ngx_uint_t half)
{
    int                         before;
    ngx_http_aiobs_exemplar_t  *e;

    observe('a');                       /* bucket 1 */

    e = &shared->exemplars['a' % NGX_HTTP_AIOBS_EXEMPLARS_MAX];
    e->lock = pid;

    if (half) {
        e->sequence++;
        memset(e->trace_id, 'x', 7);
    }

    before = look();
    observe('a' + 8);

    printf("%s: before %d after %d, %s\n", name, before, look(),
           e->trace_id[31] == 'a' + 8 ? "taken" : "left");

    e->lock = 0;
    e->sequence = 0;
}


static void
strain(int kills)
{
    int        i, n;
    pid_t      writers[WRITERS];
    uint64_t   reads = 0, torn = 0;

    for (i = 0; i < WRITERS; i++) {
        writers[i] = start_writer();
    }

    for (i = 0; i < kills; i++) {
        for (n = 0; n < 2000; n++) {
            switch (look()) {
            case -1:
                torn++;
                break;
            case 0:
                break;
            default:
                reads++;
            }
        }

        end_writer(writers[i % WRITERS]);
        writers[i % WRITERS] = start_writer();
    }

    for (i = 0; i < WRITERS; i++) {
        end_writer(writers[i]);
    }

    for (i = 0; i < 26; i++) {
        observe('a' + i);               /* whatever the killed have left */
    }

    printf("written %d read %d torn %lu then %d room %d\n",
           shared->written > 1000, reads > 100, (unsigned long) torn, look(),
           (int) shared->metrics.exemplars_used);
}


int
main(int argc, char **argv)
{
    shared = mmap(NULL, sizeof(shared_t), PROT_READ|PROT_WRITE,
                  MAP_ANON|MAP_SHARED, -1, 0);

    shared->metrics.exemplars = shared->exemplars;
    shared->metrics.exemplars_n = NGX_HTTP_AIOBS_EXEMPLARS_MAX;
    shared->series.family = NGX_HTTP_AIOBS_HTTP_DURATION;

    ngx_pid = getpid();
    ngx_cached_time = &now;
    ngx_http_aiobs_registry = &shared->metrics;
    ngx_http_aiobs_registry_pool = &pool;
    now.sec = 1000000;

    found("dead, half way", dead(), 1);
    found("dead, done", dead(), 0);
    found("alive, half way", getppid(), 1);
    strain(atoi(argv[1]));

    return 0;
}
