
/*
 * Copyright (C) the aiobs authors
 *
 * Where in the table a key was found last, of this process: by its tag, under
 * which the entry that is there shows whether it is the key's.  A guess decides
 * nothing.
 */


#ifndef _NGX_HTTP_AIOBS_KEY_GUESS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_KEY_GUESS_H_INCLUDED_


#include "ngx_http_aiobs_key_table.h"


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
