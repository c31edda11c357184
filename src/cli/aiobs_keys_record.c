
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: a row of an imported file, into what a store takes.
 */


#include "aiobs_keys.h"

#include <openssl/crypto.h>

#include <string.h>


static const char *aiobs_keys_record_hash(const json_t *row, char *hash);
static const char *aiobs_keys_record_past(aiobs_keys_record_t *record,
    const json_t *row);
static int aiobs_keys_record_time(const json_t *row, const char *name,
    char *time, const char **attr);


const char *
aiobs_keys_record(aiobs_keys_record_t *record, const json_t *row)
{
    const char  *error;

    memset(record, 0, sizeof(aiobs_keys_record_t));

    error = aiobs_keys_record_hash(row, record->hash);

    if (error == NULL) {
        error = aiobs_key_form_json(&record->form, row, AIOBS_FORM_LENIENT);
    }

    if (error == NULL) {
        error = aiobs_keys_record_past(record, row);
    }

    if (error == NULL && record->form.attrs.user == NULL) {
        error = "it has no user_id";
    }

    return error;
}


static const char *
aiobs_keys_record_hash(const json_t *row, char *hash)
{
    int             rc;
    size_t          len;
    const char     *text;
    unsigned char   bytes[AIOBS_KEY_HASH_LEN];

    text = json_string_value(json_object_get(row, "key"));

    if (text) {
        len = strlen(text);

        if (len == 0 || len > AIOBS_KEY_RAW_MAX) {
            return "its key is empty or longer than 512 bytes";
        }

        rc = aiobs_key_hash_hex(text, len, hash);
        OPENSSL_cleanse((char *) text, len);

        return rc == 0 ? NULL : "OpenSSL has no SHA-256";
    }

    text = json_string_value(json_object_get(row, "hash"));

    if (text == NULL || strlen(text) != AIOBS_KEY_HEX_LEN
        || aiobs_key_from_hex(text, bytes, AIOBS_KEY_HASH_LEN) != 0)
    {
        return "its hash is no SHA-256 in lower-case hex";
    }

    memcpy(hash, text, AIOBS_KEY_HEX_LEN + 1);

    return NULL;
}


static const char *
aiobs_keys_record_past(aiobs_keys_record_t *record, const json_t *row)
{
    const char         *text;
    const json_t       *active;
    aiobs_key_attrs_t  *attrs;

    attrs = &record->form.attrs;

    if (aiobs_keys_record_time(row, "created_at", record->created,
                               &attrs->created_at) != 0)
    {
        return "its created_at is no time";
    }

    if (aiobs_keys_record_time(row, "last_used", record->used,
                               &attrs->last_used) != 0)
    {
        return "its last_used is no time";
    }

    active = json_object_get(row, "active");

    if (active == NULL) {
        active = json_object_get(row, "is_active");
    }

    /* one that has expired was not revoked */

    text = json_string_value(json_object_get(row, "state"));

    if (text) {
        attrs->revoked = strcmp(text, "revoked") == 0;
        return NULL;
    }

    attrs->revoked = json_is_false(active)
                     || (json_is_integer(active)
                         && json_integer_value(active) == 0);

    return active == NULL || json_is_boolean(active) || json_is_null(active)
           || json_is_integer(active)
           ? NULL : "its active is neither true nor false";
}


/* absent, null or empty: there is none */

static int
aiobs_keys_record_time(const json_t *row, const char *name, char *time,
    const char **attr)
{
    const char    *text;
    const json_t  *value;

    value = json_object_get(row, name);
    text = json_string_value(value);

    if (value == NULL || json_is_null(value) || (text && *text == '\0')) {
        return 0;
    }

    if (text == NULL || aiobs_key_parse_time(text, time) != 0) {
        return -1;
    }

    *attr = time;

    return 0;
}
