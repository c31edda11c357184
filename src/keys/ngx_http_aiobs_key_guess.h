
/*
 * Copyright (C) the aiobs authors
 *
 * Where in the table a key was found last, of this process: by a tag that is
 * made sooner than the SHA-256 under which the table has it, so that what is
 * there is on its way while that is made.
 *
 * A guess decides nothing.  What is found at its place is compared by the whole
 * SHA-256, and looked up when it is something else.
 */


#ifndef _NGX_HTTP_AIOBS_KEY_GUESS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_KEY_GUESS_H_INCLUDED_


#include "ngx_http_aiobs_key_hashes.h"


/*
 * For a table of so many keys, and empty; takes 5 to 10 bytes a key, as they
 * come.  Without memory no guesses are made.
 */
void ngx_http_aiobs_key_guess_init(ngx_uint_t capacity, ngx_log_t *log);

/* the guess is asked for in a moment */
void ngx_http_aiobs_key_guess_fetch(const ngx_http_aiobs_key_tag_t *tag);

/* a place, 1 to capacity; 0: it was never seen, or is forgotten */
uint32_t ngx_http_aiobs_key_guess(const ngx_http_aiobs_key_tag_t *tag);

/* the key was there */
void ngx_http_aiobs_key_guess_put(const ngx_http_aiobs_key_tag_t *tag,
    uint32_t at);


#endif /* _NGX_HTTP_AIOBS_KEY_GUESS_H_INCLUDED_ */
