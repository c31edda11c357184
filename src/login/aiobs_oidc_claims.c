
/*
 * Copyright (C) the aiobs authors
 *
 * What an ID token has to say (OpenID Connect Core, 3.1.3.7), and who is let
 * in.
 */


#include "aiobs_oidc.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>


static aiobs_login_e aiobs_oidc_wrong(aiobs_oidc_login_t *login,
    const char *what);
static int aiobs_oidc_issuer(const aiobs_oidc_conf_t *conf, json_t *claims);
static int aiobs_oidc_audience(const aiobs_oidc_conf_t *conf, json_t *claims);
static const char *aiobs_oidc_times(json_t *claims, aiobs_oidc_login_t *login);
static int aiobs_oidc_time(json_t *claims, const char *name, int64_t *time);
static int aiobs_oidc_nonce(json_t *claims, const char *nonce);
static int aiobs_oidc_sub(json_t *claims, aiobs_oidc_login_t *login);
static int aiobs_oidc_email(json_t *claims, aiobs_oidc_login_t *login);
static int aiobs_oidc_verified(const aiobs_oidc_conf_t *conf, json_t *claims);
static json_t *aiobs_oidc_verdict(const aiobs_oidc_conf_t *conf,
    json_t *claims);
static json_t *aiobs_oidc_claim(json_t *claims, const char *name);
static int aiobs_oidc_let_in(const aiobs_oidc_conf_t *conf, json_t *claims,
    const char *email);
static int aiobs_oidc_listed(const char *const *list, const char *value);


aiobs_login_e
aiobs_oidc_claims(const aiobs_oidc_conf_t *conf, json_t *claims,
    aiobs_oidc_login_t *login)
{
    const char  *wrong;

    if (!aiobs_oidc_issuer(conf, claims)) {
        return aiobs_oidc_wrong(login, "is of another issuer");
    }

    if (!aiobs_oidc_audience(conf, claims)) {
        return aiobs_oidc_wrong(login, "is for another client");
    }

    wrong = aiobs_oidc_times(claims, login);

    if (wrong) {
        return aiobs_oidc_wrong(login, wrong);
    }

    if (!aiobs_oidc_nonce(claims, login->nonce)) {
        return aiobs_oidc_wrong(login, "is of another login (nonce)");
    }

    if (!aiobs_oidc_sub(claims, login)) {
        return aiobs_oidc_wrong(login, "has no subject of 1 to 128 characters");
    }

    return AIOBS_LOGIN_OK;
}


static aiobs_login_e
aiobs_oidc_wrong(aiobs_oidc_login_t *login, const char *what)
{
    snprintf(login->error, AIOBS_OIDC_ERROR_MAX, "the ID token %s", what);

    return AIOBS_LOGIN_TOKEN;
}


/* Google reserves the right to leave "https://" out of its own name */

static int
aiobs_oidc_issuer(const aiobs_oidc_conf_t *conf, json_t *claims)
{
    const char  *iss;

    iss = json_string_value(json_object_get(claims, "iss"));

    return iss && (strcmp(iss, conf->issuer) == 0
                   || (conf->hosted
                       && strcmp(iss, "accounts.google.com") == 0));
}


/* several audiences: azp has to say that it was made for us */

static int
aiobs_oidc_audience(const aiobs_oidc_conf_t *conf, json_t *claims)
{
    size_t       i, n;
    json_t      *aud, *azp, *one;
    const char  *text;

    aud = json_object_get(claims, "aud");
    azp = aiobs_oidc_claim(claims, "azp");
    n = 0;

    if (json_is_string(aud)) {
        n = strcmp(json_string_value(aud), conf->client_id) == 0;
    }

    json_array_foreach(aud, i, one) {
        text = json_string_value(one);
        n += text && strcmp(text, conf->client_id) == 0;
    }

    if (n == 0 || (azp == NULL && json_array_size(aud) > 1)) {
        return 0;
    }

    text = json_string_value(azp);

    return azp == NULL || (text && strcmp(text, conf->client_id) == 0);
}


static const char *
aiobs_oidc_times(json_t *claims, aiobs_oidc_login_t *login)
{
    int64_t  exp, iat, nbf;

    if (!aiobs_oidc_time(claims, "exp", &exp)
        || !aiobs_oidc_time(claims, "iat", &iat))
    {
        return "does not say when it was made and how long it is good";
    }

    if (exp <= login->now - AIOBS_OIDC_SKEW) {
        return "has expired";
    }

    if (iat > login->now + AIOBS_OIDC_SKEW) {
        return "was made in the future: do the clocks agree?";
    }

    if (iat < login->began - AIOBS_OIDC_SKEW) {
        return "is older than the login: do the clocks agree?";
    }

    if (aiobs_oidc_claim(claims, "nbf")
        && (!aiobs_oidc_time(claims, "nbf", &nbf)
            || nbf > login->now + AIOBS_OIDC_SKEW))
    {
        return "is not good yet";
    }

    return NULL;
}


/* NumericDate may have a fraction */

static int
aiobs_oidc_time(json_t *claims, const char *name, int64_t *time)
{
    double   real;
    json_t  *value;

    value = json_object_get(claims, name);

    if (!json_is_number(value)) {
        return 0;
    }

    real = json_number_value(value);

    if (!(real > 0 && real < 253402300800.0)) {
        return 0;
    }

    *time = (int64_t) real;

    return 1;
}


static int
aiobs_oidc_nonce(json_t *claims, const char *nonce)
{
    json_t  *value;

    value = json_object_get(claims, "nonce");

    return json_is_string(value)
           && json_string_length(value) == AIOBS_OIDC_SECRET_LEN
           && CRYPTO_memcmp(json_string_value(value), nonce,
                            AIOBS_OIDC_SECRET_LEN)
              == 0;
}


