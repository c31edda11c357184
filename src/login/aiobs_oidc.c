
/*
 * Copyright (C) the aiobs authors
 *
 * A code turned into a person: token, ID token, userinfo.
 */


#include "aiobs_oidc_provider.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <string.h>


#define AIOBS_OIDC_BODY_MAX    32768    /* bytes of a token request */
#define AIOBS_OIDC_HEADER_MAX  16384
#define AIOBS_OIDC_ACCESS_MAX  (AIOBS_OIDC_HEADER_MAX - 64)


static aiobs_login_e aiobs_oidc_token(aiobs_http_t *http,
    const aiobs_oidc_conf_t *conf, const aiobs_oidc_metadata_t *m,
    aiobs_oidc_login_t *login, json_t **json);
static int aiobs_oidc_token_body(const aiobs_oidc_conf_t *conf,
    const aiobs_oidc_metadata_t *m, aiobs_oidc_login_t *login, char *body,
    char *authorization);
static int aiobs_oidc_basic(const aiobs_oidc_conf_t *conf,
    char *authorization);
static aiobs_login_e aiobs_oidc_token_error(const aiobs_http_answer_t *answer,
    char *error);
static aiobs_login_e aiobs_oidc_id_token(aiobs_http_t *http,
    const aiobs_oidc_conf_t *conf, const aiobs_oidc_metadata_t *m,
    aiobs_oidc_login_t *login, json_t *json, aiobs_oidc_metadata_t **fresh,
    json_t **claims);
static int aiobs_oidc_at_hash(const aiobs_jwt_t *jwt, json_t *json);
static aiobs_login_e aiobs_oidc_userinfo(aiobs_http_t *http,
    const aiobs_oidc_conf_t *conf, const aiobs_oidc_metadata_t *m,
    aiobs_oidc_login_t *login, json_t *json, json_t **claims);


aiobs_login_e
aiobs_oidc_login(aiobs_http_t *http, const aiobs_oidc_conf_t *conf,
    const aiobs_oidc_metadata_t *metadata, aiobs_oidc_login_t *login,
    aiobs_oidc_metadata_t **fresh)
{
    json_t         *json, *claims, *info;
    aiobs_login_e   rc;

    claims = NULL;
    info = NULL;

    rc = aiobs_oidc_token(http, conf, metadata, login, &json);

    if (rc != AIOBS_LOGIN_OK) {
        return rc;
    }

    rc = aiobs_oidc_id_token(http, conf, metadata, login, json, fresh,
                             &claims);

    if (rc == AIOBS_LOGIN_OK && aiobs_oidc_says_little(conf, claims)
        && metadata->userinfo_endpoint[0])
    {
        rc = aiobs_oidc_userinfo(http, conf, metadata, login, json, &info);
    }

    if (info && aiobs_oidc_keep_hosted(info, claims) != 0) {
        rc = aiobs_oidc_failed(login->error, AIOBS_LOGIN_FAILED,
                               "out of memory");
    }

    if (rc == AIOBS_LOGIN_OK) {
        rc = aiobs_oidc_person(conf, info ? info : claims, login);
    }

    json_decref(info);
    json_decref(claims);
    json_decref(json);

    return rc;
}


static aiobs_login_e
aiobs_oidc_token(aiobs_http_t *http, const aiobs_oidc_conf_t *conf,
    const aiobs_oidc_metadata_t *m, aiobs_oidc_login_t *login, json_t **json)
{
    char                   body[AIOBS_OIDC_BODY_MAX];
    char                   authorization[AIOBS_OIDC_HEADER_MAX];
    aiobs_login_e          rc;
    const char            *headers[4];
    aiobs_http_answer_t    answer;
    aiobs_http_request_t   request;

    if (aiobs_oidc_token_body(conf, m, login, body, authorization) != 0) {
        return aiobs_oidc_failed(login->error, AIOBS_LOGIN_FAILED,
                                 "the token request is too large");
    }

    headers[0] = "Content-Type: application/x-www-form-urlencoded";
    headers[1] = "Accept: application/json";
    headers[2] = m->post ? NULL : authorization;
    headers[3] = NULL;

    memset(&request, 0, sizeof(aiobs_http_request_t));

    request.url = m->token_endpoint;
    request.headers = headers;
    request.body = body;
    request.body_len = strlen(body);
    request.timeout_ms = conf->timeout;
    request.connect_ms = conf->timeout;
    request.ca_file = conf->ca_file;
    request.give_up = conf->give_up;

    if (aiobs_http_perform(http, &request, &answer) != AIOBS_HTTP_OK) {
        rc = aiobs_oidc_failed(login->error, AIOBS_LOGIN_PROVIDER,
                               "cannot get a token from the provider: %.180s",
                               answer.text);

    } else if (answer.status >= 400 && answer.status < 500) {
        rc = aiobs_oidc_token_error(&answer, login->error);

    } else {
        rc = aiobs_oidc_json(&answer, "token", json, login->error);
    }

    OPENSSL_cleanse(body, sizeof(body));
    OPENSSL_cleanse(authorization, sizeof(authorization));

    return rc;
}


