
/*
 * Copyright (C) the aiobs authors
 *
 * The table of keys, put under strain: writers and readers in processes of
 * their own, writers killed at any moment.  Prints what readers saw.
 *
 * key_table KEYS CAPACITY READERS KILLS
 */


#include "keys/ngx_http_aiobs_key_table.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "key_table_nginx.h"


static uint64_t
next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;

    return *state >> 33;
}


static void
hash_of(uint64_t key, u_char *hash)
{
    int       i;
    uint64_t  state = key + 1;

    for (i = 0; i < AIOBS_KEY_HASH_LEN; i++) {
        hash[i] = next(&state);
    }
}


/* no two keys have one word in common, of hash or tag */

static void
tag_of(uint64_t key, ngx_http_aiobs_key_tag_t *tag)
{
    tag->word[0] = (key + 1) << 20 | 0x5aaaa;
    tag->word[1] = (key + 1) << 40 | 0xa5555;
}


/* texts that tell whose they are: a byte of the key, any length */

static void
key_of(uint64_t n, uint64_t round, aiobs_key_t *key)
{
    memset(&key->policy, 0, sizeof(key->policy));
    hash_of(n, key->hash);

    key->found = 1;
    key->active = 1;
    key->user_len = 1 + (n + round) % AIOBS_KEY_USER_MAX;
    key->name_len = (n * 7 + round) % (AIOBS_KEY_NAME_MAX + 1);
    memset(key->user, 'a' + n % 26, key->user_len);
    memset(key->name, 'A' + n % 26, key->name_len);
}


static int
is_torn(uint64_t n, aiobs_key_t *key)
{
    int  i;

    for (i = 0; i < key->user_len; i++) {
        if (key->user[i] != (char) ('a' + n % 26)) {
            return 1;
        }
    }

    for (i = 0; i < key->name_len; i++) {
        if (key->name[i] != (char) ('A' + n % 26)) {
            return 1;
        }
    }

    return key->user_len == 0;
}


/* as a worker does: by the tag, where the key was last, else by the hash */

static int
look_up(ngx_http_aiobs_keys_t *keys, ngx_slab_pool_t *pool, uint64_t i,
    uint32_t *at, aiobs_key_t *key)
{
    int                       found;
    u_char                    hash[AIOBS_KEY_HASH_LEN];
    ngx_http_aiobs_key_tag_t  tag;

    hash_of(i, hash);
    tag_of(i, &tag);

    if (ngx_http_aiobs_key_table_known(keys, &tag, *at, 2000, key) == NGX_OK) {
        (void) ngx_atomic_fetch_add(&shared->known, 1);

        if (memcmp(key->hash, hash, AIOBS_KEY_HASH_LEN) != 0) {
            (void) ngx_atomic_fetch_add(&shared->torn, 1);
        }

        return 1;
    }

    *at = 0;
    found = ngx_http_aiobs_key_table_get(keys, hash, at, 2000, key)
            != NGX_DECLINED;

    ngx_http_aiobs_key_table_mark(keys, pool, *at, hash, &tag);

    return found;
}


static void
write_on(ngx_http_aiobs_keys_t *keys, ngx_slab_pool_t *pool, uint64_t n)
{
    uint32_t             where;
    uint64_t             i, state = getpid(), round;
    aiobs_key_t          key;
    aiobs_key_use_t      uses[2];
    aiobs_store_place_t  at = { 1, 1 };

    for (round = 0; ; round++) {
        i = next(&state) % n;
        key_of(i, round, &key);
        key.found = next(&state) % 16 != 0;

        (void) ngx_http_aiobs_key_table_put(keys, pool, &key, &at, keys->epoch,
                                            1000 + round % 1000, uses);
        (void) ngx_atomic_fetch_add(&shared->writes, 1);

        if (round % 2) {
            where = 0;
            (void) look_up(keys, pool, i, &where, &key);
        }
    }
}


static void
read_on(ngx_http_aiobs_keys_t *keys, ngx_slab_pool_t *pool, uint64_t n)
{
    uint32_t    *at;
    uint64_t     i, state = getpid();
    aiobs_key_t  key;

    at = calloc(n, sizeof(uint32_t));

    while (!shared->stop) {
        i = next(&state) % n;

        /* where it was found last; now and then, where another one was */

        if (next(&state) % 64 == 0) {
            at[i] = at[next(&state) % n];
        }

        if (!look_up(keys, pool, i, &at[i], &key)) {
            (void) ngx_atomic_fetch_add(&shared->misses, 1);
            continue;
        }

        (void) ngx_atomic_fetch_add(&shared->hits, 1);

        if (is_torn(i, &key)) {
            (void) ngx_atomic_fetch_add(&shared->torn, 1);
        }
    }

    _exit(0);
}


static pid_t
start(void (*work)(ngx_http_aiobs_keys_t *, ngx_slab_pool_t *, uint64_t),
    ngx_http_aiobs_keys_t *keys, ngx_slab_pool_t *pool, uint64_t n)
{
    pid_t  pid = fork();

    if (pid == 0) {
        work(keys, pool, n);
        _exit(0);
    }

    return pid;
}


