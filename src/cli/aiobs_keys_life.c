
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: a key is made, changed, and made anew.
 */


#include "aiobs_keys.h"

#include <openssl/crypto.h>

#include <signal.h>
#include <string.h>


#define AIOBS_KEYS_GRACE  86400         /* seconds */


static int aiobs_keys_first_attrs(const aiobs_keys_options_t *o,
    aiobs_key_form_t *form);
static int aiobs_keys_new(char *key, char *hash);
static int aiobs_keys_hand_out(const aiobs_keys_options_t *o,
    aiobs_store_t *store, char *key, const char *hash);
static int aiobs_keys_edit(const aiobs_keys_options_t *o,
    aiobs_store_t *store, const char *hash, const aiobs_key_attrs_t *attrs);
static int aiobs_keys_copy_labels(void *data, const aiobs_key_row_t *row);
static int aiobs_keys_replace(const aiobs_keys_options_t *o,
    aiobs_store_t *store, const char *hash, const char *new_hash,
    int64_t grace);


int
aiobs_keys_create(const aiobs_keys_options_t *o)
{
    int                rc;
    char               key[AIOBS_KEY_RAW_LEN + 1];
    char               hash[AIOBS_KEY_HEX_LEN + 1];
    aiobs_store_t     *store;
    aiobs_key_form_t   form;

    rc = aiobs_keys_first_attrs(o, &form);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    if (aiobs_keys_make_file(o->db) != 0) {
        return AIOBS_EXIT_FAILED;
    }

    rc = aiobs_keys_open(o, AIOBS_STORE_CREATE, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    if (aiobs_keys_new(key, hash) != 0) {
        aiobs_store_close(store);
        return AIOBS_EXIT_FAILED;
    }

    if (aiobs_store_begin(store) != AIOBS_STORE_OK
        || aiobs_store_create(store, aiobs_keys_actor(), hash, &form.attrs)
           != AIOBS_STORE_OK)
    {
        return aiobs_keys_failed(o, store);
    }

    rc = aiobs_keys_hand_out(o, store, key, hash);

    if (rc == AIOBS_EXIT_OK && !o->json) {
        aiobs_keys_say("key %.12s of user %s; keep it, it is not shown again",
                       hash, o->user);
    }

    aiobs_store_close(store);

    return rc;
}


static int
aiobs_keys_first_attrs(const aiobs_keys_options_t *o, aiobs_key_form_t *form)
{
    int  rc;

    if (o->user == NULL) {
        aiobs_keys_say("whose key is it to be? give --user NAME");
        return AIOBS_EXIT_USAGE;
    }

    rc = aiobs_keys_attrs(o, form, NULL);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    if (aiobs_key_attrs_past(&form->attrs)) {
        aiobs_keys_say("--expires %s is past: the key would never work",
                       o->expires);
        return AIOBS_EXIT_USAGE;
    }

    return AIOBS_EXIT_OK;
}


static int
aiobs_keys_new(char *key, char *hash)
{
    if (aiobs_key_generate(key) != 0
        || aiobs_key_hash_hex(key, AIOBS_KEY_RAW_LEN, hash) != 0)
    {
        aiobs_keys_say("OpenSSL has no random bytes");
        return -1;
    }

    return 0;
}


/*
 * A key that nobody got to know is not to be: it is printed before it is
 * stored for good.  Whoever reads lines has it when it works, as the line ends
 * only then; that this last byte gets lost does no harm.
 */

static int
aiobs_keys_hand_out(const aiobs_keys_options_t *o, aiobs_store_t *store,
    char *key, const char *hash)
{
    int  rc;

    (void) signal(SIGPIPE, SIG_IGN);

    if (o->json) {
        printf("{\"api_key\":\"%s\",\"key_id\":\"%.12s\",\"hash\":\"%s\"}",
               key, hash, hash);

    } else {
        printf("%s", key);
    }

    rc = aiobs_keys_flush();
    OPENSSL_cleanse(key, AIOBS_KEY_RAW_LEN);

    if (rc != AIOBS_EXIT_OK) {
        aiobs_store_abort(store);
        aiobs_keys_say("hence there is no new key, and no other was changed");
        return rc;
    }

    if (aiobs_store_commit(store) != AIOBS_STORE_OK) {
        aiobs_keys_say("store %s: %s; the key that was printed does not work",
                       o->db, aiobs_store_error(store));
        rc = AIOBS_EXIT_FAILED;
    }

    putchar('\n');
    (void) fflush(stdout);
    clearerr(stdout);

    return rc;
}


int
aiobs_keys_set(const aiobs_keys_options_t *o)
{
    int                 rc;
    char                hash[AIOBS_KEY_HEX_LEN + 1];
    char                labels[AIOBS_KEY_LABELS_MAX + 1];
    aiobs_store_t      *store;
    aiobs_key_form_t    form;
    aiobs_key_filter_t  filter;

    if ((o->admin && o->no_admin) || (o->may_act_for && o->no_may_act_for)) {
        aiobs_keys_say("an option and its contrary make no sense");
        return AIOBS_EXIT_USAGE;
    }

    rc = aiobs_keys_one(o, &store, hash);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    memset(&filter, 0, sizeof(filter));
    filter.prefix = hash;
    filter.json = 1;
    labels[0] = '\0';

    if (aiobs_store_list(store, &filter, aiobs_keys_copy_labels, labels)
        != AIOBS_STORE_OK)
    {
        return aiobs_keys_failed(o, store);
    }

    rc = aiobs_keys_attrs(o, &form, labels);

    if (rc == AIOBS_EXIT_OK && form.attrs.set == 0) {
        aiobs_keys_say("what is to be set? aiobs-keys help set tells what there"
                       " is");
        rc = AIOBS_EXIT_USAGE;
    }

    if (rc == AIOBS_EXIT_OK) {
        return aiobs_keys_edit(o, store, hash, &form.attrs);
    }

    aiobs_store_close(store);

    return rc;
}


/* closes the store */

static int
aiobs_keys_edit(const aiobs_keys_options_t *o, aiobs_store_t *store,
    const char *hash, const aiobs_key_attrs_t *attrs)
{
    if (aiobs_store_edit(store, aiobs_keys_actor(), hash, attrs)
        != AIOBS_STORE_OK)
    {
        return aiobs_keys_failed(o, store);
    }

    printf("changed %.12s\n", hash);

    if (aiobs_key_attrs_past(attrs)) {
        aiobs_keys_say("--expires %s is past: the key has ended", o->expires);
    }

    aiobs_store_close(store);

    return AIOBS_EXIT_OK;
}


static int
aiobs_keys_copy_labels(void *data, const aiobs_key_row_t *row)
{
    json_t  *key;
    size_t   n;

    /* labels stay, whatever else there is of the key */

    key = aiobs_keys_read_json(row->json, JSON_ALLOW_NUL);

    n = json_dumpb(json_object_get(key, "labels"), data, AIOBS_KEY_LABELS_MAX,
                   JSON_COMPACT);

    ((char *) data)[n <= AIOBS_KEY_LABELS_MAX ? n : 0] = '\0';
    json_decref(key);

    return 0;
}


int
aiobs_keys_rotate(const aiobs_keys_options_t *o)
{
    int             rc;
    char            hash[AIOBS_KEY_HEX_LEN + 1];
    char            new_hash[AIOBS_KEY_HEX_LEN + 1];
    char            key[AIOBS_KEY_RAW_LEN + 1];
    int64_t         grace;
    aiobs_store_t  *store;

    grace = o->grace ? aiobs_key_period(o->grace) : AIOBS_KEYS_GRACE;

    if (grace < 0) {
        aiobs_keys_say("--grace takes a period such as 7d, 12h or 0");
        return AIOBS_EXIT_USAGE;
    }

    rc = aiobs_keys_one(o, &store, hash);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    if (aiobs_keys_new(key, new_hash) != 0) {
        aiobs_store_close(store);
        return AIOBS_EXIT_FAILED;
    }

    rc = aiobs_keys_replace(o, store, hash, new_hash, grace);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    rc = aiobs_keys_hand_out(o, store, key, new_hash);

    if (rc == AIOBS_EXIT_OK && !o->json) {
        aiobs_keys_say("key %.12s takes the place of %.12s, which works for"
                       " %lld seconds more", new_hash, hash,
                       (long long) grace);
    }

    aiobs_store_close(store);

    return rc;
}


/* not yet for good; closes the store unless it is done */

static int
aiobs_keys_replace(const aiobs_keys_options_t *o, aiobs_store_t *store,
    const char *hash, const char *new_hash, int64_t grace)
{
    if (aiobs_store_begin(store) != AIOBS_STORE_OK) {
        return aiobs_keys_failed(o, store);
    }

    switch (aiobs_store_rotate(store, aiobs_keys_actor(), hash, new_hash,
                               grace))
    {
    case AIOBS_STORE_OK:
        return AIOBS_EXIT_OK;

    case AIOBS_STORE_INACTIVE:
        aiobs_keys_say("key %.12s is revoked, has expired, or was rotated"
                       " already", hash);
        aiobs_store_close(store);
        return AIOBS_EXIT_FAILED;

    default:
        return aiobs_keys_failed(o, store);
    }
}
