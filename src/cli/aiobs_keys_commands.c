
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: what each command does.
 */


#include "aiobs_keys.h"

#include <openssl/crypto.h>

#include <stdlib.h>
#include <string.h>


typedef struct {
    FILE  *out;
    int    json;
    int    n;
} aiobs_keys_listing_t;


static int aiobs_keys_create(const aiobs_keys_options_t *o);
static int aiobs_keys_list(const aiobs_keys_options_t *o);
static int aiobs_keys_show(const aiobs_keys_options_t *o);
static int aiobs_keys_revoke(const aiobs_keys_options_t *o);
static int aiobs_keys_do_revoke(const aiobs_keys_options_t *o,
    aiobs_store_t *store, const char *hash);
static int aiobs_keys_check(const char *what, const char *text, size_t max);
static int aiobs_keys_listed(void *data, const aiobs_key_row_t *row);
static int aiobs_keys_shown(void *data, const aiobs_key_row_t *row);
static int aiobs_keys_revoked(void *data, const aiobs_key_row_t *row);


const aiobs_keys_command_t  aiobs_keys_commands[] = {

    { "create", aiobs_keys_create, "dun",
      "create --db PATH --user NAME [--name NAME]",

      "Creates a key and prints it, this once, alone on stdout.  Only its\n"
      "SHA-256 is stored: a lost key cannot be had again, revoke it and create\n"
      "another.  A store that is missing is created with mode 0600; by root,\n"
      "it is given the owner and group of its directory, so that the nginx\n"
      "workers can use it.\n"
      "\n"
      "  --db PATH      the store\n"
      "  --user NAME    whose key it is, 1 to 128 bytes of UTF-8\n"
      "  --name NAME    what the key is for, 1 to 64 bytes of UTF-8\n" },

    { "list", aiobs_keys_list, "duj",
      "list --db PATH [--user NAME] [--json]",

      "Lists keys, oldest first; never the keys themselves.\n"
      "\n"
      "  --db PATH      the store\n"
      "  --user NAME    keys of this user only\n"
      "  --json         an array of objects, times in UTC\n" },

    { "show", aiobs_keys_show, "dkjs",
      "show --db PATH (KEY_ID | --stdin) [--json]",

      "Tells all that is stored of one key.\n"
      "\n"
      "  --db PATH      the store\n"
      "  KEY_ID         the key id, as logs and lists have it, or the first 4\n"
      "                 digits of it or more\n"
      "  --stdin        the key itself is read from stdin instead\n"
      "  --json         as an object, times in UTC\n" },

    { "revoke", aiobs_keys_revoke, "dkus",
      "revoke --db PATH (KEY_ID | --stdin | --user NAME)",

      "Revokes a key, or all keys of a user, and says which.\n"
      "\n"
      "  --db PATH      the store\n"
      "  KEY_ID         the key id, as logs and lists have it, or the first 4\n"
      "                 digits of it or more\n"
      "  --stdin        the key itself is read from stdin instead\n"
      "  --user NAME    all keys of this user\n" },

    { NULL, NULL, NULL, NULL, NULL }
};


