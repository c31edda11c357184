
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys, one call after another as the arguments tell:
 *
 *     store FILE COMMAND ARGUMENT... , COMMAND ...
 *
 * A key is told by a hex digit, which is repeated to make its hash.  Prints
 * the code of each call, and what was read.
 */


#include "store_calls.h"

#include <stdlib.h>


static aiobs_store_place_t  place, seen;


static const char *
hex_of(const char *digit)
{
    static int   n;
    static char  hex[4][AIOBS_KEY_HEX_LEN + 1];

    n = (n + 1) % 4;
    memset(hex[n], digit[0], AIOBS_KEY_HEX_LEN);

    return hex[n];
}


static void
hash_of(const char *digit, unsigned char *hash)
{
    (void) aiobs_key_from_hex(hex_of(digit), hash, AIOBS_KEY_HASH_LEN);
}


/* name=value of aiobs_key_attrs_t */

static void
attr(const char *text, aiobs_key_attrs_t *attrs)
{
    int          i;
    const char  *value;

    const struct {
        const char   *name;
        unsigned      bit;
        const char  **to;
    } texts[] = {
        { "user", AIOBS_ATTR_USER, &attrs->user },
        { "name", AIOBS_ATTR_NAME, &attrs->name },
        { "expires", AIOBS_ATTR_EXPIRES, &attrs->expires },
        { "models", AIOBS_ATTR_MODELS, &attrs->models },
        { "endpoints", AIOBS_ATTR_ENDPOINTS, &attrs->endpoints },
        { "labels", AIOBS_ATTR_LABELS, &attrs->labels }
    };

    value = strchr(text, '=') + 1;

    for (i = 0; i < 6; i++) {
        if (strncmp(text, texts[i].name, strlen(texts[i].name)) == 0) {
            attrs->set |= texts[i].bit;
            *texts[i].to = *value ? value : NULL;
            return;
        }
    }

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        if (strncmp(text, aiobs_limit_name(i), value - text - 1) == 0) {
            attrs->set |= AIOBS_ATTR_LIMIT(i);
            attrs->limits[i] = *value ? atoll(value) : AIOBS_LIMIT_NONE;
            return;
        }
    }

    if (strncmp(text, "admin", 5) == 0) {
        attrs->set |= AIOBS_ATTR_ADMIN;
        attrs->admin = atoi(value);

    } else {
        attrs->set |= AIOBS_ATTR_MAY_ACT_FOR;
        attrs->may_act_for = atoi(value);
    }
}


static void
print_key(const aiobs_key_t *key)
{
    int                    i;
    char                   hex[AIOBS_KEY_HEX_LEN + 1];
    const aiobs_policy_t  *p = &key->policy;

    aiobs_key_to_hex(p->account, AIOBS_KEY_HASH_LEN, hex);

    if (!key->found) {
        printf("absent\n");
        return;
    }

    printf("%s%s user %.*s name %.*s", key->active ? "active" : "revoked",
           key->fresh ? " fresh" : "", key->user_len, key->user,
           key->name_len, key->name);

    if (p->any) {
        printf(" expires %lld%s%s%s models %.*s endpoints %.*s labels %.*s",
               (long long) p->expires, p->broken ? " broken" : "",
               p->admin ? " admin" : "", p->may_act_for ? " acts" : "",
               p->models_len, p->models, p->endpoints_len, p->endpoints,
               p->labels_len, p->labels);
    }

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        if (p->limits[i] != AIOBS_LIMIT_NONE) {
            printf(" %s %lld", aiobs_limit_name(i), (long long) p->limits[i]);
        }
    }

    for (i = 0; i < AIOBS_WINDOW_N; i++) {
        if (p->windows[i].start) {
            printf(" [%d %lld %lld]", i, (long long) p->windows[i].start,
                   (long long) p->windows[i].amount);
        }
    }

    printf(" account %c\n", hex[0]);
}


static int
row(void *data, const aiobs_key_row_t *r)
{
    if (r->json) {
        printf("%s\n", r->json);
    }

    return 0;
}


static int
lookup(char **v)
{
    int          rc;
    aiobs_key_t  key;

    hash_of(v[0], key.hash);
    rc = aiobs_store_lookup(store, &key, 1, &place);

    if (rc == AIOBS_STORE_OK) {
        print_key(&key);
    }

    return rc;
}


