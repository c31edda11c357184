
/*
 * Copyright (C) the aiobs authors
 *
 * Who is let in, which URLs are fit, and what cookies are worth: a JSON object
 * a line, one line of answer each.
 */


#include "login/aiobs_oidc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define LIST_MAX  8


static const char *
string(json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}


static void
list(json_t *json, const char *name, const char **out)
{
    size_t   i;
    json_t  *one;

    json_array_foreach(json_object_get(json, name), i, one) {
        if (i < LIST_MAX) {
            *out++ = json_string_value(one);
        }
    }

    *out = NULL;
}


static void
person(json_t *json)
{
    const char          *domains[LIST_MAX + 1], *emails[LIST_MAX + 1];
    aiobs_login_e        rc;
    aiobs_oidc_conf_t    conf;
    aiobs_oidc_login_t   login;

    memset(&conf, 0, sizeof(conf));
    memset(&login, 0, sizeof(login));

    list(json, "domains", domains);
    list(json, "emails", emails);

    conf.domains = domains;
    conf.emails = emails;
    conf.anyone = json_is_true(json_object_get(json, "anyone"));
    conf.hosted = json_is_true(json_object_get(json, "hosted"));
    conf.edov = json_is_true(json_object_get(json, "edov"));

    rc = aiobs_oidc_person(&conf, json_object_get(json, "person"), &login);

    printf("%s %s%s\n", rc == AIOBS_LOGIN_OK ? "ok"
                        : rc == AIOBS_LOGIN_EMAIL ? "email" : "not_allowed",
           login.email,
           aiobs_oidc_says_little(&conf, json_object_get(json, "person"))
           ? " ?" : "");
}


/* an ID token, in all else a good one */

static void
token(json_t *json)
{
    int64_t              now;
    aiobs_login_e        rc;
    aiobs_oidc_conf_t    conf;
    aiobs_oidc_login_t   login;
    json_t              *claims;

    memset(&conf, 0, sizeof(conf));
    memset(&login, 0, sizeof(login));

    conf.issuer = string(json, "issuer");
    conf.client_id = "aiobs";
    conf.hosted = json_is_true(json_object_get(json, "hosted"));

    now = time(NULL);
    login.now = now;
    memset(login.nonce, 'n', AIOBS_OIDC_SECRET_LEN);

    claims = json_pack("{s:O, s:s, s:s, s:s, s:I, s:I}",
                       "iss", json_object_get(json, "iss"), "aud", "aiobs",
                       "sub", "s", "nonce", login.nonce,
                       "iat", (json_int_t) now, "exp", (json_int_t) now + 60);

    rc = aiobs_oidc_claims(&conf, claims, &login);

    printf("%s\n", rc == AIOBS_LOGIN_OK ? "ok" : login.error);

    json_decref(claims);
}


static void
url(json_t *json)
{
    const char  *wrong;

    wrong = aiobs_oidc_url_error(string(json, "url"),
                                 json_is_true(json_object_get(json, "local")));

    printf("%s\n", wrong ? wrong : "ok");
}


/* sealed by one secret and provider, opened by another, or after a change */

static void
ticket(json_t *json)
{
    char                  cookie[AIOBS_OIDC_COOKIE_LEN + 1];
    char                  state[AIOBS_OIDC_SECRET_LEN + 1];
    char                  nonce[AIOBS_OIDC_SECRET_LEN + 1];
    int64_t               began, time, flip;
    aiobs_oidc_ticket_t   from, to;
    const unsigned char   random[AIOBS_OIDC_RANDOM] = "0123456789abcde";

    from.secret = (const unsigned char *) string(json, "from");
    from.secret_len = strlen(string(json, "from"));
    from.provider = string(json, "provider");

    to = from;
    to.secret = (const unsigned char *) string(json, "to");
    to.secret_len = strlen(string(json, "to"));
    to.provider = string(json, "opened");

    time = json_integer_value(json_object_get(json, "time"));
    flip = json_integer_value(json_object_get(json, "flip"));

    if (aiobs_oidc_seal(&from, random, time, cookie) != 0) {
        printf("not sealed\n");
        return;
    }

    if (flip >= 0) {
        cookie[flip] = cookie[flip] == 'A' ? 'B' : 'A';
    }

    if (aiobs_oidc_unseal(&to, cookie, strlen(cookie), &began) != 0) {
        printf("not ours\n");
        return;
    }

    if (aiobs_oidc_derive(&to, "state", state) != 0
        || aiobs_oidc_derive(&to, "nonce", nonce) != 0)
    {
        printf("not derived\n");
        return;
    }

    printf("%lld %zu %zu %d\n", (long long) began, strlen(state),
           strlen(nonce), strcmp(state, nonce) != 0);
}


static void
escape(json_t *json)
{
    char               buf[64];
    aiobs_oidc_text_t  t;

    aiobs_oidc_text(&t, buf, sizeof(buf));
    aiobs_oidc_pair(&t, 1, "a", string(json, "escape"));

    printf("%s\n", t.full ? "full" : buf);
}


int
main(void)
{
    char     *text;
    size_t    size;
    ssize_t   n;
    json_t   *json;

    text = NULL;
    size = 0;

    while ((n = getline(&text, &size, stdin)) > 0) {
        json = json_loadb(text, n, 0, NULL);

        if (json_object_get(json, "person")) {
            person(json);

        } else if (json_object_get(json, "iss")) {
            token(json);

        } else if (json_object_get(json, "url")) {
            url(json);

        } else if (json_object_get(json, "from")) {
            ticket(json);

        } else {
            escape(json);
        }

        json_decref(json);
    }

    free(text);

    return 0;
}
