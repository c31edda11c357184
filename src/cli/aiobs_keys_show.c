
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: keys to be read, by people and by programs.
 */


#include "aiobs_keys.h"

#include <stdlib.h>
#include <string.h>


static int aiobs_keys_listing(const aiobs_keys_options_t *o, int exported);
static int aiobs_keys_listed(void *data, const aiobs_key_row_t *row);
static void aiobs_keys_left_out(const aiobs_key_row_t *row);
static int aiobs_keys_shown(void *data, const aiobs_key_row_t *row);
static void aiobs_keys_print(const json_t *key);
static void aiobs_keys_line(const char *label, const json_t *value);
static void aiobs_keys_member(FILE *out, const char *name,
    const json_t *value);
static int aiobs_keys_exported(void *data, const aiobs_key_row_t *row);
static void aiobs_keys_csv_member(const json_t *value);


typedef struct {
    int                 json;
    int                 exported;
    int                 n;
    aiobs_keys_table_t  table;
} aiobs_keys_listing_t;


static const char  *aiobs_keys_exports[] = {
    "hash", "user_id", "name", "created_at", "last_used", "active", "state",
    "expires_at", "models", "endpoints", "labels", "admin", "may_act_for", NULL
};


int
aiobs_keys_list(const aiobs_keys_options_t *o)
{
    return aiobs_keys_listing(o, 0);
}


