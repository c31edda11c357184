
/*
 * Copyright (C) the aiobs authors
 *
 * The table of sessions, put under strain: workers in processes of their own,
 * killed at any moment.  Prints whether every call is accounted for.
 *
 * session_table IDS CAPACITY KILLS
 * session_table speed CAPACITY
 * session_table room CAPACITY
 */


#include "agents/ngx_http_aiobs_agents_zone.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


typedef struct {
    ngx_atomic_t   lock;
    ngx_atomic_t   made;            /* calls */
    ngx_atomic_t   over;            /* of sessions that ended */
    ngx_atomic_t   ended;
    ngx_atomic_t   evicted;
} shared_t;


/* what of nginx the table uses */

ngx_uint_t             ngx_pagesize = 4096;
volatile ngx_msec_t    ngx_current_msec = 1;

static shared_t                   *shared;
static ngx_slab_pool_t             pool;
static ngx_http_aiobs_endpoint_t  *endpoints;
static ngx_atomic_uint_t           me;
static uint64_t                    locks;


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    locks++;

    while (!__sync_bool_compare_and_swap(&shared->lock, 0, me)) {
        sched_yield();
    }
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    (void) __sync_bool_compare_and_swap(&shared->lock, me, 0);
}


void *
ngx_slab_calloc(ngx_slab_pool_t *p, size_t size)
{
    void  *m;

    m = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);

    return m == MAP_FAILED ? NULL : m;
}


static uint64_t
next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;

    return *state >> 33;
}


static void
id_of(uint64_t n, u_char *id)
{
    int       i;
    uint64_t  state = n + 1;

    for (i = 0; i < NGX_HTTP_AIOBS_SESSION_ID_LEN; i++) {
        id[i] = next(&state);
    }
}


static void
count(ngx_http_aiobs_session_end_t *end)
{
    if (end->endpoint) {
        (void) ngx_atomic_fetch_add(&shared->over, end->calls);
        (void) ngx_atomic_fetch_add(&shared->ended, 1);
        (void) ngx_atomic_fetch_add(&shared->evicted, end->evicted);
    }
}


static void
sweep(ngx_http_aiobs_sessions_t *s, ngx_http_aiobs_session_stats_t *stats)
{
    ngx_uint_t  from = 0, last;

    do {
        last = from;
        from = ngx_http_aiobs_session_expire(&pool, s, from, stats, count);

        if (from > last + NGX_HTTP_AIOBS_SESSION_TURN
            || (from && from <= last))
        {
            printf("a turn from %d to %d\n", (int) last, (int) from);
            exit(1);
        }

    } while (from);
}


static void
work(ngx_http_aiobs_sessions_t *s, uint64_t ids)
{
    u_char                          id[NGX_HTTP_AIOBS_SESSION_ID_LEN];
    uint64_t                        n, state = me;
    ngx_http_aiobs_session_end_t    end;
    ngx_http_aiobs_session_ref_t    ref;
    ngx_http_aiobs_session_stats_t  stats[2];

    for ( ;; ) {
        n = next(&state) % ids;
        id_of(n, id);
        ngx_current_msec++;

        if (s->live >= s->capacity) {
            ngx_http_aiobs_session_room(&pool, s, count);
        }

        (void) ngx_http_aiobs_session_call(&pool, s, &endpoints[n % 2], id, 0,
                                           &ref, &end);
        (void) ngx_atomic_fetch_add(&shared->made, 1);
        count(&end);

        ngx_http_aiobs_session_seen(&pool, s, &ref, 3,
                                    next(&state) % 16 == 0, &end);
        count(&end);

        if (next(&state) % 256 == 0) {
            sweep(s, stats);
        }
    }
}


static void
end_worker(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);

    /* as nginx's master does */

    (void) __sync_bool_compare_and_swap(&shared->lock, (ngx_atomic_uint_t) pid,
                                        0);
}


