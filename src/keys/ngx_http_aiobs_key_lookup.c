
/*
 * Copyright (C) the aiobs authors
 *
 * Whose key is this?  Asked of the table; of the store, with the request
 * suspended, when the table does not know (ngx_http_aiobs_key_wait.c).
 */


#include "ngx_http_aiobs_key_worker.h"
#include "ngx_http_aiobs_key_guess.h"
#include "../request/aiobs_hex.h"
#include "../limits/ngx_http_aiobs_limits.h"

/*
 * SHA-256 by its own functions, called old since OpenSSL 3: what EVP puts
 * around one, an allocation among it, is as much again as hashing a key.
 */

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>


#define NGX_HTTP_AIOBS_KEY_AGAIN  500   /* milliseconds */

#define NGX_HTTP_AIOBS_ONES  0x0101010101010101ULL


static void ngx_http_aiobs_key_id(ngx_http_aiobs_identity_t *id);
static void ngx_http_aiobs_key_hash(ngx_str_t *raw, u_char *hash);
static ngx_uint_t ngx_http_aiobs_key_malformed(ngx_str_t *raw);
static ngx_int_t ngx_http_aiobs_key_recognize(ngx_http_aiobs_key_worker_t *w,
    ngx_http_request_t *r, ngx_http_aiobs_identity_t *id, ngx_str_t *raw);
static ngx_int_t ngx_http_aiobs_key_known_by_tag(
    ngx_http_aiobs_key_worker_t *w, const ngx_http_aiobs_key_tag_t *tag,
    aiobs_key_t *key);
static ngx_int_t ngx_http_aiobs_key_cached(ngx_http_aiobs_key_worker_t *w,
    const u_char *hash, uint32_t *at, aiobs_key_t *key);
static ngx_uint_t ngx_http_aiobs_key_unreadable(
    ngx_http_aiobs_key_worker_t *w);


ngx_int_t
ngx_http_aiobs_keys_identify(ngx_http_request_t *r, ngx_str_t *raw,
    ngx_http_aiobs_identity_t *id)
{
    ngx_int_t                     rc;
    ngx_http_aiobs_key_worker_t  *w;

    w = ngx_http_aiobs_key_worker;

    /* phases run again while a request is suspended, too */

    if (id->verdict != NGX_HTTP_AIOBS_KEY_UNASKED) {
        return id->suspended ? NGX_AGAIN : NGX_OK;
    }

    if (raw->len == 0) {
        id->verdict = NGX_HTTP_AIOBS_KEY_MISSING;
        return NGX_OK;
    }

    id->verdict = NGX_HTTP_AIOBS_KEY_UNKNOWN;

    if (raw->len > NGX_HTTP_AIOBS_KEY_RAW_MAX) {
        return NGX_OK;
    }

    if (w == NULL) {
        id->verdict = NGX_HTTP_AIOBS_KEY_STORE;
        return NGX_OK;
    }

    ngx_http_aiobs_keys_owe();

    if (ngx_http_aiobs_key_recognize(w, r, id, raw) == NGX_OK) {
        return NGX_OK;
    }

    rc = ngx_http_aiobs_key_suspend(w, r, id, id->hash);

    if (rc == NGX_AGAIN) {
        id->verdict = NGX_HTTP_AIOBS_KEY_PENDING;
        ngx_http_aiobs_key_gather(w);
        return NGX_AGAIN;
    }

    id->verdict = NGX_HTTP_AIOBS_KEY_STORE;

    return NGX_OK;
}


/* NGX_DECLINED: the store is to tell; else there is a verdict */

static ngx_int_t
ngx_http_aiobs_key_recognize(ngx_http_aiobs_key_worker_t *w,
    ngx_http_request_t *r, ngx_http_aiobs_identity_t *id, ngx_str_t *raw)
{
    uint32_t                   at;
    ngx_int_t                  rc;
    aiobs_key_t                key;
    ngx_http_aiobs_key_tag_t  *tag;

    tag = &id->tag;

    ngx_http_aiobs_key_tag(w->keys, raw, tag);

    if (ngx_http_aiobs_key_known_by_tag(w, tag, &key) == NGX_OK) {
        ngx_memcpy(id->hash, key.hash, AIOBS_KEY_HASH_LEN);
        ngx_http_aiobs_key_id(id);

    } else {
        ngx_http_aiobs_key_hash(raw, id->hash);
        ngx_http_aiobs_key_id(id);

        if (ngx_http_aiobs_key_malformed(raw)) {
            return NGX_OK;
        }

        rc = ngx_http_aiobs_key_cached(w, id->hash, &at, &key);

        if (rc != NGX_OK) {
            return rc == NGX_ABORT ? NGX_OK : NGX_DECLINED;
        }

        if (at) {
            ngx_http_aiobs_key_table_mark(w->keys, w->shpool, at, id->hash,
                                          tag);
            ngx_http_aiobs_key_guess_put(tag, at);
        }
    }

    /* what it took of its limits comes with it */

    if (ngx_http_aiobs_key_limited(&key)
        && !ngx_http_aiobs_limits_known(key.policy.account, w->failed))
    {
        return NGX_DECLINED;
    }

    ngx_http_aiobs_key_verdict(id, &key, r->pool);

    return NGX_OK;
}


