
/*
 * Copyright (C) the aiobs authors
 *
 * SHA-256 of keys that were presented a moment ago, of this process: hashing
 * one is more than all else of a look-up.
 *
 * A hash is found by a tag of the key's bytes under a secret that the process
 * has drawn: nobody who does not know it can make another key that has the
 * tag, and of the key itself nothing is kept.  What a core dump shows of this
 * is tags, their secret, and hashes as the store has them, by which a key can be
 * recognised by whoever has it, but not found.
 *
 * Whether the key may do anything is not known here: it is looked up in the
 * table each time, under its hash.
 */


#ifndef _NGX_HTTP_AIOBS_KEY_HASHES_H_INCLUDED_
#define _NGX_HTTP_AIOBS_KEY_HASHES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "aiobs_key.h"


#define NGX_HTTP_AIOBS_KEY_HASHES  512      /* two to a slot */


typedef struct {
    uint64_t                    word[2];    /* 0, 0: none */
} ngx_http_aiobs_key_tag_t;


/* with another secret, and empty */
void ngx_http_aiobs_key_hashes_init(void);

/*
 * The tag of the key, and its hash if that is remembered: 1.  0: it is not,
 * hash is untouched.  raw: at most NGX_HTTP_AIOBS_KEY_RAW_MAX bytes.
 */
ngx_uint_t ngx_http_aiobs_key_hashes_get(ngx_str_t *raw,
    ngx_http_aiobs_key_tag_t *tag, u_char *hash);

/* the hash of the key that has the tag, and which somebody has */
void ngx_http_aiobs_key_hashes_put(const ngx_http_aiobs_key_tag_t *tag,
    const u_char *hash);


#endif /* _NGX_HTTP_AIOBS_KEY_HASHES_H_INCLUDED_ */
