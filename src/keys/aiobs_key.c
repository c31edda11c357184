
/*
 * Copyright (C) the aiobs authors
 *
 * What a key is: its text, its hash, its id, and the texts that go with it.
 */


#include "aiobs_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <stdio.h>
#include <string.h>
#include <time.h>


static int aiobs_key_glob(const char *glob, size_t len, const char *name,
    size_t name_len);


int
aiobs_key_generate(char *key)
{
    unsigned char  random[32], text[45];
    char          *p;

    if (RAND_priv_bytes(random, sizeof(random)) != 1) {
        return -1;
    }

    EVP_EncodeBlock(text, random, sizeof(random));

    for (p = (char *) text; *p; p++) {
        if (*p == '+') {
            *p = '-';

        } else if (*p == '/') {
            *p = '_';
        }
    }

    /* 32 bytes end with one character of padding */

    memcpy(key, "sk-", 3);
    memcpy(key + 3, text, AIOBS_KEY_RAW_LEN - 3);
    key[AIOBS_KEY_RAW_LEN] = '\0';

    OPENSSL_cleanse(random, sizeof(random));
    OPENSSL_cleanse(text, sizeof(text));

    return 0;
}


int
aiobs_key_hash_hex(const char *key, size_t len, char *hex)
{
    unsigned char  hash[EVP_MAX_MD_SIZE];

    if (EVP_Digest(key, len, hash, NULL, EVP_sha256(), NULL) != 1) {
        return -1;
    }

    aiobs_key_to_hex(hash, AIOBS_KEY_HASH_LEN, hex);

    return 0;
}


void
aiobs_key_to_hex(const unsigned char *p, size_t len, char *hex)
{
    static const char  digits[] = "0123456789abcdef";

    while (len--) {
        *hex++ = digits[*p >> 4];
        *hex++ = digits[*p++ & 0xf];
    }

    *hex = '\0';
}


int
aiobs_key_from_hex(const char *hex, unsigned char *p, size_t len)
{
    int     digit;
    char    ch;
    size_t  i;

    for (i = 0; i < len * 2; i++) {
        ch = hex[i];

        if (ch >= '0' && ch <= '9') {
            digit = ch - '0';

        } else if (ch >= 'a' && ch <= 'f') {
            digit = ch - 'a' + 10;

        } else {
            return -1;
        }

        p[i / 2] = (i & 1) ? (p[i / 2] | digit) : (digit << 4);
    }

    return 0;
}


void
aiobs_key_time(const struct timeval *tv, char *text)
{
    char       date[AIOBS_KEY_TIME_LEN + 1];
    struct tm  tm;

    gmtime_r(&tv->tv_sec, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);

    snprintf(text, AIOBS_KEY_TIME_LEN + 1, "%.19s.%06u", date,
             (unsigned) tv->tv_usec % 1000000);
}


const char *
aiobs_key_text_error(const char *text, size_t max)
{
    size_t                len, n;
    const unsigned char  *p, *end;

    len = strlen(text);

    if (len == 0) {
        return "it is empty";
    }

    if (len > max) {
        return max == AIOBS_KEY_USER_MAX ? "it is longer than 128 bytes"
                                         : "it is longer than 64 bytes";
    }

    if (text[0] == ' ' || text[len - 1] == ' ') {
        return "it begins or ends with a space";
    }

    p = (const unsigned char *) text;

    for (end = p + len; p < end; p += n) {
        n = aiobs_key_utf8(p, end);

        if (n == 0) {
            return "it has control characters or is not valid UTF-8";
        }
    }

    return NULL;
}


size_t
aiobs_key_utf8(const unsigned char *p, const unsigned char *end)
{
    size_t    i, n;
    uint32_t  ch;

    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (p[0] < 0x80) {
        return (p[0] < 0x20 || p[0] == 0x7f) ? 0 : 1;
    }

    if (p[0] >= 0xf8 || p[0] < 0xc0) {
        return 0;
    }

    n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

    if ((size_t) (end - p) < n) {
        return 0;
    }

    ch = p[0] & (0x7f >> n);

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        ch = ch << 6 | (p[i] & 0x3f);
    }

    /* overlong, surrogates, past Unicode; U+0080 to U+009F are controls */

    if (ch < least[n] || (ch >= 0xd800 && ch < 0xe000) || ch > 0x10ffff
        || ch < 0xa0)
    {
        return 0;
    }

    return n;
}


size_t
aiobs_key_cut(const unsigned char *p, size_t len, size_t max)
{
    size_t  n;

    if (len <= max) {
        return len;
    }

    for (n = max; n && max - n < 4; n--) {
        if ((p[n] & 0xc0) != 0x80) {
            return n;
        }
    }

    return max;
}


int
aiobs_key_allows(const char *globs, size_t len, const char *name,
    size_t name_len)
{
    size_t       n;
    const char  *comma, *end;

    if (len == 0) {
        return 1;
    }

    for (end = globs + len; globs < end; globs += n + 1) {
        comma = memchr(globs, ',', end - globs);
        n = (comma ? comma : end) - globs;

        if (n && aiobs_key_glob(globs, n, name, name_len)) {
            return 1;
        }
    }

    return 0;
}


/* only the last star is ever gone back to: what came before has matched */

static int
aiobs_key_glob(const char *glob, size_t len, const char *name,
    size_t name_len)
{
    size_t  g, n, star, from;

    g = 0;
    star = len;
    from = 0;

    for (n = 0; n < name_len; /* void */ ) {

        if (g < len && glob[g] == '*') {
            star = g++;
            from = n;

        } else if (g < len && (glob[g] == '?' || glob[g] == name[n])) {
            g++;
            n++;

        } else if (star < len) {
            g = star + 1;
            n = ++from;

        } else {
            return 0;
        }
    }

    while (g < len && glob[g] == '*') {
        g++;
    }

    return g == len;
}
