
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


#define NGX_HTTP_AIOBS_RANDOM_ID    16      /* bytes; above: a secret */
#define NGX_HTTP_AIOBS_RANDOM_USES  256     /* buffers of one key */


static ngx_int_t ngx_http_aiobs_random_key(void);


ngx_http_aiobs_random_t  ngx_http_aiobs_random_kept;

static ngx_uint_t        ngx_http_aiobs_random_uses;
static EVP_CIPHER_CTX   *ngx_http_aiobs_random_cipher;


void
ngx_http_aiobs_random(u_char *p, size_t len)
{
    if (len > NGX_HTTP_AIOBS_RANDOM_ID) {
        ngx_http_aiobs_random_secret(p, len);
        return;
    }

    ngx_http_aiobs_random_id(p, len);
}


void
ngx_http_aiobs_random_refill(void)
{
    int                       n;
    u_char                   *p;
    ngx_http_aiobs_random_t  *kept;

    kept = &ngx_http_aiobs_random_kept;
    p = kept->bytes;

    if (kept->pid != ngx_pid) {
        ngx_http_aiobs_random_uses = 0;
    }

    kept->pid = ngx_pid;
    kept->left = NGX_HTTP_AIOBS_RANDOM;

    if ((ngx_http_aiobs_random_uses == 0
         && ngx_http_aiobs_random_key() != NGX_OK)
        || EVP_EncryptUpdate(ngx_http_aiobs_random_cipher, p, &n, p,
                             NGX_HTTP_AIOBS_RANDOM)
           != 1)
    {
        ngx_http_aiobs_random_uses = 0;
        ngx_http_aiobs_random_secret(p, NGX_HTTP_AIOBS_RANDOM);
        return;
    }

    ngx_http_aiobs_random_uses--;
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

    ngx_http_aiobs_random_secret(seed, sizeof(seed));

    if (EVP_EncryptInit_ex(ngx_http_aiobs_random_cipher, EVP_aes_256_ctr(),
                           NULL, seed, seed + 32)
        != 1)
    {
        return NGX_ERROR;
    }

    ngx_http_aiobs_random_uses = NGX_HTTP_AIOBS_RANDOM_USES;
    OPENSSL_cleanse(seed, sizeof(seed));

    return NGX_OK;
}


void
ngx_http_aiobs_random_secret(u_char *p, size_t len)
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