void
ngx_http_aiobs_key_learn(ngx_http_aiobs_key_worker_t *w, const u_char *hash,
    const ngx_http_aiobs_key_tag_t *tag)
{
    uint32_t     at;
    aiobs_key_t  key;

    if (ngx_http_aiobs_key_ours(w)
        && ngx_http_aiobs_key_table_get(w->keys, hash, &at, 0, &key) == NGX_OK)
    {
        ngx_http_aiobs_key_table_mark(w->keys, w->shpool, at, hash, tag);
        ngx_http_aiobs_key_guess_put(tag, at);
    }
}


/*
 * No malformed key, and none that the store has to be asked for, has an entry
 * with its tag: NGX_DECLINED.
 */

static ngx_int_t
ngx_http_aiobs_key_known_by_tag(ngx_http_aiobs_key_worker_t *w,
    const ngx_http_aiobs_key_tag_t *tag, aiobs_key_t *key)
{
    uint32_t  at;

    at = ngx_http_aiobs_key_guess(tag);

    if (at == 0 || !ngx_http_aiobs_key_ours(w)) {
        return NGX_DECLINED;
    }

    return ngx_http_aiobs_key_table_known(w->keys, tag, at, ngx_time(), key);
}


/*
 * NGX_ABORT: it was unknown a moment ago; NGX_DECLINED: the store is to tell.
 * at: where it is, 0: that is not known.
 */

static ngx_int_t
ngx_http_aiobs_key_cached(ngx_http_aiobs_key_worker_t *w, const u_char *hash,
    uint32_t *at, aiobs_key_t *key)
{
    ngx_int_t  rc;

    *at = 0;

    if (!ngx_http_aiobs_key_ours(w)) {
        return NGX_DECLINED;
    }

    rc = ngx_http_aiobs_key_table_get(w->keys, hash, at, ngx_time(), key);

    if (rc == NGX_DECLINED) {

        if (ngx_http_aiobs_key_unknown(w->keys, hash, ngx_current_msec)) {
            return NGX_ABORT;
        }

        rc = ngx_http_aiobs_key_table_get_locked(w->keys, w->shpool, hash,
                                                 ngx_time(), key);
    }

    /* the store would be waited for, and could not say more */

    if (rc == NGX_AGAIN && ngx_http_aiobs_key_unreadable(w)) {
        rc = NGX_OK;
    }

    return rc == NGX_OK ? NGX_OK : NGX_DECLINED;
}


/*
 * It could not be read a moment ago, or is being tried again: keys that are to
 * be asked for anew go on with what is known, but for one now and then.
 */

static ngx_uint_t
ngx_http_aiobs_key_unreadable(ngx_http_aiobs_key_worker_t *w)
{
    ngx_msec_t  ago;

    if (w->unreadable == 0) {
        return 0;
    }

    ago = ngx_current_msec - w->unreadable;

    return ago < NGX_HTTP_AIOBS_KEY_AGAIN
           || (w->busy && ago < NGX_HTTP_AIOBS_KEY_AGAIN * 10);
}


static void
ngx_http_aiobs_key_id(ngx_http_aiobs_identity_t *id)
{
    u_char  hex[16];

    aiobs_hex8(hex, id->hash);

    ngx_memcpy(id->key_id_data, hex, NGX_HTTP_AIOBS_KEY_ID_LEN);

    id->key_id.data = id->key_id_data;
    id->key_id.len = NGX_HTTP_AIOBS_KEY_ID_LEN;
}


static void
ngx_http_aiobs_key_hash(ngx_str_t *raw, u_char *hash)
{
    SHA256_CTX  ctx;

    (void) SHA256_Init(&ctx);
    (void) SHA256_Update(&ctx, raw->data, raw->len);
    (void) SHA256_Final(hash, &ctx);
}


/* printable ASCII without spaces, by words; the last one overlaps */

static ngx_uint_t
ngx_http_aiobs_key_malformed(ngx_str_t *raw)
{
    size_t    i;
    uint64_t  word, bad;

    bad = 0;

    if (raw->len < sizeof(word)) {
        for (i = 0; i < raw->len; i++) {
            bad |= raw->data[i] <= 0x20 || raw->data[i] >= 0x7f;
        }

        return bad != 0;
    }

    for (i = 0; i < raw->len; i += sizeof(word)) {
        i = ngx_min(i, raw->len - sizeof(word));
        ngx_memcpy(&word, raw->data + i, sizeof(word));

        /* bytes <= 0x20, 0x7f and >= 0x80 leave a high bit */

        bad |= (word - NGX_HTTP_AIOBS_ONES * 0x21)
               | (word + NGX_HTTP_AIOBS_ONES) | word;
    }

    return (bad & NGX_HTTP_AIOBS_ONES << 7) != 0;
}
