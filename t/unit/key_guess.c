
/*
 * Copyright (C) the aiobs authors
 *
 * SipHash of the messages of its vectors, and where keys were last.
 */


#include "keys/ngx_http_aiobs_key_guess.h"

#include <stdio.h>
#include <stdlib.h>


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


/* of messages that lie at the end of what may be read */

static void
vectors(void)
{
    size_t         i, len;
    uint64_t       tag[2];
    unsigned char  key[AIOBS_SIPHASH_KEY], *p;

    for (i = 0; i < sizeof(key); i++) {
        key[i] = i;
    }

    for (len = 0; len < 64; len++) {
        p = malloc(len ? len : 1);

        if (p == NULL) {
            exit(1);
        }

        for (i = 0; i < len; i++) {
            p[i] = i;
        }

        aiobs_siphash(key, p, len, tag);

        for (i = 0; i < 16; i++) {
            printf("%02x", (unsigned) (tag[i / 8] >> i % 8 * 8) & 0xff);
        }

        printf("\n");
        free(p);
    }
}


static void
tag_of(int i, ngx_http_aiobs_key_tag_t *tag)
{
    int   len;
    char  key[64];

    static const u_char  secret[AIOBS_SIPHASH_KEY] = "of this test";

    len = sprintf(key, "sk-guess-%d", i);

    aiobs_siphash(secret, (u_char *) key, len, tag->word);
}


/* of so many keys that are in the table at places of their own, and move */

static void
guesses(int capacity)
{
    int                       i, right = 0, moved = 0, strange = 0, out = 0;
    uint32_t                  at;
    ngx_http_aiobs_key_tag_t  tag;

    ngx_http_aiobs_key_guess_init(capacity, NULL);

    for (i = 0; i < capacity * 2; i++) {
        tag_of(i % capacity, &tag);
        ngx_http_aiobs_key_guess_fetch(&tag);
        ngx_http_aiobs_key_guess_put(&tag, i % capacity + 1);
    }

    for (i = 0; i < capacity; i++) {
        tag_of(i, &tag);
        right += ngx_http_aiobs_key_guess(&tag) == (uint32_t) i + 1;

        ngx_http_aiobs_key_guess_put(&tag, capacity - i);
        moved += ngx_http_aiobs_key_guess(&tag) == (uint32_t) (capacity - i);

        tag_of(i + capacity, &tag);
        at = ngx_http_aiobs_key_guess(&tag);
        strange += at != 0;
        out += at > (uint32_t) capacity;
    }

    printf("%d keys: %s, %s, others %s%s\n", capacity,
           right >= capacity * 0.9 ? "most are known" : "few are known",
           moved == capacity ? "all where they were last" : "not all",
           strange <= capacity * 0.02 ? "are not" : "seem to be",
           out ? ", out of the table" : "");

    ngx_http_aiobs_key_guess_init(capacity, NULL);

    for (i = 0, right = 0; i < capacity; i++) {
        tag_of(i, &tag);
        right += ngx_http_aiobs_key_guess(&tag) != 0;
    }

    printf("anew: %s\n", right ? "some" : "none");
}


int
main(int argc, char **argv)
{
    ngx_http_aiobs_key_tag_t  tag;

    if (argc > 1 && strcmp(argv[1], "vectors") == 0) {
        vectors();
        return 0;
    }

    tag_of(1, &tag);
    ngx_http_aiobs_key_guess_put(&tag, 1);
    printf("without memory: %u\n", ngx_http_aiobs_key_guess(&tag));

    guesses(64);
    guesses(1000);
    guesses(1000000);

    return 0;
}
