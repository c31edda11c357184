
/*
 * Copyright (C) the aiobs authors
 *
 * Requests to several servers by turns, in short slices, and what each slice
 * took:
 *
 *     load CONNECTIONS MILLISECONDS TURNS SERVER...
 *     SERVER: PORT:PID:FILE:KEYS[:FILE:RATE]
 *
 * FILE is a request as it is sent.  "%KEY%" in it becomes a number from 1 to
 * KEYS at random; with "=KEYS" each of them once, after which no more is sent;
 * with 0 one that has not been there before.  A slice begins with a request on
 * each connection; another one follows each answer until the time is over, and
 * the slice ends with the last answer: nothing of it is left for the next one.
 * Beside these, RATE requests a second of the second FILE are sent, on connections
 * of their own.
 *
 * A line for each slice, times in nanoseconds: the server's index, answers, how
 * many of them are not 2xx, CPU of the process's first thread and of all its
 * threads, time by the clock, 50th and 99th percentile of an answer's time, and
 * how many requests of the second FILE were sent.
 */


#define _GNU_SOURCE

#include "load.h"

#include <arpa/inet.h>
#include <glob.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>


#define LOAD_BESIDE    128      /* connections of the second file */
#define LOAD_PATIENCE  30       /* seconds for an answer */


typedef struct {
    int         port;
    int         pid;
    int         epoll;
    request_t   request;
    request_t   beside;
    uint64_t    rate;
    conn_t     *conns;
    int         n;              /* connections, those beside included */
    int         main;           /* without them */
} server_t;


static void
load_connect(server_t *s, conn_t *c)
{
    int                 one;
    struct epoll_event  ev;
    struct sockaddr_in  addr;

    memset(&addr, 0, sizeof(addr));

    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons(s->port);

    one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1 || connect(c->fd, (struct sockaddr *) &addr, sizeof(addr))) {
        load_fail("port %d: %s", s->port, strerror(errno));
    }

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    ev.events = EPOLLIN;
    ev.data.ptr = c;

    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &ev)) {
        load_fail("epoll: %s", strerror(errno));
    }
}


static void
load_server(server_t *s, char *arg, int connections)
{
    int    i;
    char  *field[6], *next;

    memset(field, 0, sizeof(field));

    for (next = arg, i = 0; next && i < 6; i++) {
        field[i] = strsep(&next, ":");
    }

    if (field[3] == NULL || (field[4] && field[5] == NULL)) {
        load_fail("not a server: \"%s\"", arg);
    }

    s->port = atoi(field[0]);
    s->pid = atoi(field[1]);
    s->main = connections;
    s->n = connections;

    load_request(&s->request, field[2], field[3]);

    if (field[4]) {
        load_request(&s->beside, field[4], "0");
        s->rate = strtoull(field[5], NULL, 10);
        s->n += LOAD_BESIDE;
    }

    s->epoll = epoll_create1(0);
    s->conns = calloc(s->n, sizeof(conn_t));

    for (i = 0; i < s->n; i++) {
        s->conns[i].beside = i >= connections;
        load_connect(s, &s->conns[i]);
    }
}


/* of the first thread, and of all */

static void
load_cpu(int pid, uint64_t *loop, uint64_t *all)
{
    FILE      *f;
    char       name[64];
    glob_t     threads;
    size_t     i;
    uint64_t   ns;

    snprintf(name, sizeof(name), "/proc/%d/task/*/schedstat", pid);

    if (glob(name, 0, NULL, &threads)) {
        load_fail("no process %d", pid);
    }

    snprintf(name, sizeof(name), "/proc/%d/task/%d/schedstat", pid, pid);

    for (*all = 0, i = 0; i < threads.gl_pathc; i++) {
        f = fopen(threads.gl_pathv[i], "r");

        if (f == NULL) {
            continue;                   /* a thread that has ended */
        }

        if (fscanf(f, "%lu", &ns) == 1) {
            *all += ns;

            if (strcmp(threads.gl_pathv[i], name) == 0) {
                *loop = ns;
            }
        }

        fclose(f);
    }

    globfree(&threads);
}


static void
load_beside(server_t *s, slice_t *slice, uint64_t began)
{
    int        i;
    uint64_t   due, t;

    t = load_now();

    if (t >= slice->end) {
        return;
    }

    due = (t - began) * s->rate / 1000000000;

    for (i = s->main; i < s->n && slice->beside < due; i++) {

        if (!s->conns[i].busy) {
            load_send(&s->conns[i], &s->beside, slice);
            slice->beside++;
        }
    }
}


static int
load_more(server_t *s, slice_t *slice)
{
    if (s->request.once) {
        return s->request.last < s->request.keys;
    }

    return load_now() < slice->end;
}


static int
load_compare(const void *one, const void *two)
{
    uint64_t  a, b;

    a = *(const uint64_t *) one;
    b = *(const uint64_t *) two;

    return (a > b) - (a < b);
}


static void
load_slice(server_t *s, slice_t *slice, uint64_t began)
{
    int                  i, n;
    conn_t              *c;
    struct epoll_event   events[64];

    for (i = 0; i < s->main; i++) {
        load_send(&s->conns[i], &s->request, slice);
    }

    while (slice->busy) {

        if (s->rate) {
            load_beside(s, slice, began);
        }

        n = epoll_wait(s->epoll, events, 64, s->rate ? 1 : LOAD_PATIENCE * 1000);

        if (n == -1 || (n == 0 && load_now() > slice->end + LOAD_PATIENCE * 1000000000ULL)) {
            load_fail("no answer");
        }

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;
            load_read(c, slice);

            if (!c->busy && !c->beside && load_more(s, slice)) {
                load_send(c, &s->request, slice);
            }
        }
    }
}


int
main(int argc, char **argv)
{
    int        i, k, turns, servers;
    server_t  *server;
    slice_t    slice;
    uint64_t   loop[2], all[2], began, took, msec;

    if (argc < 5) {
        fprintf(stderr, "usage: %s CONNECTIONS MILLISECONDS TURNS "
                        "PORT:PID:FILE:KEYS[:FILE:RATE]...\n", argv[0]);
        return 2;
    }

    msec = strtoull(argv[2], NULL, 10);
    turns = atoi(argv[3]);
    servers = argc - 4;
    server = calloc(servers, sizeof(server_t));
    load_seed = load_now() | 1;

    for (i = 0; i < servers; i++) {
        load_server(&server[i], argv[4 + i], atoi(argv[1]));
    }

    for (k = 0; k < turns; k++) {

        for (i = 0; i < servers; i++) {
            memset(&slice, 0, sizeof(slice_t));
            memset(loop, 0, sizeof(loop));

            load_cpu(server[i].pid, &loop[0], &all[0]);
            began = load_now();
            slice.end = began + msec * 1000000;

            load_slice(&server[i], &slice, began);

            took = load_now() - began;
            load_cpu(server[i].pid, &loop[1], &all[1]);

            qsort(load_times, slice.answers, sizeof(uint64_t), load_compare);

            printf("%d %lu %lu %lu %lu %lu %lu %lu %lu\n", i, slice.answers,
                   slice.failed, loop[1] - loop[0], all[1] - all[0], took,
                   load_times[slice.answers / 2], load_times[slice.answers * 99 / 100],
                   slice.beside);
        }
    }

    return 0;
}
