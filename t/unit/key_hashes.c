
/*
 * Copyright (C) the aiobs authors
 *
 * SipHash of the messages of its vectors, and what is remembered of keys.
 */


#include "keys/ngx_http_aiobs_key_guess.h"
#include "keys/ngx_http_aiobs_keys.h"
#include "keys/aiobs_siphash.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>


#define KEYS  20000


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


static u_char  secret;


void
ngx_http_aiobs_random_secret(u_char *p, size_t len)
{
    secret++;
    memset(p, secret, len);
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


/* whether it is remembered; exits if what is remembered is another key's */

static int
get(const char *key, size_t len, int put, uint64_t *slot)
{
    int                       found;
    u_char                    hash[AIOBS_KEY_HASH_LEN], is[AIOBS_KEY_HASH_LEN];
    ngx_str_t                 raw;
    ngx_http_aiobs_key_tag_t  tag;

    raw.data = (u_char *) key;
    raw.len = len;

    SHA256(raw.data, raw.len, is);

    found = ngx_http_aiobs_key_hashes_get(&raw, &tag, hash);

    if (found && memcmp(hash, is, sizeof(is)) != 0) {
        printf("wrong: %.*s\n", (int) len, key);
        exit(1);
    }

    if (put) {
        ngx_http_aiobs_key_hashes_put(&tag, is);
    }

    if (slot) {
        *slot = tag.word[0] & (NGX_HTTP_AIOBS_KEY_HASHES / 2 - 1);
    }

    return found;
}


/* many more than there is room for, each of them twice */

static void
many(void)
{
    int     i, n;
    char    key[64];
    size_t  len;

    for (i = 0; i < KEYS; i++) {
        len = sprintf(key, "sk-%043d", i / 2);
        (void) get(key, len, 1, NULL);
    }

    for (i = 0, n = 0; i < KEYS; i++) {
        len = sprintf(key, "sk-%043d", i);
        n += get(key, len, 0, NULL);
    }

    printf("wrong 0\nremembered %s\n",
           n == NGX_HTTP_AIOBS_KEY_HASHES ? "as many as there is room for"
                                          : "others");
}


static void
slots(void)
{
    int       i, n;
    char      key[3][64];
    size_t    len[3];
    uint64_t  slot;

    for (i = 0, n = 0; n < 3; i++) {
        len[n] = sprintf(key[n], "sk-other-%d", i);
        (void) get(key[n], len[n], 0, &slot);

        if (slot == 7) {
            (void) get(key[n], len[n], 1, NULL);
            n++;
        }
    }

    for (i = 0, n = 0; i < 3; i++) {
        n |= get(key[i], len[i], 0, NULL) << i;
    }

    printf("of three in one slot: %s\n", n == 6 ? "the latest two" : "others");

    for (i = 0, n = 1; i < 100; i++) {
        n &= get(key[1 + i % 2], len[1 + i % 2], 1, NULL);
    }

    printf("two of one slot in turns: %s\n", n ? "both" : "not both");

    n = get(key[2], len[2] - 1, 0, NULL);
    n |= get(key[2], len[2] + 1, 0, NULL);
    key[2][4] ^= 1;
    n |= get(key[2], len[2], 0, NULL);
    key[2][4] ^= 1;

    printf("longer, shorter, changed: %s\n", n ? "some" : "none");

    n = get(key[2], len[2], 0, NULL);
    ngx_http_aiobs_key_hashes_init();
    n += 2 * get(key[2], len[2], 0, NULL);

    printf("another secret: %s\n", n == 1 ? "none" : "some");
}


static void
tag_of(int i, ngx_http_aiobs_key_tag_t *tag)
{
    u_char     hash[AIOBS_KEY_HASH_LEN];
    char       key[64];
    ngx_str_t  raw;

    raw.data = (u_char *) key;
    raw.len = sprintf(key, "sk-guess-%d", i);

    (void) ngx_http_aiobs_key_hashes_get(&raw, tag, hash);
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
           right >= capacity * 0.95 ? "most are known" : "few are known",
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

    ngx_http_aiobs_key_hashes_init();

    if (argc > 1 && strcmp(argv[1], "guesses") == 0) {
        tag_of(1, &tag);
        ngx_http_aiobs_key_guess_put(&tag, 1);
        printf("without memory: %u\n", ngx_http_aiobs_key_guess(&tag));

        guesses(64);
        guesses(1000);
        guesses(1000000);
        return 0;
    }

    many();
    slots();

    return 0;
}
