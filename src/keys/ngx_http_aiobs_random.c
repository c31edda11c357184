
/*
 * Copyright (C) the aiobs authors
 *
 * Random bytes.  Those of ids come from a buffer that AES in counter mode
 * fills, under a key that OpenSSL gives once in a while: asking it for each
 * costs more than all else of an id.  Secrets are asked for.
 */


#include "ngx_http_aiobs_keys.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <sys/random.h>


#define NGX_HTTP_AIOBS_RANDOM       4096
#define NGX_HTTP_AIOBS_RANDOM_ID    16      /* bytes; above: a secret */
#define NGX_HTTP_AIOBS_RANDOM_KEPT  256     /* buffers of one key */


static void ngx_http_aiobs_random_refill(void);
static ngx_int_t ngx_http_aiobs_random_key(void);
static void ngx_http_aiobs_random_fill(u_char *p, size_t len);


static u_char           ngx_http_aiobs_random_buffer[NGX_HTTP_AIOBS_RANDOM];
static size_t           ngx_http_aiobs_random_left;
static ngx_uint_t       ngx_http_aiobs_random_kept;
static ngx_pid_t        ngx_http_aiobs_random_pid;
static EVP_CIPHER_CTX  *ngx_http_aiobs_random_cipher;


void
ngx_http_aiobs_random(u_char *p, size_t len)
{
    u_char  *from;

    if (len > NGX_HTTP_AIOBS_RANDOM_ID) {
        ngx_http_aiobs_random_fill(p, len);
        return;
    }

    /* ngx_pid is set after each fork */

    if (ngx_http_aiobs_random_left < len
        || ngx_http_aiobs_random_pid != ngx_pid)
    {
        ngx_http_aiobs_random_refill();
    }

    ngx_http_aiobs_random_left -= len;
    from = ngx_http_aiobs_random_buffer + ngx_http_aiobs_random_left;

    ngx_memcpy(p, from, len);

    /* what was given out is not kept */

    ngx_memzero(from, len);
}


static void
ngx_http_aiobs_random_refill(void)
{
    int      n;
    u_char  *p;

    p = ngx_http_aiobs_random_buffer;

    if (ngx_http_aiobs_random_pid != ngx_pid) {
        ngx_http_aiobs_random_kept = 0;
    }

    ngx_http_aiobs_random_pid = ngx_pid;
    ngx_http_aiobs_random_left = NGX_HTTP_AIOBS_RANDOM;

    if ((ngx_http_aiobs_random_kept == 0
         && ngx_http_aiobs_random_key() != NGX_OK)
        || EVP_EncryptUpdate(ngx_http_aiobs_random_cipher, p, &n, p,
                             NGX_HTTP_AIOBS_RANDOM)
           != 1)
    {
        ngx_http_aiobs_random_kept = 0;
        ngx_http_aiobs_random_fill(p, NGX_HTTP_AIOBS_RANDOM);
        return;
    }

    ngx_http_aiobs_random_kept--;
}


/* key and counter */

static ngx_int_t
ngx_http_aiobs_random_key(void)
{
    u_char  seed[48];

    if (ngx_http_aiobs_random_cipher == NULL) {
        ngx_http_aiobs_random_cipher = EVP_CIPHER_CTX_new();

        if (ngx_http_aiobs_random_cipher == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_http_aiobs_random_fill(seed, sizeof(seed));

    if (EVP_EncryptInit_ex(ngx_http_aiobs_random_cipher, EVP_aes_256_ctr(),
                           NULL, seed, seed + 32)
        != 1)
    {
        return NGX_ERROR;
    }

    ngx_http_aiobs_random_kept = NGX_HTTP_AIOBS_RANDOM_KEPT;
    OPENSSL_cleanse(seed, sizeof(seed));

    return NGX_OK;
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