static int
aiobs_keys_listing(const aiobs_keys_options_t *o, int exported)
{
    int                    rc;
    aiobs_store_t         *store;
    aiobs_key_filter_t     filter;
    aiobs_keys_listing_t   listing;

    rc = aiobs_keys_open(o, AIOBS_STORE_WHOLE, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    memset(&listing, 0, sizeof(listing));
    listing.json = o->json || exported;
    listing.exported = exported;

    if (listing.json) {
        fputs("[", stdout);
    } else {
        aiobs_keys_table(&listing.table);
    }

    memset(&filter, 0, sizeof(filter));
    filter.user = o->user;
    filter.json = listing.json;

    rc = aiobs_store_list(store, &filter, aiobs_keys_listed, &listing);
    if (rc != AIOBS_STORE_OK) {
        return aiobs_keys_failed(o, store);
    }

    if (listing.json) {
        fputs(listing.n ? "\n]\n" : "]\n", stdout);

    } else {
        aiobs_keys_table_end(&listing.table);
    }

    aiobs_store_close(store);

    return AIOBS_EXIT_OK;
}


static int
aiobs_keys_listed(void *data, const aiobs_key_row_t *row)
{
    json_t                *key;
    aiobs_keys_listing_t  *listing = data;

    if (listing->exported) {

        /* one such text, and nothing behind it would be imported */

        key = aiobs_keys_read_json(row->json, 0);

        if (key == NULL) {
            aiobs_keys_left_out(row);
            return 0;
        }

        json_decref(key);
    }

    if (listing->json) {
        fputs(listing->n++ ? ",\n" : "\n", stdout);
        aiobs_keys_json(row->json);

    } else {
        aiobs_keys_table_row(&listing->table, row);
    }

    return ferror(stdout);
}


int
aiobs_keys_show(const aiobs_keys_options_t *o)
{
    int                  rc;
    char                 hash[AIOBS_KEY_HEX_LEN + 1];
    aiobs_store_t       *store;
    aiobs_key_filter_t   filter;

    if (!o->arg == !o->from_stdin) {
        aiobs_keys_say("which key? give its key id, or the key with --stdin");
        return AIOBS_EXIT_USAGE;
    }

    rc = aiobs_keys_open(o, 0, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    rc = aiobs_keys_which(o, store, hash);

    if (rc == AIOBS_EXIT_OK) {
        memset(&filter, 0, sizeof(filter));
        filter.prefix = hash;
        filter.json = 1;

        if (aiobs_store_list(store, &filter, aiobs_keys_shown, (void *) o)
            != AIOBS_STORE_OK)
        {
            return aiobs_keys_failed(o, store);
        }
    }

    aiobs_store_close(store);

    return rc;
}


static int
aiobs_keys_shown(void *data, const aiobs_key_row_t *row)
{
    json_t  *key;

    const aiobs_keys_options_t *o = data;

    if (o->json) {
        aiobs_keys_json(row->json);
        fputs("\n", stdout);
        return 0;
    }

    key = aiobs_keys_read_json(row->json, JSON_ALLOW_NUL);

    if (key == NULL) {
        aiobs_keys_say("this key cannot be shown so; --json tells what is"
                       " stored");
        return 0;
    }

    aiobs_keys_print(key);
    json_decref(key);

    return 0;
}


json_t *
aiobs_keys_read_json(const char *json, size_t flags)
{
    char    *text;
    FILE    *out;
    json_t  *key;
    size_t   len;

    out = json ? open_memstream(&text, &len) : NULL;
    if (out == NULL) {
        return NULL;
    }

    aiobs_keys_text(out, json, 0x7fffffff, 0);
    fclose(out);

    key = json_loads(text, flags, NULL);
    free(text);

    return key;
}


static void
aiobs_keys_print(const json_t *key)
{
    size_t  i;

    static const struct {
        const char  *label;
        const char  *member;
    } lines[] = {
        { "key id:", "key_id" },
        { "user:", "user_id" },
        { "name:", "name" },
        { "hash:", "hash" },
        { "created:", "created_at" },
        { "last used:", "last_used" },
        { "state:", "state" },
        { "revoked:", "revoked_at" },
        { "expires:", "expires_at" },
        { "replaced by:", "replaced_by" },
        { "admin:", "admin" },
        { "acts for:", "may_act_for" },
        { "models:", "models" },
        { "endpoints:", "endpoints" },
        { "labels:", "labels" },
        { "limits:", "limits" }
    };

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (strcmp(lines[i].member, "last_used") == 0
            && json_is_null(json_object_get(key, "last_used")))
        {
            printf("%-13snever\n", lines[i].label);
            continue;
        }

        aiobs_keys_line(lines[i].label, json_object_get(key, lines[i].member));
    }
}


/* what is not there, not so, or empty has no line */

static void
aiobs_keys_line(const char *label, const json_t *value)
{
    void    *i;
    size_t   n;

    if (value == NULL || json_is_null(value) || json_is_false(value)
        || (json_is_object(value) && json_object_size(value) == 0))
    {
        return;
    }

    printf("%-13s", label);

    for (n = 0; n < json_array_size(value); n++) {
        fputs(n ? ", " : "", stdout);
        aiobs_keys_member(stdout, NULL, json_array_get(value, n));
    }

    for (i = json_object_iter((json_t *) value), n = 0; i;
         i = json_object_iter_next((json_t *) value, i))
    {
        fputs(n++ ? ", " : "", stdout);
        aiobs_keys_member(stdout, json_object_iter_key(i),
                          json_object_iter_value(i));
    }

    if (!json_is_array(value) && !json_is_object(value)) {
        aiobs_keys_member(stdout, NULL, value);
    }

    fputs("\n", stdout);
}


static void
aiobs_keys_member(FILE *out, const char *name, const json_t *value)
{
    if (name) {
        aiobs_keys_text(out, name, 64, 0);
        fputs("=", out);
    }

    if (json_is_string(value)) {
        aiobs_keys_text(out, json_string_value(value), 256, 0);

    } else if (json_is_integer(value)) {
        fprintf(out, "%lld", (long long) json_integer_value(value));

    } else if (json_is_real(value)) {
        fprintf(out, "%.15g", json_real_value(value));

    } else {
        fputs(json_is_true(value) ? "yes" : "no", out);
    }
}


int
aiobs_keys_export(const aiobs_keys_options_t *o)
{
    int                  rc, i;
    aiobs_store_t       *store;
    aiobs_key_filter_t   filter;

    if (!o->csv) {
        return aiobs_keys_listing(o, 1);
    }

    rc = aiobs_keys_open(o, AIOBS_STORE_WHOLE, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    for (i = 0; aiobs_keys_exports[i]; i++) {
        printf("%s,", aiobs_keys_exports[i]);
    }

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        printf("%s%s", aiobs_limit_name(i), i < AIOBS_LIMIT_N - 1 ? ","
                                                                  : "\r\n");
    }

    memset(&filter, 0, sizeof(filter));
    filter.user = o->user;
    filter.json = 1;

    rc = aiobs_store_list(store, &filter, aiobs_keys_exported, NULL);
    if (rc != AIOBS_STORE_OK) {
        return aiobs_keys_failed(o, store);
    }

    aiobs_store_close(store);

    return AIOBS_EXIT_OK;
}


static int
aiobs_keys_exported(void *data, const aiobs_key_row_t *row)
{
    int      i;
    json_t  *key, *limits;

    key = json_loads(row->json, 0, NULL);

    if (key == NULL) {
        aiobs_keys_left_out(row);
        return 0;
    }

    for (i = 0; aiobs_keys_exports[i]; i++) {
        aiobs_keys_csv_member(json_object_get(key, aiobs_keys_exports[i]));
        fputs(",", stdout);
    }

    limits = json_object_get(key, "limits");

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        aiobs_keys_csv_member(json_object_get(limits, aiobs_limit_name(i)));
        fputs(i < AIOBS_LIMIT_N - 1 ? "," : "\r\n", stdout);
    }

    json_decref(key);

    return ferror(stdout);
}


static void
aiobs_keys_left_out(const aiobs_key_row_t *row)
{
    aiobs_keys_say("key %.12s has texts that are no UTF-8, or have NULs, and"
                   " is left out", row->hash ? row->hash : "-");
}


static void
aiobs_keys_csv_member(const json_t *value)
{
    char  *text;

    if (value == NULL || json_is_null(value)) {
        return;
    }

    if (json_is_string(value)) {
        aiobs_csv_put_text(stdout, json_string_value(value));
        return;
    }

    text = json_dumps(value, JSON_ENCODE_ANY|JSON_COMPACT
                             |JSON_REAL_PRECISION(15));
    aiobs_csv_put(stdout, text);
    free(text);
}