/* every key can be put and is found, whatever was left behind */

static uint64_t
settle(ngx_http_aiobs_keys_t *keys, ngx_slab_pool_t *pool, uint64_t capacity)
{
    uint32_t             at;
    uint64_t             i, lost = 0;
    aiobs_key_t          key, got;
    aiobs_key_use_t      uses[2];
    aiobs_store_place_t  place = { 2, 2 };

    for (i = 0; i < capacity * 8; i++) {
        key_of(i, i, &key);
        (void) ngx_http_aiobs_key_table_put(keys, pool, &key, &place,
                                            keys->epoch, 3000, uses);
        at = i % (capacity + 2);

        if (ngx_http_aiobs_key_table_get(keys, key.hash, &at, 0, &got) != NGX_OK
            || is_torn(i, &got) || got.user_len != key.user_len
            || got.name_len != key.name_len)
        {
            lost++;
        }
    }

    return lost;
}


static uint64_t
present(ngx_http_aiobs_keys_t *keys, uint64_t from, uint64_t n)
{
    u_char       hash[AIOBS_KEY_HASH_LEN];
    uint32_t     at;
    uint64_t     i, found = 0;
    aiobs_key_t  key;

    for (i = from; i < from + n; i++) {
        hash_of(i, hash);
        at = 0;
        found += ngx_http_aiobs_key_table_get(keys, hash, &at, 0, &key)
                 == NGX_OK;
    }

    return found;
}


/*
 * While nobody writes: entries that a guess would read, though no chain leads
 * there, and so no change of the key.
 */

static uint64_t
astray(ngx_http_aiobs_keys_t *keys)
{
    u_char                       none[AIOBS_KEY_HASH_LEN];
    uint64_t                     i, n = 0;
    ngx_http_aiobs_key_entry_t  *e;

    memset(none, 0, sizeof(none));

    for (i = 0; i < keys->capacity; i++) {
        e = &keys->entries[i];

        n += !(e->version & 1) && e->epoch == keys->epoch
             && memcmp(e->hash, none, sizeof(none)) != 0
             && ngx_http_aiobs_key_find(keys, e->hash) != e;
    }

    return n;
}


/*
 * While nobody writes: entries that can be read, and have a tag that is not
 * that of their hash's key; of n keys.
 */

static uint64_t
foreign(ngx_http_aiobs_keys_t *keys, uint64_t n)
{
    u_char                       hash[AIOBS_KEY_HASH_LEN];
    uint64_t                     i, j, wrong = 0;
    ngx_http_aiobs_key_tag_t     tag;
    ngx_http_aiobs_key_entry_t  *e;

    for (i = 0; i < keys->capacity; i++) {
        e = &keys->entries[i];

        if ((e->version & 1) || (e->tag.word[0] | e->tag.word[1]) == 0) {
            continue;
        }

        for (j = 0; j < n; j++) {
            hash_of(j, hash);
            tag_of(j, &tag);

            if (ngx_http_aiobs_key_tag_same(&e->tag, &tag)
                && memcmp(e->hash, hash, AIOBS_KEY_HASH_LEN) == 0)
            {
                break;
            }
        }

        wrong += (j == n);
    }

    return wrong;
}


/*
 * As many keys as there is room for, of short texts: all of them are found;
 * without every third one, the others.  Returns how many are not as they
 * should be.
 */

static uint64_t
whole(ngx_slab_pool_t *pool, uint64_t capacity)
{
    uint64_t                i, wrong = 0;
    aiobs_key_t             key;
    aiobs_key_use_t         uses[2];
    aiobs_store_place_t     at = { 0, 0 };
    ngx_http_aiobs_keys_t  *keys;

    keys = ngx_http_aiobs_keys_create(pool, capacity, NULL);

    for (i = 0; i < capacity; i++) {
        key_of(i, 0, &key);
        key.user_len = key.name_len = 5;
        (void) ngx_http_aiobs_key_table_put(keys, pool, &key, &at, keys->epoch,
                                            3000, uses);
    }

    wrong += capacity - present(keys, 0, capacity);

    for (i = 0; i < capacity; i += 3) {
        key_of(i, 0, &key);
        key.found = 0;
        wrong += ngx_http_aiobs_key_table_follow(keys, pool, &at, &at, 0, &key,
                                                 1) != NGX_OK;
    }

    for (i = 0; i < capacity; i++) {
        wrong += present(keys, i, 1) != (i % 3 != 0);
    }

    for (i = 0; i < capacity; i += 3) {
        key_of(i, 0, &key);
        key.user_len = key.name_len = 5;
        (void) ngx_http_aiobs_key_table_put(keys, pool, &key, &at, keys->epoch,
                                            3000, uses);
    }

    return wrong + capacity - present(keys, 0, capacity);
}


/*
 * A writer died while it wrote a key; then the key changes to what its entry
 * has no room for.  1: what was left of it is shown.
 */

