
/*
 * Copyright (C) the aiobs authors
 *
 * The table of known keys in shared memory: a bounded cache of the store.
 *
 * Reading takes no lock: every entry carries a version that is odd while
 * somebody writes it.  Writing is done under the mutex of the slab pool.  A
 * process killed at any point leaves at worst an entry that nobody can read
 * until it is written anew.
 */


#ifndef _NGX_HTTP_AIOBS_KEY_TABLE_H_INCLUDED_
#define _NGX_HTTP_AIOBS_KEY_TABLE_H_INCLUDED_


#include "ngx_http_aiobs_keys.h"
#include "aiobs_siphash.h"
#include "aiobs_store.h"


#define NGX_HTTP_AIOBS_KEY_TEXT      52     /* bytes of texts in an entry, */
#define NGX_HTTP_AIOBS_KEY_MORE_TEXT 24     /* in the rest of it, */
#define NGX_HTTP_AIOBS_KEY_OVERFLOW  116    /* and of long ones elsewhere */
#define NGX_HTTP_AIOBS_KEY_UNKNOWNS  4096   /* a power of two */
#define NGX_HTTP_AIOBS_KEY_SLOTS     4      /* words of a bucket */

/* where most texts end that have room in an entry */
#define NGX_HTTP_AIOBS_KEY_INLINE                                             \
    (NGX_HTTP_AIOBS_KEY_TEXT + NGX_HTTP_AIOBS_KEY_MORE_TEXT)

#define NGX_HTTP_AIOBS_KEY_TEXTS                                              \
    (NGX_HTTP_AIOBS_KEY_INLINE + NGX_HTTP_AIOBS_KEY_OVERFLOW)

/* entries begin there: no two pages, no third line, in one */
#define NGX_HTTP_AIOBS_KEY_ALIGN  128

/* less than the second after which a refused key has to work */
#define NGX_HTTP_AIOBS_KEY_UNKNOWN_MSEC  800


#if (AIOBS_KEY_USER_MAX + AIOBS_KEY_NAME_MAX > NGX_HTTP_AIOBS_KEY_TEXTS)
#error "texts of a key do not fit"
#endif


/* offsets of what a key may; 0: nothing particular */

typedef struct {
    uint32_t                    rules;
    uint32_t                    extra;
} ngx_http_aiobs_key_blobs_t;


/*
 * What a look-up reads, and of that, in the first line, what it writes.  Who
 * finds the version even, and the same before and after, has seen a whole
 * entry, whose tag is that of the key that has the hash, or none.
 */

typedef struct {
    uint32_t                    version;    /* odd: being written */
    uint32_t                    epoch;
    ngx_http_aiobs_key_tag_t    tag;
    u_char                      hash[AIOBS_KEY_HASH_LEN];
    uint32_t                    last_used;  /* seconds, 0: not since cached */
    uint8_t                     recent;     /* used since the clock passed */
    uint8_t                     active;
    uint8_t                     user_len;
    uint8_t                     name_len;
    uint32_t                    expires;    /* seconds, 0: never */
    ngx_http_aiobs_key_blobs_t  blobs;
    u_char                      text[NGX_HTTP_AIOBS_KEY_TEXT];
} ngx_http_aiobs_key_entry_t;


/* the rest of the entry that has the same index */

typedef struct {
    int64_t                     seq;        /* change of the store it has */
    uint32_t                    next;       /* a link */
    uint32_t                    overflow;   /* index + 1, or see below */
    u_char                      text[NGX_HTTP_AIOBS_KEY_MORE_TEXT];
} ngx_http_aiobs_key_rest_t;


typedef struct {
    uint32_t                    owner;      /* index of entry + 1 */
    u_char                      text[NGX_HTTP_AIOBS_KEY_OVERFLOW];
} ngx_http_aiobs_key_overflow_t;


typedef struct ngx_http_aiobs_key_left_s  ngx_http_aiobs_key_left_t;


struct ngx_http_aiobs_keys_s {
    uint32_t                        capacity;
    uint32_t                        overflow_capacity;
    uint32_t                        mask;           /* of buckets */
    uint32_t                        links;          /* index in a link */
    uint32_t                        used;           /* entries ever used */
    uint32_t                        hand;           /* the clock's */
    uint32_t                        dirty_hand;     /* word to be saved next */
    uint32_t                        overflow_used;
    uint32_t                        overflow_hand;
    uint32_t                        squeezed;       /* lost it to another one */
    time_t                          squeezed_said;

    /*
     * An entry of another epoch is to be asked of the store again; when the
     * store cannot be read, it goes on being valid.
     */
    uint32_t                        epoch;

    /* of tags: drawn with the table, the same for all who use it */

    u_char                          secret[AIOBS_SIPHASH_KEY];

    /* who follows the store, and how far */