static pid_t
start_worker(ngx_http_aiobs_sessions_t *s, uint64_t ids)
{
    pid_t  pid = fork();

    if (pid == 0) {
        me = getpid();
        work(s, ids);
    }

    return pid;
}


static uint64_t
chained(ngx_http_aiobs_sessions_t *s)
{
    uint64_t                   i, n = 0;
    ngx_http_aiobs_session_t  *e;

    for (i = 0; i <= s->mask; i++) {
        for (e = s->buckets[i]; e && n <= s->used; e = e->next) {
            n++;
        }
    }

    return n;
}


static double
seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec * 1e-9;
}


static int
speed(uint64_t capacity)
{
    u_char                          id[NGX_HTTP_AIOBS_SESSION_ID_LEN];
    double                          at;
    uint64_t                        i, n = 2000000;
    ngx_http_aiobs_sessions_t      *s;
    ngx_http_aiobs_session_end_t    end;
    ngx_http_aiobs_session_ref_t    ref;
    ngx_http_aiobs_session_stats_t  stats[2];

    s = ngx_http_aiobs_session_create(&pool, capacity);

    for (i = 0; i < capacity; i++) {
        id_of(i, id);
        (void) ngx_http_aiobs_session_call(&pool, s, endpoints, id, 0, &ref,
                                           &end);
    }

    at = seconds();

    for (i = 0; i < n; i++) {
        id_of(i * 7919 % capacity, id);
        (void) ngx_http_aiobs_session_call(&pool, s, endpoints, id, 0, &ref,
                                           &end);
        ngx_http_aiobs_session_seen(&pool, s, &ref, 3, 0, &end);
    }

    printf("%.0f ns a call, ", (seconds() - at) * 1e9 / n);

    at = seconds();

    for (i = 0; i < n; i++) {
        id_of(capacity + i, id);
        (void) ngx_http_aiobs_session_call(&pool, s, endpoints, id, 0, &ref,
                                           &end);
        ngx_http_aiobs_session_seen(&pool, s, &ref, 3, 0, &end);
    }

    printf("%.0f when each evicts, ", (seconds() - at) * 1e9 / n);

    at = seconds();

    for (i = 0; i < 100; i++) {
        sweep(s, stats);
    }

    printf("%.0f us a sweep, %.1f bytes a session\n",
           (seconds() - at) * 1e6 / 100,
           (double) ngx_http_aiobs_session_size(capacity) / capacity);

    return 0;
}


/* a call of session n as the module makes it; the locks that looking took */

static uint64_t
admit(ngx_http_aiobs_sessions_t *s, uint64_t n)
{
    u_char                         id[NGX_HTTP_AIOBS_SESSION_ID_LEN];
    uint64_t                       before = locks, took;
    ngx_http_aiobs_session_end_t   end;
    ngx_http_aiobs_session_ref_t   ref;

    if (s->live >= s->capacity) {
        ngx_http_aiobs_session_room(&pool, s, count);
    }

    took = locks - before;

    id_of(n, id);
    (void) ngx_http_aiobs_session_call(&pool, s, endpoints, id, 0, &ref, &end);
    shared->made++;
    count(&end);

    ngx_http_aiobs_session_seen(&pool, s, &ref, 0, 0, &end);
    count(&end);

    return took;
}


/*
 * A full table: how it makes room.  What is over goes first, none that lives
 * is evicted for it, and no call looks at more than a turn.
 */

