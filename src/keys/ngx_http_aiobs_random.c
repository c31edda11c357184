
/*
 * Copyright (C) the aiobs authors
 *
 * Random bytes, from a buffer: OpenSSL is asked once in a while.
 */


#include "ngx_http_aiobs_keys.h"

#include <openssl/rand.h>

#include <sys/random.h>


#define NGX_HTTP_AIOBS_RANDOM  4096


static void ngx_http_aiobs_random_fill(u_char *p, size_t len);


static u_char     ngx_http_aiobs_random_buffer[NGX_HTTP_AIOBS_RANDOM];
static size_t     ngx_http_aiobs_random_left;
static ngx_pid_t  ngx_http_aiobs_random_pid;


void
ngx_http_aiobs_random(u_char *p, size_t len)
{
    u_char  *from;

    if (len > NGX_HTTP_AIOBS_RANDOM) {
        ngx_http_aiobs_random_fill(p, len);
        return;
    }

    /* ngx_pid is set after each fork */

    if (ngx_http_aiobs_random_left < len
        || ngx_http_aiobs_random_pid != ngx_pid)
    {
        ngx_http_aiobs_random_fill(ngx_http_aiobs_random_buffer,
                                   NGX_HTTP_AIOBS_RANDOM);
        ngx_http_aiobs_random_left = NGX_HTTP_AIOBS_RANDOM;
        ngx_http_aiobs_random_pid = ngx_pid;
    }

    ngx_http_aiobs_random_left -= len;
    from = ngx_http_aiobs_random_buffer + ngx_http_aiobs_random_left;

    ngx_memcpy(p, from, len);

    /* what was given out is not kept */

    ngx_memzero(from, len);
}


static void
ngx_http_aiobs_random_fill(u_char *p, size_t len)
{
    ssize_t  n;

    if (RAND_bytes(p, (int) len) == 1) {
        return;
    }

    while (len) {
        n = getrandom(p, ngx_min(len, 256), 0);

        if (n > 0) {
            p += n;
            len -= n;
        }
    }
}