static uint64_t
half(ngx_slab_pool_t *pool)
{
    uint32_t                     where = 0;
    aiobs_key_t                  key, got;
    aiobs_key_use_t              uses[2];
    aiobs_store_place_t          at = { 0, 0 };
    ngx_http_aiobs_keys_t       *keys;
    ngx_http_aiobs_key_entry_t  *e;

    keys = ngx_http_aiobs_keys_create(pool, 64, NULL);

    key_of(1, 0, &key);
    key.user_len = key.name_len = 5;
    (void) ngx_http_aiobs_key_table_put(keys, pool, &key, &at, keys->epoch,
                                        3000, uses);

    e = ngx_http_aiobs_key_find(keys, key.hash);
    e->version |= 1;
    e->user_len = 9;

    key.user_len = AIOBS_KEY_USER_MAX;
    key.name_len = AIOBS_KEY_NAME_MAX;
    (void) ngx_http_aiobs_key_table_follow(keys, pool, &at, &at, 0, &key, 1);

    return ngx_http_aiobs_key_table_get(keys, key.hash, &where, 0, &got)
           != NGX_DECLINED;
}


/*
 * Keys that are all used again and again: the use of each is taken, if not all
 * can be taken at once.  Returns how many are not in time.
 */

static uint64_t
starved(ngx_slab_pool_t *pool, uint64_t capacity)
{
    u_char                 *taken;
    uint32_t                where;
    uint64_t                i, j, n, left;
    aiobs_key_t             key;
    aiobs_key_use_t         uses[64];
    aiobs_store_place_t     at = { 0, 0 };
    ngx_http_aiobs_keys_t  *keys;

    keys = ngx_http_aiobs_keys_create(pool, capacity, NULL);
    taken = calloc(capacity, 1);

    for (i = 0; i < capacity; i++) {
        key_of(i, 0, &key);
        key.user_len = key.name_len = 5;
        (void) ngx_http_aiobs_key_table_put(keys, pool, &key, &at, keys->epoch,
                                            3000, uses);
    }

    for (i = 0; i < capacity / 32 + 2; i++) {
        n = ngx_http_aiobs_key_table_uses(keys, pool, uses, 64);

        while (n--) {

            /* the entry's index is the key's number */

            for (j = 0; j < capacity; j++) {
                if (memcmp(keys->entries[j].hash, uses[n].hash,
                           AIOBS_KEY_HASH_LEN) == 0)
                {
                    taken[j] |= uses[n].time >= 3000;
                }
            }

            where = 0;
            (void) ngx_http_aiobs_key_table_get(keys, uses[n].hash, &where,
                                                3001 + i, &key);
        }
    }

    for (i = 0, left = 0; i < capacity; i++) {
        left += !taken[i];
    }

    free(taken);

    return left;
}


int
main(int argc, char **argv)
{
    int                     i, kills, readers;
    pid_t                   writers[2], pids[16];
    uint64_t                n, capacity, lost, led, state = 1;
    ngx_slab_pool_t         pool;
    ngx_http_aiobs_keys_t  *keys;

    n = strtoul(argv[1], NULL, 10);
    capacity = strtoul(argv[2], NULL, 10);
    readers = atoi(argv[3]);
    kills = atoi(argv[4]);

    memset(&pool, 0, sizeof(pool));
    shared = ngx_slab_calloc(&pool, sizeof(shared_t));
    keys = ngx_http_aiobs_keys_create(&pool, capacity, NULL);

    for (i = 0; i < readers; i++) {
        pids[i] = start(read_on, keys, &pool, n);
    }

    for (i = 0; i < 2; i++) {
        writers[i] = start(write_on, keys, &pool, n);
    }

    for (i = 0; i < kills; i++) {
        usleep(500 + next(&state) % 2000);

        kill(writers[i % 2], SIGKILL);
        waitpid(writers[i % 2], NULL, 0);

        /* as nginx's master does */

        (void) __sync_bool_compare_and_swap(&shared->lock,
                                            (ngx_atomic_uint_t) writers[i % 2],
                                            0);

        writers[i % 2] = start(write_on, keys, &pool, n);
    }

    for (i = 0; i < 2; i++) {
        kill(writers[i], SIGKILL);
        waitpid(writers[i], NULL, 0);
        (void) __sync_bool_compare_and_swap(&shared->lock,
                                            (ngx_atomic_uint_t) writers[i], 0);
    }

    shared->stop = 1;

    for (i = 0; i < readers; i++) {
        waitpid(pids[i], NULL, 0);
    }

    led = astray(keys) + foreign(keys, n);
    lost = settle(keys, &pool, capacity);

    printf("hits %d known %d misses %d torn %lu writes %d lost %lu kept %d wrong %lu "
           "starved %lu astray %lu bytes %lu\n",
           shared->hits > 1000, shared->known > 1000, shared->misses > 0,
           (unsigned long) shared->torn, shared->writes > 1000,
           (unsigned long) lost,
           present(keys, capacity * 7, capacity) >= capacity / 16,
           (unsigned long) (whole(&pool, capacity) + half(&pool)),
           (unsigned long) starved(&pool, capacity), (unsigned long) led,
           (unsigned long) (ngx_http_aiobs_keys_size(1000000) / 1000000));

    return 0;
}