    uint32_t                        store;          /* checksum of its path */
    ngx_atomic_t                    polled;         /* msec */
    aiobs_store_place_t             place;
    aiobs_store_place_t             seen;           /* by the latest lookup */

    uint32_t                       *buckets;        /* slots: links */
    ngx_http_aiobs_key_entry_t     *entries;
    ngx_http_aiobs_key_rest_t      *rest;
    ngx_http_aiobs_key_overflow_t  *overflow;
    uint64_t                       *dirty;          /* last_used to be saved */
    uint64_t                       *unknown;        /* hash and time */

    /* of workers that ended: see ngx_http_aiobs_key_left.c */

    ngx_http_aiobs_key_left_t      *left;
    uint32_t                        nleft;
    ngx_pid_t                       savers[NGX_MAX_PROCESSES];  /* 0: none */

    ngx_slab_pool_t                *shpool;
    uint32_t                        blobs_mask;
    uint32_t                       *blobs;          /* buckets of them */
};


/*
 * The block of an entry with long texts.  Beyond those that the table has, it
 * lies anywhere in the pool, and is not given back: so many units of 8 bytes
 * from its beginning.  NULL: that is none.
 */

#define NGX_HTTP_AIOBS_KEY_ELSEWHERE  0x80000000u

static ngx_inline ngx_http_aiobs_key_overflow_t *
ngx_http_aiobs_key_overflow(ngx_http_aiobs_keys_t *keys, uint32_t i)
{
    size_t  at;

    if (i & NGX_HTTP_AIOBS_KEY_ELSEWHERE) {
        at = (size_t) (i & ~NGX_HTTP_AIOBS_KEY_ELSEWHERE) * 8;

        return at + sizeof(ngx_http_aiobs_key_overflow_t)
               <= (size_t) (keys->shpool->end - (u_char *) keys->shpool)
               ? (void *) ((u_char *) keys->shpool + at) : NULL;
    }

    return i && i <= keys->overflow_capacity ? &keys->overflow[i - 1] : NULL;
}


/* --- ngx_http_aiobs_key_table.c, ngx_http_aiobs_key_write.c --- */

/*
 * Without a lock: NGX_OK; NGX_AGAIN, it is of another epoch; NGX_DECLINED, it
 * is not there, or somebody writes it.  now: seconds, the key's last use if
 * it is active; 0: it is not used.  at: its place, unless it is not there.
 */
ngx_int_t ngx_http_aiobs_key_table_get(ngx_http_aiobs_keys_t *keys,
    const u_char *hash, uint32_t *at, time_t now, aiobs_key_t *key);

/*
 * The same, by a tag and the place where its key may be: its hash is set.
 * NGX_DECLINED: that is no entry of this epoch which has the tag.
 */
ngx_int_t ngx_http_aiobs_key_table_known(ngx_http_aiobs_keys_t *keys,
    const ngx_http_aiobs_key_tag_t *tag, uint32_t at, time_t now,
    aiobs_key_t *key);

/* what is at that place is read in a moment; 0: there is none */
void ngx_http_aiobs_key_table_fetch(ngx_http_aiobs_keys_t *keys, uint32_t at);

/* the same under the mutex: exact, even while others write */
ngx_int_t ngx_http_aiobs_key_table_get_locked(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, const u_char *hash, time_t now, aiobs_key_t *key);

/*
 * The key as the store had it at that place, read in that epoch.  Returns how
 * many keys had to give way whose uses are to be saved: uses[], at most two.
 */
ngx_uint_t ngx_http_aiobs_key_table_put(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, const aiobs_key_t *key,
    const aiobs_store_place_t *at, uint32_t epoch, time_t now,
    aiobs_key_use_t *uses);

/* where the table is in the history of the store */
void ngx_http_aiobs_key_table_place(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, aiobs_store_place_t *place,
    aiobs_store_place_t *seen, uint32_t *epoch);

/*
 * Changes of the store read from place "from" on are applied; the table is at
 * "to" then.  lost: the way there is not known, every key is to be asked for
 * again.  NGX_DECLINED: another process was quicker.
 */
ngx_int_t ngx_http_aiobs_key_table_follow(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, const aiobs_store_place_t *from,
    const aiobs_store_place_t *to, ngx_uint_t lost, const aiobs_key_t *changed,
    ngx_uint_t n);

/* the table is of this store now; keys of another one are forgotten */
void ngx_http_aiobs_key_table_claim(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, uint32_t store);

/* --- ngx_http_aiobs_key_uses.c --- */

/* takes uses to be saved, at most max: they are the caller's then */
ngx_uint_t ngx_http_aiobs_key_table_uses(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, aiobs_key_use_t *uses, ngx_uint_t max);

/*
 * Gives them back to be saved by another process.  Those of keys that are not
 * in the table any more are left at the beginning of uses[]: so many.
 */