static int
aiobs_oidc_token_body(const aiobs_oidc_conf_t *conf,
    const aiobs_oidc_metadata_t *m, aiobs_oidc_login_t *login, char *body,
    char *authorization)
{
    aiobs_oidc_text_t  t;

    aiobs_oidc_text(&t, body, AIOBS_OIDC_BODY_MAX);

    aiobs_oidc_pair(&t, 1, "grant_type", "authorization_code");
    aiobs_oidc_pair(&t, 0, "code", login->code);
    aiobs_oidc_pair(&t, 0, "redirect_uri", conf->redirect_uri);
    aiobs_oidc_pair(&t, 0, "code_verifier", login->verifier);

    if (m->post) {
        aiobs_oidc_pair(&t, 0, "client_id", conf->client_id);
        aiobs_oidc_pair(&t, 0, "client_secret", conf->client_secret);

    } else if (aiobs_oidc_basic(conf, authorization) != 0) {
        return -1;
    }

    return t.full ? -1 : 0;
}


/* both are escaped before they are joined: RFC 6749, 2.3.1 */

static int
aiobs_oidc_basic(const aiobs_oidc_conf_t *conf, char *authorization)
{
    char               pair[AIOBS_OIDC_HEADER_MAX / 2];
    char              *p;
    aiobs_oidc_text_t  t;

    aiobs_oidc_text(&t, pair, sizeof(pair));

    aiobs_oidc_escape(&t, conf->client_id);
    aiobs_oidc_put(&t, ":");
    aiobs_oidc_escape(&t, conf->client_secret);

    if (t.full) {
        return -1;
    }

    p = authorization + sprintf(authorization, "Authorization: Basic ");

    EVP_EncodeBlock((unsigned char *) p, (unsigned char *) pair, t.p - pair);
    OPENSSL_cleanse(pair, sizeof(pair));

    return 0;
}


/* only codes that RFC 6749 knows are told: the rest is the provider's text */

static aiobs_login_e
aiobs_oidc_token_error(const aiobs_http_answer_t *answer, char *error)
{
    size_t         i;
    json_t        *json;
    const char    *text;
    aiobs_login_e  rc;

    static const struct {
        const char     *code;
        aiobs_login_e   rc;
    } codes[] = {
        { "invalid_grant", AIOBS_LOGIN_CODE },
        { "invalid_client", AIOBS_LOGIN_CLIENT },
        { "unauthorized_client", AIOBS_LOGIN_CLIENT },
        { "invalid_request", AIOBS_LOGIN_PROVIDER },
        { "unsupported_grant_type", AIOBS_LOGIN_PROVIDER },
        { "invalid_scope", AIOBS_LOGIN_PROVIDER }
    };

    json = json_loadb(answer->body, answer->len, 0, NULL);
    text = json_string_value(json_object_get(json, "error"));
    rc = answer->status == 401 ? AIOBS_LOGIN_CLIENT : AIOBS_LOGIN_PROVIDER;

    aiobs_oidc_failed(error, rc, "the provider refused the code: status %d",
                      answer->status);

    for (i = 0; text && i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i].code, text) == 0) {
            rc = aiobs_oidc_failed(error, codes[i].rc,
                                   "the provider refused the code: %s",
                                   codes[i].code);
        }
    }

    json_decref(json);

    return rc;
}


