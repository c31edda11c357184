
/*
 * Copyright (C) the aiobs authors
 *
 * An upstream that streams as a model does: events PORT FILE MICROSECONDS, the
 * events of the file one at a time, so long after each other.  A path with
 * "hold" in it gets twenty, and then the connection stays open.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


#define EVENTS_MAX   4096
#define EVENTS_HELD  20


typedef struct {
    char    *text;              /* a chunk of the chunked coding */
    size_t   len;
} event_t;


static void events_load(const char *name);
static int events_listen(int port);
static void *events_serve(void *data);
static int events_request(int fd, int *hold);
static void events_send(int fd, const char *p, size_t len);


static event_t  events[EVENTS_MAX];
static size_t   events_n;
static int      pace;


int
main(int argc, char **argv)
{
    int        s, fd, one;
    pthread_t  thread;

    if (argc != 4) {
        fprintf(stderr, "usage: %s PORT FILE MICROSECONDS\n", argv[0]);
        return 2;
    }

    signal(SIGPIPE, SIG_IGN);

    events_load(argv[2]);
    pace = atoi(argv[3]);
    s = events_listen(atoi(argv[1]));
    one = 1;

    for ( ;; ) {
        fd = accept(s, NULL, NULL);

        if (fd == -1) {
            continue;
        }

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

        if (pthread_create(&thread, NULL, events_serve, (void *) (long) fd)) {
            close(fd);
            continue;
        }

        pthread_detach(thread);
    }
}


static void
events_load(const char *name)
{
    FILE    *f;
    char    *body, *p, *end;
    size_t   len;

    f = fopen(name, "rb");

    if (f == NULL) {
        perror(name);
        exit(1);
    }

    body = malloc(1 << 20);
    len = fread(body, 1, (1 << 20) - 1, f);
    body[len] = '\0';
    fclose(f);

    for (p = body; (end = strstr(p, "\n\n")) != NULL; p = end) {
        end += 2;
        events[events_n].len = asprintf(&events[events_n].text, "%zx\r\n%.*s\r\n",
                                        (size_t) (end - p), (int) (end - p), p);

        if (++events_n == EVENTS_MAX) {
            break;
        }
    }
}


static int
events_listen(int port)
{
    int                 s, one;
    struct sockaddr_in  addr;

    memset(&addr, 0, sizeof(addr));

    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons(port);

    s = socket(AF_INET, SOCK_STREAM, 0);
    one = 1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));

    if (bind(s, (struct sockaddr *) &addr, sizeof(addr)) || listen(s, 1024)) {
        perror("events");
        exit(1);
    }

    return s;
}


static void *
events_serve(void *data)
{
    int                fd, hold;
    size_t             i;
    static const char  head[] = "HTTP/1.1 200 OK\r\n"
                                "Content-Type: text/event-stream\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n";

    fd = (long) data;

    while (events_request(fd, &hold)) {

        events_send(fd, head, sizeof(head) - 1);

        for (i = 0; i < events_n && !(hold && i == EVENTS_HELD); i++) {
            events_send(fd, events[i].text, events[i].len);
            usleep(pace);
        }

        if (!hold) {
            events_send(fd, "0\r\n\r\n", 5);
        }
    }

    close(fd);

    return NULL;
}


/* requests of a benchmark are short and come one at a time */

static int
events_request(int fd, int *hold)
{
    char     buf[8192], *body, *length;
    ssize_t  n;
    size_t   len;

    for (len = 0; len < sizeof(buf) - 1; /* void */ ) {
        n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0);

        if (n <= 0) {
            return 0;
        }

        len += n;
        buf[len] = '\0';

        body = strstr(buf, "\r\n\r\n");
        length = strcasestr(buf, "\r\ncontent-length:");

        if (body && (length == NULL
                     || len >= body + 4 - buf + strtoul(length + 17, NULL, 10)))
        {
            *hold = (memmem(buf, strcspn(buf, "\r"), "hold", 4) != NULL);
            return 1;
        }
    }

    return 0;
}


static void
events_send(int fd, const char *p, size_t len)
{
    ssize_t  n;

    while (len) {
        n = send(fd, p, len, 0);

        if (n <= 0) {
            return;
        }

        p += n;
        len -= n;
    }
}