static int
room(uint64_t capacity)
{
    uint64_t                        i, took, most = 0, live = 0, old, over;
    uint64_t                        slack = capacity / NGX_HTTP_AIOBS_SESSION_TURN;
    ngx_http_aiobs_sessions_t      *s;
    ngx_http_aiobs_session_stats_t  stats[2];

    s = ngx_http_aiobs_session_create(&pool, capacity);
    ngx_current_msec = 1000000;
    old = capacity / 10 + 1;

    /* the oldest lie at both ends, and in between */

    for (i = 0; i < capacity; i++) {
        (void) admit(s, i);
    }

    ngx_current_msec += endpoints[0].ttl / 2;

    for (i = 0; i < capacity; i++) {
        if (i % 10) {
            (void) admit(s, i);
        }
    }

    ngx_current_msec += endpoints[0].ttl / 2 + 1;

    over = (capacity + 9) / 10;

    for (i = 0; i < over; i++) {
        took = admit(s, capacity + i);
        most = ngx_max(most, took);
        live = ngx_max(live, s->live);
    }

    printf("over %d ", shared->ended == over && shared->evicted == 0
                       && s->live == capacity);

    /* none is over any more: new ones evict, after a look at all */

    for (i = 0; i < 3 * old; i++) {
        took = admit(s, 2 * capacity + i);
        most = ngx_max(most, took);
        live = ngx_max(live, s->live);
        ngx_current_msec += (i % 64 == 0);
    }

    printf("evicted %d live %d bounded %d ",
           shared->evicted + (s->live - capacity) == 3 * old,
           live <= capacity + slack && s->used <= capacity + slack,
           most <= NGX_HTTP_AIOBS_SESSION_TURN / NGX_HTTP_AIOBS_SESSION_SLICE);

    memset(stats, 0, sizeof(stats));
    sweep(s, stats);
    live = stats[0].active;

    endpoints[0].ttl = 0;
    ngx_current_msec += 1000000;
    sweep(s, stats);

    printf("sound %d told %d\n", live >= capacity && s->live == 0 && chained(s) == 0,
           shared->over == shared->made);

    return 0;
}


int
main(int argc, char **argv)
{
    int                             i, kills;
    pid_t                           workers[2];
    uint64_t                        ids, capacity, live, state = 1;
    int64_t                         lost;
    ngx_http_aiobs_sessions_t      *s;
    ngx_http_aiobs_session_stats_t  stats[2];

    me = getpid();
    shared = ngx_slab_calloc(&pool, sizeof(shared_t));
    endpoints = ngx_slab_calloc(&pool, 2 * sizeof(ngx_http_aiobs_endpoint_t));
    endpoints[0].ttl = 100000;
    endpoints[1].ttl = 100;
    endpoints[1].number = 1;

    capacity = strtoul(argv[2], NULL, 10);

    if (strcmp(argv[1], "speed") == 0) {
        return speed(capacity);
    }

    if (strcmp(argv[1], "room") == 0) {
        return room(capacity);
    }

    ids = strtoul(argv[1], NULL, 10);
    kills = atoi(argv[3]);

    s = ngx_http_aiobs_session_create(&pool, capacity);

    for (i = 0; i < 2; i++) {
        workers[i] = start_worker(s, ids);
    }

    for (i = 0; i < kills; i++) {
        usleep(500 + next(&state) % 2000);
        end_worker(workers[i % 2]);
        workers[i % 2] = start_worker(s, ids);
    }

    for (i = 0; i < 2; i++) {
        end_worker(workers[i]);
    }

    memset(stats, 0, sizeof(stats));
    sweep(s, stats);

    live = stats[0].active + stats[1].active;

    printf("made %d ended %d evicted %d live %d chained %d bounded %d ",
           shared->made > 1000, shared->ended > 0, shared->evicted > 0,
           live == s->live, chained(s) == s->live, s->used <= s->last);

    /* all of the live ones end now: the sum of their calls is that of all */

    endpoints[0].ttl = 0;
    endpoints[1].ttl = 0;
    ngx_current_msec += 1000000;
    sweep(s, stats);

    /* a killed worker takes along what it had not told yet */

    lost = (int64_t) shared->made - (int64_t) shared->over;

    printf("empty %d lost %ld of %lu\n", s->live == 0 && chained(s) == 0,
           (long) lost, (unsigned long) shared->made);

    return 0;
}
