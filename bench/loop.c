
/*
 * Copyright (C) the aiobs authors
 *
 * How long an event loop is held: preloaded into nginx, it takes the time from
 * what epoll_wait() returns until it is called again.
 *
 *     AIOBS_LOOP=FILE LD_PRELOAD=./loop.so nginx ...
 *
 * FILE gets the longest and the number of all turns, each as 64 bits: by the
 * clock, and by the CPU time of the process, in nanoseconds.  Setting them to 0
 * begins anew.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>


typedef struct {
    uint64_t  longest;
    uint64_t  longest_cpu;
    uint64_t  turns;
} loop_t;


static loop_t    *loop;
static uint64_t   began, began_cpu;

static int (*next_epoll_wait)(int, struct epoll_event *, int, int);


static uint64_t
now(clockid_t clock)
{
    struct timespec  ts;

    clock_gettime(clock, &ts);

    return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}


__attribute__((constructor))
static void
loop_init(void)
{
    int          fd;
    const char  *name;

    next_epoll_wait = dlsym(RTLD_NEXT, "epoll_wait");
    name = getenv("AIOBS_LOOP");

    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDWR|O_CREAT, 0644);

    if (fd == -1 || ftruncate(fd, sizeof(loop_t)) == -1) {
        return;
    }

    loop = mmap(NULL, sizeof(loop_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (loop == MAP_FAILED) {
        loop = NULL;
    }

    close(fd);
}


int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    int       rc;
    uint64_t  held, held_cpu;

    if (loop && began) {
        held = now(CLOCK_MONOTONIC) - began;
        held_cpu = now(CLOCK_PROCESS_CPUTIME_ID) - began_cpu;

        loop->longest = held > loop->longest ? held : loop->longest;
        loop->longest_cpu = held_cpu > loop->longest_cpu ? held_cpu
                                                         : loop->longest_cpu;
        loop->turns++;
    }

    rc = next_epoll_wait(fd, events, n, timeout);

    began = now(CLOCK_MONOTONIC);
    began_cpu = now(CLOCK_PROCESS_CPUTIME_ID);

    return rc;
}