static int
aiobs_keys_create(const aiobs_keys_options_t *o)
{
    int                 rc;
    char                key[AIOBS_KEY_RAW_LEN + 1];
    char                hash[AIOBS_KEY_HEX_LEN + 1];
    aiobs_store_t      *store;
    aiobs_key_attrs_t   attrs;

    if (o->user == NULL) {
        aiobs_keys_say("whose key is it to be? give --user NAME");
        return AIOBS_EXIT_USAGE;
    }

    if (aiobs_keys_check("user", o->user, AIOBS_KEY_USER_MAX) != 0
        || (o->name
            && aiobs_keys_check("name", o->name, AIOBS_KEY_NAME_MAX) != 0))
    {
        return AIOBS_EXIT_USAGE;
    }

    if (aiobs_keys_make_file(o->db) != 0) {
        return AIOBS_EXIT_FAILED;
    }

    rc = aiobs_keys_open(o, AIOBS_STORE_CREATE, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    if (aiobs_key_generate(key) != 0
        || aiobs_key_hash_hex(key, AIOBS_KEY_RAW_LEN, hash) != 0)
    {
        aiobs_keys_say("OpenSSL has no random bytes");
        aiobs_store_close(store);
        return AIOBS_EXIT_FAILED;
    }

    memset(&attrs, 0, sizeof(attrs));
    attrs.user = o->user;
    attrs.name = o->name;

    if (aiobs_store_create(store, aiobs_keys_actor(), hash, &attrs)
        != AIOBS_STORE_OK)
    {
        return aiobs_keys_failed(o, store);
    }

    printf("%s\n", key);
    rc = aiobs_keys_flush();
    OPENSSL_cleanse(key, sizeof(key));

    aiobs_keys_say("key %.12s of user %s; keep it, it is not shown again",
                   hash, o->user);
    aiobs_store_close(store);

    return rc;
}


static int
aiobs_keys_list(const aiobs_keys_options_t *o)
{
    int                    rc;
    aiobs_store_t         *store;
    aiobs_key_filter_t     filter;
    aiobs_keys_listing_t   listing;

    rc = aiobs_keys_open(o, 0, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    memset(&listing, 0, sizeof(listing));
    listing.json = o->json;

    if (o->json) {
        fputs("[", stdout);
    } else {
        aiobs_keys_header();
    }

    memset(&filter, 0, sizeof(filter));
    filter.user = o->user;

    rc = aiobs_store_list(store, &filter, aiobs_keys_listed, &listing);
    if (rc != AIOBS_STORE_OK) {
        return aiobs_keys_failed(o, store);
    }

    if (o->json) {
        fputs(listing.n ? "\n]\n" : "]\n", stdout);
    }

    aiobs_store_close(store);

    return AIOBS_EXIT_OK;
}


static int
aiobs_keys_show(const aiobs_keys_options_t *o)
{
    int                    rc;
    char                   hash[AIOBS_KEY_HEX_LEN + 1];
    aiobs_store_t         *store;
    aiobs_key_filter_t     filter;
    aiobs_keys_listing_t   listing;

    if (!o->key_id == !o->from_stdin) {
        aiobs_keys_say("which key? give its key id, or the key with --stdin");
        return AIOBS_EXIT_USAGE;
    }

    rc = aiobs_keys_open(o, 0, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    rc = aiobs_keys_which(o, store, hash);

    if (rc == AIOBS_EXIT_OK) {
        memset(&listing, 0, sizeof(listing));
        listing.json = o->json;

        memset(&filter, 0, sizeof(filter));
        filter.prefix = hash;

        if (aiobs_store_list(store, &filter, aiobs_keys_shown, &listing)
            != AIOBS_STORE_OK)
        {
            return aiobs_keys_failed(o, store);
        }
    }

    aiobs_store_close(store);

    return rc;
}


static int
aiobs_keys_revoke(const aiobs_keys_options_t *o)
{
    int             rc;
    char            hash[AIOBS_KEY_HEX_LEN + 1];
    aiobs_store_t  *store;

    if (!!o->key_id + !!o->from_stdin + !!o->user != 1) {
        aiobs_keys_say("which key? give its key id, or the key with --stdin,"
                       " or --user NAME for all of a user");
        return AIOBS_EXIT_USAGE;
    }

    rc = aiobs_keys_open(o, 0, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    if (o->user == NULL) {
        rc = aiobs_keys_which(o, store, hash);
    }

    if (rc == AIOBS_EXIT_OK) {
        rc = aiobs_keys_do_revoke(o, store, o->user ? NULL : hash);
    }

    aiobs_store_close(store);

    return rc;
}


/* says what it did once it is done */

static int
aiobs_keys_do_revoke(const aiobs_keys_options_t *o, aiobs_store_t *store,
    const char *hash)
{
    int                    rc;
    char                  *text;
    size_t                 len;
    aiobs_keys_listing_t   listing;

    memset(&listing, 0, sizeof(listing));

    listing.out = open_memstream(&text, &len);
    if (listing.out == NULL) {
        aiobs_keys_say("out of memory");
        return AIOBS_EXIT_FAILED;
    }

    rc = aiobs_store_activate(store, aiobs_keys_actor(), hash, o->user, 0,
                              aiobs_keys_revoked, &listing);
    fclose(listing.out);

    if (rc != AIOBS_STORE_OK) {
        aiobs_keys_say("store %s: %s", o->db, aiobs_store_error(store));
        rc = AIOBS_EXIT_FAILED;

    } else if (listing.n == 0) {
        aiobs_keys_say("user %s has no keys", o->user ? o->user : "");
        rc = AIOBS_EXIT_NOT_FOUND;

    } else {
        fwrite(text, 1, len, stdout);
        rc = AIOBS_EXIT_OK;
    }

    free(text);

    return rc;
}


static int
aiobs_keys_check(const char *what, const char *text, size_t max)
{
    const char  *error;

    error = aiobs_key_text_error(text, max);
    if (error == NULL) {
        return 0;
    }

    aiobs_keys_say("the %s cannot be stored: %s", what, error);

    return -1;
}


static int
aiobs_keys_listed(void *data, const aiobs_key_row_t *row)
{
    aiobs_keys_listing_t *listing = data;

    if (listing->json) {
        fputs(listing->n++ ? ",\n" : "\n", stdout);
        aiobs_keys_json(row);

    } else {
        aiobs_keys_row(row);
    }

    return ferror(stdout);
}


static int
aiobs_keys_shown(void *data, const aiobs_key_row_t *row)
{
    size_t                 i;
    aiobs_keys_listing_t  *listing = data;

    const struct {
        const char  *label;
        const char  *text;
    } lines[] = {
        { "user:", row->user },
        { "name:", row->name },
        { "hash:", row->hash },
        { "created:", row->created_at },
        { "last used:", row->last_used ? row->last_used : "never" },
        { "state:", row->active ? "active" : "revoked" },
        { "revoked:", row->revoked_at }
    };

    if (listing->json) {
        aiobs_keys_json(row);
        fputs("\n", stdout);
        return 0;
    }

    printf("%-12s%.12s\n", "key id:", row->hash);

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (lines[i].text) {
            printf("%-12s", lines[i].label);
            aiobs_keys_text(stdout, lines[i].text, 256, 0);
            fputs("\n", stdout);
        }
    }

    return 0;
}


static int
aiobs_keys_revoked(void *data, const aiobs_key_row_t *row)
{
    aiobs_keys_listing_t *listing = data;

    listing->n++;

    fprintf(listing->out, "%s %.12s (user ",
            row->active ? "revoked" : "already revoked",
            row->hash ? row->hash : "-");
    aiobs_keys_text(listing->out, row->user ? row->user : "-", 128, 0);

    if (row->name) {
        fputs(", name ", listing->out);
        aiobs_keys_text(listing->out, row->name, 64, 0);
    }

    fputs(")\n", listing->out);

    return 0;
}
