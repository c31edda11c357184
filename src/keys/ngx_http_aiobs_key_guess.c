
/*
 * Copyright (C) the aiobs authors
 *
 * Where in the table a key was found last.
 */


#include "ngx_http_aiobs_key_guess.h"

#include <sys/mman.h>


#define NGX_HTTP_AIOBS_KEY_GUESSES    8     /* a set of them: half a line */
#define NGX_HTTP_AIOBS_KEY_HUGE_PAGE  (2 * 1024 * 1024)


/*
 * A word has the place in its low bits, and as much of the tag as there is room
 * for.  0: nothing.
 */

typedef struct {
    uint32_t                   *words;
    size_t                      size;       /* bytes */
    uint32_t                    sets;       /* less one */
    uint32_t                    places;     /* the bits of a place */
} ngx_http_aiobs_key_guesses_t;


static ngx_http_aiobs_key_guesses_t  ngx_http_aiobs_key_guesses;

#define ngx_http_aiobs_key_guess_set(g, tag)                                  \
    &(g)->words[((tag)->word[1] & (g)->sets) * NGX_HTTP_AIOBS_KEY_GUESSES]

#define ngx_http_aiobs_key_guess_bits(g, tag)                                 \
    ((uint32_t) ((tag)->word[1] >> 32) & ~(g)->places)


void
ngx_http_aiobs_key_guess_init(ngx_uint_t capacity, ngx_log_t *log)
{
    void                          *p;
    size_t                         n;
    ngx_http_aiobs_key_guesses_t  *g;

    g = &ngx_http_aiobs_key_guesses;

    if (g->words) {
        (void) munmap(g->words, g->size);
        g->words = NULL;
    }

    for (n = NGX_HTTP_AIOBS_KEY_GUESSES;
         n < capacity + capacity / 4;
         n <<= 1)
    {
        /* void */
    }

    for (g->places = 63; g->places < capacity; g->places = g->places * 2 + 1) {
        /* void */
    }

    g->sets = n / NGX_HTTP_AIOBS_KEY_GUESSES - 1;
    g->size = n * sizeof(uint32_t);

    p = mmap(NULL, g->size, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS,
             -1, 0);

    if (p == MAP_FAILED) {
        ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                      "no memory to note where keys are: look-ups are slower");
        return;
    }

#ifdef MADV_HUGEPAGE

    /* asked for at random: every small page is another that the TLB misses */

    if (g->size >= NGX_HTTP_AIOBS_KEY_HUGE_PAGE) {
        (void) madvise(p, g->size, MADV_HUGEPAGE);
    }

#endif

    g->words = p;
}


void
ngx_http_aiobs_key_guess_fetch(const ngx_http_aiobs_key_tag_t *tag)
{
    ngx_http_aiobs_key_guesses_t  *g;

    g = &ngx_http_aiobs_key_guesses;

    if (g->words) {
        __builtin_prefetch(ngx_http_aiobs_key_guess_set(g, tag));
    }
}


uint32_t
ngx_http_aiobs_key_guess(const ngx_http_aiobs_key_tag_t *tag)
{
    uint32_t                      *set, bits, at;
    ngx_uint_t                     i;
    ngx_http_aiobs_key_guesses_t  *g;

    g = &ngx_http_aiobs_key_guesses;

    if (g->words == NULL) {
        return 0;
    }

    set = ngx_http_aiobs_key_guess_set(g, tag);
    bits = ngx_http_aiobs_key_guess_bits(g, tag);

    for (at = 0, i = 0; i < NGX_HTTP_AIOBS_KEY_GUESSES; i++) {
        at = (set[i] & ~g->places) == bits && set[i] ? set[i] & g->places : at;
    }

    return at;
}


/* instead of one that was there, or another key's that was there longest */

void
ngx_http_aiobs_key_guess_put(const ngx_http_aiobs_key_tag_t *tag, uint32_t at)
{
    uint32_t                      *set, bits, word, old;
    ngx_uint_t                     i;
    ngx_http_aiobs_key_guesses_t  *g;

    g = &ngx_http_aiobs_key_guesses;

    if (g->words == NULL) {
        return;
    }

    set = ngx_http_aiobs_key_guess_set(g, tag);
    bits = ngx_http_aiobs_key_guess_bits(g, tag);

    for (word = bits | at, i = 0; i < NGX_HTTP_AIOBS_KEY_GUESSES; i++) {
        old = set[i];
        set[i] = word;

        if (old == 0 || (old & ~g->places) == bits) {
            return;
        }

        word = old;
    }
}
