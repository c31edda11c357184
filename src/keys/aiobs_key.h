
/*
 * Copyright (C) the aiobs authors
 *
 * What a key is: its text, its hash, its id, and the texts that go with it.
 */


#ifndef _AIOBS_KEY_H_INCLUDED_
#define _AIOBS_KEY_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>


#define AIOBS_KEY_HASH_LEN     32       /* SHA-256 of the whole raw key */
#define AIOBS_KEY_HEX_LEN      64       /* the same as the store has it */
#define AIOBS_KEY_ID_LEN       12       /* first hex digits of the hash */
#define AIOBS_KEY_RAW_LEN      46       /* "sk-" and 32 bytes in base64url */
#define AIOBS_KEY_RAW_MAX      512      /* longer is no key of anybody */
#define AIOBS_KEY_USER_MAX     128      /* bytes */
#define AIOBS_KEY_NAME_MAX     64
#define AIOBS_KEY_LABEL_MAX    32       /* of the name of a label */
#define AIOBS_KEY_TIME_LEN     26       /* 2026-11-23T21:04:05.000000 */


/* key: AIOBS_KEY_RAW_LEN + 1 bytes.  -1: no random bytes could be had */
int aiobs_key_generate(char *key);

/* hex: AIOBS_KEY_HEX_LEN + 1 bytes.  -1: OpenSSL failed */
int aiobs_key_hash_hex(const char *key, size_t len, char *hex);

/* hex: 2 * len + 1 bytes, in lower case */
void aiobs_key_to_hex(const unsigned char *p, size_t len, char *hex);

/* -1: hex is not len bytes in lower-case hex */
int aiobs_key_from_hex(const char *hex, unsigned char *p, size_t len);

/* UTC as Python's datetime.utcnow().isoformat(); text: + 1 byte */
void aiobs_key_time(const struct timeval *tv, char *text);

/*
 * Whether a new user id or name is fit for headers, labels and logs: 1 to max
 * bytes of valid UTF-8 without control characters, no space at either end.
 * NULL: it is; else what is wrong with it.
 */
const char *aiobs_key_text_error(const char *text, size_t max);

/*
 * Whether labels are a JSON object of at most 16 strings: names of 1 to 32
 * letters, digits, "_", "-" and ".", values of at most 128 bytes without
 * control characters.  NULL: they are, or len is 0; else what is wrong.
 */
const char *aiobs_key_labels_error(const char *json, size_t len);

/* whether a label may have that name */
int aiobs_key_label_name(const char *name);

/* length of the UTF-8 sequence at p, 0: invalid, cut off or a control */
size_t aiobs_key_utf8(const unsigned char *p, const unsigned char *end);

/* the most of len that ends between characters and is at most max */
size_t aiobs_key_cut(const unsigned char *p, size_t len, size_t max);

/*
 * Whether a list of globs, parted by commas, has one that matches the whole of
 * the name: "*" is any text, "?" one byte, all else itself.  An empty list
 * allows everything.  Takes at most len * name_len steps.
 */
int aiobs_key_allows(const char *globs, size_t len, const char *name,
    size_t name_len);


/* in a time that does not tell where two hashes differ */

static inline int
aiobs_key_hash_same(const unsigned char *one, const unsigned char *two)
{
    size_t    i;
    uint64_t  a[AIOBS_KEY_HASH_LEN / 8], b[AIOBS_KEY_HASH_LEN / 8], differ;

    memcpy(a, one, AIOBS_KEY_HASH_LEN);
    memcpy(b, two, AIOBS_KEY_HASH_LEN);

    differ = 0;

    for (i = 0; i < AIOBS_KEY_HASH_LEN / 8; i++) {
        differ |= a[i] ^ b[i];
    }

    /* nothing is known of it before its last bit is there */

    __asm__ ("" : "+r" (differ));

    return differ == 0;
}


#endif /* _AIOBS_KEY_H_INCLUDED_ */