static int
changes(void)
{
    int                 rc;
    size_t              i, n;
    static aiobs_key_t  keys[64];

    n = 64;
    rc = aiobs_store_changes(store, &place, &seen, keys, &n);

    for (i = 0; i < n; i++) {
        print_key(&keys[i]);
    }

    return rc;
}


static int
usage(int n, char **v)
{
    aiobs_usage_row_t  u;

    memset(&u, 0, sizeof(u));
    hash_of(v[0], u.hash);
    snprintf(u.day, sizeof(u.day), "%s", v[1]);
    u.model = v[2];
    u.endpoint = v[3];
    u.calls = 1;
    u.input = atoll(v[4]);
    u.output = atoll(v[5]);
    u.cost = n > 6 ? atoll(v[6]) : 0;

    return aiobs_store_usage(store, &u, 1);
}


static int
window(char **v)
{
    aiobs_window_row_t  w;

    hash_of(v[0], w.account);
    w.limit = atoi(v[1]);
    w.start = atoll(v[2]);
    w.amount = atoll(v[3]);

    return aiobs_store_windows(store, &w, 1);
}


static int
login(int n, char **v)
{
    int                rc;
    aiobs_subject_t    subject = { v[0], v[1], v[2] };
    aiobs_key_attrs_t  attrs;
    aiobs_login_key_t  key;

    memset(&attrs, 0, sizeof(attrs));
    attrs.user = v[2];
    attrs.name = "google-oauth";

    key.rotated = -1;
    rc = aiobs_store_login(store, &who, &subject, hex_of(v[3]), &attrs,
                           atoll(v[4]), &key);
    printf("rotated %d\n", key.rotated);

    return rc;
}


static int
command(int n, char **v)
{
    int                 i;
    aiobs_key_attrs_t   attrs;
    aiobs_key_filter_t  filter;

#define is(name)  (strcmp(v[0], name) == 0)

    if (is("lookup")) {
        return lookup(v + 1);
    } else if (is("changes")) {
        return changes();
    } else if (is("usage")) {
        return usage(n - 1, v + 1);
    } else if (is("window")) {
        return window(v + 1);
    } else if (is("login")) {
        return login(n - 1, v + 1);
    } else if (is("rotate")) {
        return aiobs_store_rotate(store, &who, hex_of(v[1]), hex_of(v[2]),
                                  atoll(v[3]));
    } else if (is("revoke") || is("restore")) {
        return aiobs_store_activate(store, &who, hex_of(v[1]), NULL,
                                    is("restore"), row, NULL);
    } else if (is("delete")) {
        return aiobs_store_delete(store, &who, hex_of(v[1]));
    } else if (is("begin")) {
        return aiobs_store_begin(store);
    } else if (is("commit")) {
        return aiobs_store_commit(store);
    } else if (is("trim")) {
        return aiobs_store_trim(store);
    } else if (is("list")) {
        memset(&filter, 0, sizeof(filter));
        filter.by_hash = n > 1;
        filter.after = n > 1 ? hex_of(v[1]) : NULL;
        filter.limit = n > 2 ? atoi(v[2]) : 0;
        filter.json = 1;
        return aiobs_store_list(store, &filter, row, NULL);
    }

    memset(&attrs, 0, sizeof(attrs));

    for (i = 2; i < n; i++) {
        attr(v[i], &attrs);
    }

    if (aiobs_key_attrs_error(&attrs)) {
        printf("%s\n", aiobs_key_attrs_error(&attrs));
        return -1;
    }

    return is("create") ? aiobs_store_create(store, &who, hex_of(v[1]), &attrs)
                        : aiobs_store_edit(store, &who, hex_of(v[1]), &attrs);
}


static void
told(int n, char **words)
{
    int  rc;

    rc = command(n, words);
    printf("%d%s%s\n", rc, rc == AIOBS_STORE_FAILED ? " " : "",
           rc == AIOBS_STORE_FAILED ? aiobs_store_error(store) : "");
}


int
main(int argc, char **argv)
{
    return calls(argc, argv, told);
}