/*
 * A provider that has new keys signs with one that is not known here, or that
 * has an old one's name.
 */

static aiobs_login_e
aiobs_oidc_id_token(aiobs_http_t *http, const aiobs_oidc_conf_t *conf,
    const aiobs_oidc_metadata_t *m, aiobs_oidc_login_t *login, json_t *json,
    aiobs_oidc_metadata_t **fresh, json_t **claims)
{
    int             rc;
    char            error[AIOBS_OIDC_ERROR_MAX];
    json_t         *token;
    aiobs_jwt_t     jwt;
    aiobs_login_e   result;

    token = json_object_get(json, "id_token");

    if (!json_is_string(token)) {
        return aiobs_oidc_failed(login->error, AIOBS_LOGIN_TOKEN,
                                 "the provider sent no ID token");
    }

    rc = aiobs_jwt_verify(json_string_value(token), json_string_length(token),
                          m->jwks, m->jwks_len, &jwt, error, sizeof(error));

    if ((rc == AIOBS_JWT_KEY || rc == AIOBS_JWT_SIGNATURE) && fresh) {
        login->refetched = 1;
        result = aiobs_oidc_discover(http, conf, fresh, login->error);

        if (result != AIOBS_LOGIN_OK) {
            return result;
        }

        m = *fresh;
        rc = aiobs_jwt_verify(json_string_value(token),
                              json_string_length(token), m->jwks, m->jwks_len,
                              &jwt, error, sizeof(error));
    }

    if (rc != AIOBS_JWT_OK) {
        return aiobs_oidc_failed(login->error, AIOBS_LOGIN_TOKEN,
                                 "the ID token is not to be trusted: %.180s",
                                 error);
    }

    *claims = jwt.claims;

    if (!aiobs_oidc_at_hash(&jwt, json)) {
        return aiobs_oidc_failed(login->error, AIOBS_LOGIN_TOKEN,
                                 "the ID token goes with another access token");
    }

    return aiobs_oidc_claims(conf, jwt.claims, login);
}


/* optional in this flow: OpenID Connect Core, 3.1.3.8 */

static int
aiobs_oidc_at_hash(const aiobs_jwt_t *jwt, json_t *json)
{
    json_t      *hash;
    const char  *text, *token;

    hash = json_object_get(jwt->claims, "at_hash");
    text = json_string_value(hash);
    token = json_string_value(json_object_get(json, "access_token"));

    if (hash == NULL) {
        return 1;
    }

    return text && token && aiobs_jwt_half_hash(jwt->alg, token, text);
}


static aiobs_login_e
aiobs_oidc_userinfo(aiobs_http_t *http, const aiobs_oidc_conf_t *conf,
    const aiobs_oidc_metadata_t *m, aiobs_oidc_login_t *login, json_t *json,
    json_t **claims)
{
    char                  authorization[AIOBS_OIDC_HEADER_MAX];
    const char           *token, *sub;
    aiobs_login_e         rc;
    aiobs_http_answer_t   answer;

    token = json_string_value(json_object_get(json, "access_token"));

    if (token == NULL || strlen(token) > AIOBS_OIDC_ACCESS_MAX
        || strpbrk(token, "\r\n"))
    {
        return aiobs_oidc_failed(login->error, AIOBS_LOGIN_PROVIDER,
                                 "the provider sent no access token that "
                                 "userinfo could be asked with");
    }

    snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s",
             token);

    rc = aiobs_oidc_get(http, conf, "userinfo", m->userinfo_endpoint,
                        authorization, claims, &answer, login->error);

    OPENSSL_cleanse(authorization, sizeof(authorization));

    if (rc != AIOBS_LOGIN_OK) {
        return rc;
    }

    sub = json_string_value(json_object_get(*claims, "sub"));

    if (sub == NULL || strcmp(sub, login->sub) != 0) {
        json_decref(*claims);
        *claims = NULL;

        return aiobs_oidc_failed(login->error, AIOBS_LOGIN_TOKEN,
                                 "userinfo is of another person than the ID "
                                 "token");
    }

    return AIOBS_LOGIN_OK;
}