ngx_uint_t ngx_http_aiobs_key_table_unsaved(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, aiobs_key_use_t *uses, ngx_uint_t n);

/*
 * --- for both halves of the table; bucket and find: under the mutex ---
 *
 * A link has, from its low bits on, the index of an entry + 1, as many bits of
 * the entry's hash as there is room for, and whether the entry may have a next
 * one: entries of other keys need not be looked at.  0: there is none.  Only
 * the last slot of a bucket has a chain behind it.
 */

#define NGX_HTTP_AIOBS_KEY_MORE  0x80000000u

#define ngx_http_aiobs_key_index(keys, link)  ((link) & (keys)->links)

#define ngx_http_aiobs_load(p)        __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define ngx_http_aiobs_publish(p, v)  __atomic_store_n(p, v, __ATOMIC_RELEASE)

uint32_t *ngx_http_aiobs_key_bucket(ngx_http_aiobs_keys_t *keys,
    const u_char *hash);
uint32_t ngx_http_aiobs_key_bits(ngx_http_aiobs_keys_t *keys,
    const u_char *hash);
ngx_http_aiobs_key_entry_t *ngx_http_aiobs_key_find(
    ngx_http_aiobs_keys_t *keys, const u_char *hash);

/* now: seconds; the entry is that of a key which may be used */
void ngx_http_aiobs_key_used(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, time_t now);


/* --- ngx_http_aiobs_key_evict.c; under the mutex --- */

/* a clock: who was used since the hand came by last is left alone once */
ngx_http_aiobs_key_entry_t *ngx_http_aiobs_key_victim(
    ngx_http_aiobs_keys_t *keys);

/* the entry is out of its chain, no reader can find it; 1: *use is to save */
ngx_uint_t ngx_http_aiobs_key_drop(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, aiobs_key_use_t *use);

/*
 * Long texts need a block of the overflow; it stays with the entry.  The one
 * whose turn it is loses its own, and its place with it; 1: *use is to save.
 */
ngx_uint_t ngx_http_aiobs_key_make_room(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, const aiobs_key_t *key,
    aiobs_key_use_t *use);


/* --- ngx_http_aiobs_key_tag.c --- */

/*
 * Nobody who does not know the secret can make another key that has the tag of
 * one.  raw: at most NGX_HTTP_AIOBS_KEY_RAW_MAX bytes.
 */
void ngx_http_aiobs_key_tag(ngx_http_aiobs_keys_t *keys, const ngx_str_t *raw,
    ngx_http_aiobs_key_tag_t *tag);

/*
 * The key with that hash, which was found at that place, has the tag: noted
 * there for all, unless it is, or the table is busy, or has something else
 * there by now.
 */
void ngx_http_aiobs_key_table_mark(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, uint32_t at, const u_char *hash,
    const ngx_http_aiobs_key_tag_t *tag);

/* in a time that does not tell where they differ */

static ngx_inline ngx_uint_t
ngx_http_aiobs_key_tag_same(const ngx_http_aiobs_key_tag_t *one,
    const ngx_http_aiobs_key_tag_t *two)
{
    uint64_t  differ;

    differ = (one->word[0] ^ two->word[0]) | (one->word[1] ^ two->word[1]);

    __asm__ ("" : "+r" (differ));

    return differ == 0;
}


/* --- ngx_http_aiobs_key_blob.c; take, drop, borrow: under the mutex --- */

/* NGX_ERROR: no memory */
ngx_int_t ngx_http_aiobs_key_blobs_take(ngx_http_aiobs_keys_t *keys,
    const aiobs_key_t *key, ngx_http_aiobs_key_blobs_t *blobs);
void ngx_http_aiobs_key_blobs_drop(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_blobs_t *blobs);

/*
 * A block of the overflow from what is free in the zone, while that is a
 * quarter of it, as others want some, too; as an entry has it, 0: none.
 */
uint32_t ngx_http_aiobs_key_borrow(ngx_http_aiobs_keys_t *keys);

/* account: only if it is not the key's own */
void ngx_http_aiobs_key_blobs_read(ngx_http_aiobs_keys_t *keys,
    const ngx_http_aiobs_key_blobs_t *blobs, aiobs_policy_t *policy);


/* --- ngx_http_aiobs_key_unknown.c --- */

/* keys the store did not know a moment ago; now: ngx_current_msec */
ngx_uint_t ngx_http_aiobs_key_unknown(ngx_http_aiobs_keys_t *keys,
    const u_char *hash, ngx_msec_t now);
void ngx_http_aiobs_key_unknown_add(ngx_http_aiobs_keys_t *keys,
    const u_char *hash, ngx_msec_t now);
void ngx_http_aiobs_key_unknown_drop(ngx_http_aiobs_keys_t *keys,
    const u_char *hash);


#endif /* _NGX_HTTP_AIOBS_KEY_TABLE_H_INCLUDED_ */
