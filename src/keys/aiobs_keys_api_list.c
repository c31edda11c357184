
/*
 * Copyright (C) the aiobs authors
 *
 * The keys API: pages of keys.
 */


#include "aiobs_keys_api_route.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>


#define AIOBS_KEYS_API_DEFAULT  50      /* keys, by default */


typedef struct {
    FILE    *out;
    int64_t  limit;
    int64_t  n;
    char     last[AIOBS_KEY_HEX_LEN + 1];
} aiobs_keys_api_page_t;


static int aiobs_keys_api_filter(const char *args, aiobs_key_filter_t *filter,
    char *user, char *after);
static int aiobs_keys_api_known(const char *args);
static int aiobs_keys_api_arg(const char *args, const char *name, char *value,
    size_t size);
static int aiobs_keys_api_unescape(const char *from, size_t len, char *value,
    size_t size);
static int aiobs_keys_api_number(const char *text, int64_t min, int64_t max,
    int64_t *n);
static int aiobs_keys_api_row(void *data, const aiobs_key_row_t *row);


int
aiobs_keys_api_list(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash)
{
    int                 rc;
    char                user[AIOBS_KEY_USER_MAX + 1];
    char                after[AIOBS_KEY_HEX_LEN + 1];
    aiobs_keys_api_page_t    page;
    aiobs_key_filter_t  filter;

    if (aiobs_keys_api_filter(api->args, &filter, user, after) != 0) {
        aiobs_keys_api_problem(api, 400, "Arguments are user, limit (1 to"
                               " 500), offset, and after (the member next of"
                               " a page before), each once.");
        return AIOBS_STORE_OK;
    }

    memset(&page, 0, sizeof(page));
    page.limit = filter.limit++;

    page.out = open_memstream(&api->text, &api->len);
    if (page.out == NULL) {
        return AIOBS_STORE_FAILED;
    }

    fputs("{\"keys\":[", page.out);

    rc = aiobs_store_list(store, &filter, aiobs_keys_api_row, &page);

    if (page.n > page.limit) {
        fprintf(page.out, "],\"next\":\"%s\"}\n", page.last);
    } else {
        fputs("],\"next\":null}\n", page.out);
    }

    fclose(page.out);

    if (rc != AIOBS_STORE_OK) {
        aiobs_keys_api_free(api);
        return rc;
    }

    api->status = 200;

    return AIOBS_STORE_OK;
}


static int
aiobs_keys_api_filter(const char *args, aiobs_key_filter_t *filter, char *user,
    char *after)
{
    int            rc;
    char           text[32];
    unsigned char  bytes[AIOBS_KEY_HASH_LEN];

    memset(filter, 0, sizeof(aiobs_key_filter_t));
    filter->by_hash = 1;
    filter->json = 1;
    filter->limit = AIOBS_KEYS_API_DEFAULT;

    if (!aiobs_keys_api_known(args)) {
        return -1;
    }

    rc = aiobs_keys_api_arg(args, "user", user, AIOBS_KEY_USER_MAX + 1);
    filter->user = rc > 0 ? user : NULL;

    if (rc >= 0) {
        rc = aiobs_keys_api_arg(args, "after", after, AIOBS_KEY_HEX_LEN + 1);
        filter->after = rc > 0 ? after : NULL;

        if (rc > 0 && (strlen(after) != AIOBS_KEY_HEX_LEN
                       || aiobs_key_from_hex(after, bytes, AIOBS_KEY_HASH_LEN)
                          != 0))
        {
            return -1;
        }
    }

    if (rc >= 0) {
        rc = aiobs_keys_api_arg(args, "limit", text, sizeof(text));

        if (rc > 0) {
            rc = aiobs_keys_api_number(text, 1, AIOBS_KEYS_API_PAGE,
                                  &filter->limit);
        }
    }

    if (rc >= 0) {
        rc = aiobs_keys_api_arg(args, "offset", text, sizeof(text));

        if (rc > 0) {
            rc = aiobs_keys_api_number(text, 0, 1000000000, &filter->offset);
        }
    }

    return rc < 0 ? -1 : 0;
}


/*
 * Each at most once, and with a value: who has mistyped a filter is not to be
 * told of all keys.
 */

static int
aiobs_keys_api_known(const char *args)
{
    size_t    i, len;
    unsigned  seen;

    static const char *const  names[] = { "user=", "after=", "limit=",
                                          "offset=" };

    for (seen = 0; *args; args += *args == '&') {
        len = strcspn(args, "&");

        for (i = 0; i < 4; i++) {
            if (strncmp(args, names[i], strlen(names[i])) == 0) {
                break;
            }
        }

        if (len && (i == 4 || (seen & 1u << i))) {
            return 0;
        }

        seen |= len ? 1u << i : 0;
        args += len;
    }

    return 1;
}


/* 1: it is there; 0: it is not; -1: it does not fit, or is no text */

static int
aiobs_keys_api_arg(const char *args, const char *name, char *value,
    size_t size)
{
    size_t       len, n;
    const char  *end;

    len = strlen(name);

    for (end = args; *args; args = *end ? end + 1 : end) {
        n = strcspn(args, "&");
        end = args + n;

        if (n > len && args[len] == '=' && strncmp(args, name, len) == 0) {
            args += len + 1;
            return aiobs_keys_api_unescape(args, end - args, value, size) == 0
                   ? 1 : -1;
        }
    }

    return 0;
}


static int
aiobs_keys_api_unescape(const char *from, size_t len, char *value, size_t size)
{
    size_t    i, n;
    unsigned  ch;

    for (i = 0, n = 0; i < len; n++) {

        if (n == size - 1) {
            return -1;
        }

        if (from[i] == '%') {
            if (i + 3 > len || !isxdigit((unsigned char) from[i + 1])
                || !isxdigit((unsigned char) from[i + 2])
                || sscanf(from + i + 1, "%2x", &ch) != 1 || ch == 0)
            {
                return -1;
            }

            value[n] = (char) ch;
            i += 3;

        } else {
            value[n] = from[i] == '+' ? ' ' : from[i];
            i++;
        }
    }

    value[n] = '\0';

    return 0;
}


static int
aiobs_keys_api_number(const char *text, int64_t min, int64_t max, int64_t *n)
{
    size_t  len;

    len = strlen(text);

    if (len == 0 || len > 10 || strspn(text, "0123456789") != len) {
        return -1;
    }

    *n = strtoll(text, NULL, 10);

    return *n < min || *n > max ? -1 : 0;
}


static int
aiobs_keys_api_row(void *data, const aiobs_key_row_t *row)
{
    aiobs_keys_api_page_t *page = data;

    if (page->n++ == page->limit) {
        return 1;
    }

    if (page->n > 1) {
        putc(',', page->out);
    }

    aiobs_keys_api_put(page->out, row->json);
    snprintf(page->last, sizeof(page->last), "%s", row->hash ? row->hash : "");

    return 0;
}


/* another program may have stored what is no UTF-8 */

void
aiobs_keys_api_put(FILE *out, const char *json)
{
    size_t                n;
    const unsigned char  *p, *end;

    p = (const unsigned char *) json;

    for (end = p + strlen(json); p < end; p += n) {
        n = aiobs_key_utf8(p, end);

        if (n == 0) {
            putc('?', out);
            n = 1;

        } else {
            fwrite(p, 1, n, out);
        }
    }
}
