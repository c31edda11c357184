
/*
 * Copyright (C) the aiobs authors
 *
 * What a provider says of itself: OpenID Connect Discovery 1.0.
 */


#include "aiobs_oidc_provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define AIOBS_OIDC_DISCOVERY  "/.well-known/openid-configuration"


static aiobs_login_e aiobs_oidc_read_metadata(const aiobs_oidc_conf_t *conf,
    json_t *json, aiobs_oidc_metadata_t *m, char *jwks_uri, char *error);
static int aiobs_oidc_endpoint(const aiobs_oidc_conf_t *conf, json_t *json,
    const char *name, char *url, char *error);
static int aiobs_oidc_wants_post(const aiobs_oidc_conf_t *conf, json_t *json);
static aiobs_login_e aiobs_oidc_keys(aiobs_http_t *http,
    const aiobs_oidc_conf_t *conf, const char *jwks_uri,
    aiobs_oidc_metadata_t *m, char *error);


aiobs_login_e
aiobs_oidc_discover(aiobs_http_t *http, const aiobs_oidc_conf_t *conf,
    aiobs_oidc_metadata_t **metadata, char *error)
{
    char                    url[AIOBS_OIDC_URL_MAX + 64];
    char                    jwks_uri[AIOBS_OIDC_URL_MAX];
    size_t                  len;
    json_t                 *json;
    aiobs_login_e           rc;
    aiobs_http_answer_t     answer;
    aiobs_oidc_metadata_t  *m;

    len = strlen(conf->issuer);
    len -= len && conf->issuer[len - 1] == '/';

    snprintf(url, sizeof(url), "%.*s%s", (int) len, conf->issuer,
             AIOBS_OIDC_DISCOVERY);

    m = calloc(1, sizeof(aiobs_oidc_metadata_t));
    if (m == NULL) {
        return aiobs_oidc_failed(error, AIOBS_LOGIN_FAILED, "out of memory");
    }

    rc = aiobs_oidc_get(http, conf, "metadata", url, NULL, &json, &answer,
                        error);

    if (rc == AIOBS_LOGIN_OK) {
        rc = aiobs_oidc_read_metadata(conf, json, m, jwks_uri, error);
        json_decref(json);
    }

    if (rc == AIOBS_LOGIN_OK) {
        rc = aiobs_oidc_keys(http, conf, jwks_uri, m, error);
    }

    if (rc != AIOBS_LOGIN_OK) {
        aiobs_oidc_metadata_free(m);
        return rc;
    }

    *metadata = m;

    return AIOBS_LOGIN_OK;
}


void
aiobs_oidc_metadata_free(aiobs_oidc_metadata_t *metadata)
{
    if (metadata) {
        free(metadata->jwks);
        free(metadata);
    }
}


static aiobs_login_e
aiobs_oidc_read_metadata(const aiobs_oidc_conf_t *conf, json_t *json,
    aiobs_oidc_metadata_t *m, char *jwks_uri, char *error)
{
    json_t      *userinfo;
    const char  *issuer;

    issuer = json_string_value(json_object_get(json, "issuer"));

    if (issuer == NULL || strcmp(issuer, conf->issuer) != 0) {
        return aiobs_oidc_failed(error, AIOBS_LOGIN_PROVIDER,
                                 "the provider calls itself \"%.128s\", not "
                                 "as \"issuer\" is set",
                                 issuer ? issuer : "");
    }

    if (!aiobs_oidc_endpoint(conf, json, "authorization_endpoint",
                             m->authorization_endpoint, error)
        || !aiobs_oidc_endpoint(conf, json, "token_endpoint",
                                m->token_endpoint, error)
        || !aiobs_oidc_endpoint(conf, json, "jwks_uri", jwks_uri, error))
    {
        return AIOBS_LOGIN_PROVIDER;
    }

    userinfo = json_object_get(json, "userinfo_endpoint");

    if (userinfo && !json_is_null(userinfo)
        && !aiobs_oidc_endpoint(conf, json, "userinfo_endpoint",
                                m->userinfo_endpoint, error))
    {
        return AIOBS_LOGIN_PROVIDER;
    }

    m->iss = json_is_true(json_object_get(json,
                          "authorization_response_iss_parameter_supported"));
    m->post = aiobs_oidc_wants_post(conf, json);

    return AIOBS_LOGIN_OK;
}


/* in clear only where the issuer is so, too */

static int
aiobs_oidc_endpoint(const aiobs_oidc_conf_t *conf, json_t *json,
    const char *name, char *url, char *error)
{
    const char  *text, *wrong;

    text = json_string_value(json_object_get(json, name));
    wrong = "is missing";

    if (text) {
        wrong = aiobs_oidc_url_error(text,
                                     strncmp(conf->issuer, "http:", 5) == 0);
    }

    if (wrong) {
        aiobs_oidc_failed(error, AIOBS_LOGIN_PROVIDER,
                          "the provider's %s %s", name, wrong);
        return 0;
    }

    strcpy(url, text);

    return 1;
}


/* client_secret_basic is what a provider takes that says nothing */

static int
aiobs_oidc_wants_post(const aiobs_oidc_conf_t *conf, json_t *json)
{
    size_t       i;
    json_t      *methods, *method;
    const char  *name;

    if (conf->auth != AIOBS_OIDC_AUTH_AUTO) {
        return conf->auth == AIOBS_OIDC_AUTH_POST;
    }

    methods = json_object_get(json, "token_endpoint_auth_methods_supported");

    json_array_foreach(methods, i, method) {
        name = json_string_value(method);

        if (name && strcmp(name, "client_secret_basic") == 0) {
            return 0;
        }
    }

    return json_array_size(methods) != 0;
}


static aiobs_login_e
aiobs_oidc_keys(aiobs_http_t *http, const aiobs_oidc_conf_t *conf,
    const char *jwks_uri, aiobs_oidc_metadata_t *m, char *error)
{
    json_t               *json;
    aiobs_login_e         rc;
    aiobs_http_answer_t   answer;

    rc = aiobs_oidc_get(http, conf, "keys", jwks_uri, NULL, &json, &answer,
                        error);

    if (rc != AIOBS_LOGIN_OK) {
        return rc;
    }

    json_decref(json);

    m->jwks = malloc(answer.len + 1);
    if (m->jwks == NULL) {
        return aiobs_oidc_failed(error, AIOBS_LOGIN_FAILED, "out of memory");
    }

    memcpy(m->jwks, answer.body, answer.len + 1);
    m->jwks_len = answer.len;

    return AIOBS_LOGIN_OK;
}