static int
aiobs_oidc_sub(json_t *claims, aiobs_oidc_login_t *login)
{
    size_t       i, len;
    json_t      *value;
    const char  *sub;

    value = json_object_get(claims, "sub");
    sub = json_string_value(value);
    len = json_string_length(value);

    if (sub == NULL || len == 0 || len > AIOBS_OIDC_SUB_MAX) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (sub[i] < ' ' || sub[i] == 0x7f) {
            return 0;
        }
    }

    memcpy(login->sub, sub, len + 1);

    return 1;
}


int
aiobs_oidc_says_little(const aiobs_oidc_conf_t *conf, json_t *claims)
{
    json_t  *email;

    email = aiobs_oidc_claim(claims, "email");

    return email == NULL || (json_is_string(email)
                             && json_string_length(email) == 0)
           || aiobs_oidc_verdict(conf, claims) == NULL;
}


int
aiobs_oidc_keep_hosted(json_t *info, json_t *claims)
{
    json_t  *hd;

    hd = aiobs_oidc_claim(claims, "hd");

    return hd ? json_object_set(info, "hd", hd) : 0;
}


aiobs_login_e
aiobs_oidc_person(const aiobs_oidc_conf_t *conf, json_t *claims,
    aiobs_oidc_login_t *login)
{
    if (!aiobs_oidc_email(claims, login)) {
        snprintf(login->error, AIOBS_OIDC_ERROR_MAX,
                 "the provider names no e-mail address of at most %d "
                 "characters", AIOBS_OIDC_EMAIL_MAX);
        return AIOBS_LOGIN_EMAIL;
    }

    if (!aiobs_oidc_verified(conf, claims)) {
        snprintf(login->error, AIOBS_OIDC_ERROR_MAX,
                 "the provider has not verified the e-mail address");
        return AIOBS_LOGIN_EMAIL;
    }

    if (!aiobs_oidc_let_in(conf, claims, login->email)) {
        snprintf(login->error, AIOBS_OIDC_ERROR_MAX,
                 "an address of \"%s\" is neither of an allowed domain nor "
                 "listed", strchr(login->email, '@') + 1);
        return AIOBS_LOGIN_NOT_ALLOWED;
    }

    return AIOBS_LOGIN_OK;
}


/* printable ASCII with one "@", which RFC 5322's quoted forms are not */

static int
aiobs_oidc_email(json_t *claims, aiobs_oidc_login_t *login)
{
    size_t       i, len;
    json_t      *value;
    const char  *email, *at;

    login->email[0] = '\0';

    value = json_object_get(claims, "email");
    email = json_string_value(value);
    len = json_string_length(value);

    if (email == NULL || len > AIOBS_OIDC_EMAIL_MAX) {
        return 0;
    }

    at = strchr(email, '@');

    if (at == NULL || at == email || at[1] == '\0' || strchr(at + 1, '@')) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (email[i] <= ' ' || email[i] >= 0x7f
            || strchr("\"<>(),:;\\", email[i]))
        {
            return 0;
        }
    }

    for (i = 0; i <= len; i++) {
        login->email[i] = email[i] >= 'A' && email[i] <= 'Z'
                          ? email[i] | 0x20 : email[i];
    }

    return 1;
}


/* some providers write the boolean as a string, Entra ID its own as "1" */

static int
aiobs_oidc_verified(const aiobs_oidc_conf_t *conf, json_t *claims)
{
    json_t      *value;
    const char  *text;

    value = aiobs_oidc_verdict(conf, claims);
    text = json_string_value(value);

    if (json_is_true(value) || (text && strcmp(text, "true") == 0)) {
        return 1;
    }

    return aiobs_oidc_claim(claims, "email_verified") == NULL
           && (json_integer_value(value) == 1
               || (text && strcmp(text, "1") == 0));
}


/*
 * Entra ID never says email_verified, but, where it is asked to, that the
 * owner of the domain is verified: xms_edov.
 */

static json_t *
aiobs_oidc_verdict(const aiobs_oidc_conf_t *conf, json_t *claims)
{
    json_t  *value;

    value = aiobs_oidc_claim(claims, "email_verified");

    return value || !conf->edov ? value : aiobs_oidc_claim(claims, "xms_edov");
}


/* null is as good as nothing: Core, 5.3.2 */

static json_t *
aiobs_oidc_claim(json_t *claims, const char *name)
{
    json_t  *value;

    value = json_object_get(claims, name);

    return json_is_null(value) ? NULL : value;
}


/*
 * At Google an address of a domain is only the domain's own account when hd
 * says so; addresses of gmail.com have no hd.
 */

static int
aiobs_oidc_let_in(const aiobs_oidc_conf_t *conf, json_t *claims,
    const char *email)
{
    json_t      *hd;
    const char  *domain, *text;

    if (conf->anyone || aiobs_oidc_listed(conf->emails, email)) {
        return 1;
    }

    domain = strchr(email, '@') + 1;

    if (!aiobs_oidc_listed(conf->domains, domain)) {
        return 0;
    }

    hd = aiobs_oidc_claim(claims, "hd");

    if (hd) {
        text = json_string_value(hd);
        return text && aiobs_oidc_listed(conf->domains, text);
    }

    return !conf->hosted || strcmp(domain, "gmail.com") == 0
           || strcmp(domain, "googlemail.com") == 0;
}


static int
aiobs_oidc_listed(const char *const *list, const char *value)
{
    for (; list && *list; list++) {
        if (strcasecmp(*list, value) == 0) {
            return 1;
        }
    }

    return 0;
}
