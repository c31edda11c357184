
/*
 * Copyright (C) the aiobs authors
 *
 * A person gets a key.
 */


#include "ngx_http_aiobs_login_room.h"
#include "aiobs_oidc_provider.h"


static ngx_uint_t ngx_http_aiobs_login_gone(ngx_http_aiobs_keys_work_t *work);
static int ngx_http_aiobs_login_save(aiobs_store_t *store, void *data);
static void ngx_http_aiobs_login_saved(ngx_http_aiobs_keys_work_t *work);


void
ngx_http_aiobs_login_key(ngx_http_aiobs_login_t *login)
{
    if (ngx_http_aiobs_login_left(login)) {
        ngx_http_aiobs_login_resume(login);
        return;
    }

    login->work.run = ngx_http_aiobs_login_save;
    login->work.left = ngx_http_aiobs_login_gone;
    login->work.done = ngx_http_aiobs_login_saved;
    login->work.data = login;

    ngx_http_aiobs_keys_work(&login->work);
}


static ngx_uint_t
ngx_http_aiobs_login_gone(ngx_http_aiobs_keys_work_t *work)
{
    return ngx_http_aiobs_login_left(work->data);
}


/* in the thread of the key store */

static int
ngx_http_aiobs_login_save(aiobs_store_t *store, void *data)
{
    ngx_http_aiobs_login_t *login = data;

    char                              actor[64], request_id[160], labels[256];
    const char                       *wrong;
    aiobs_actor_t                     who;
    aiobs_subject_t                   subject;
    aiobs_key_attrs_t                 attrs;
    ngx_http_aiobs_login_provider_t  *provider;

    provider = login->provider;

    if (aiobs_key_generate(login->key) != 0
        || aiobs_key_hash_hex(login->key, AIOBS_KEY_RAW_LEN, login->hash) != 0)
    {
        return AIOBS_STORE_FAILED;
    }

    ngx_snprintf((u_char *) actor, sizeof(actor), "login:%V%Z",
                 &provider->name);
    ngx_snprintf((u_char *) request_id, sizeof(request_id), "%V%Z",
                 &login->request_id);
    ngx_snprintf((u_char *) labels, sizeof(labels), "{\"email\":\"%s\"}%Z",
                 login->oidc.email);

    who.actor = actor;
    who.request_id = request_id;

    subject.issuer = provider->oidc.issuer;
    subject.sub = login->oidc.sub;
    subject.email = login->oidc.email;

    ngx_memzero(&attrs, sizeof(aiobs_key_attrs_t));

    attrs.set = AIOBS_ATTR_USER|AIOBS_ATTR_NAME|AIOBS_ATTR_LABELS;
    attrs.user = provider->user_is_email ? login->oidc.email : login->oidc.sub;
    attrs.name = (char *) provider->key_name.data;
    attrs.labels = labels;

    wrong = aiobs_key_attrs_error(&attrs);

    if (wrong) {
        login->result = AIOBS_LOGIN_TOKEN;
        (void) aiobs_oidc_failed(login->oidc.error, login->result,
                                 "the provider's name of the person, as the "
                                 "key's user, %s", wrong);
        return AIOBS_STORE_OK;
    }

    return aiobs_store_login(store, &who, &subject, login->hash, &attrs,
                             provider->grace, &login->given);
}


static void
ngx_http_aiobs_login_saved(ngx_http_aiobs_keys_work_t *work)
{
    ngx_http_aiobs_login_t  *login;

    login = work->data;

    if (login->result == AIOBS_LOGIN_OK && work->rc != AIOBS_STORE_OK) {
        login->result = AIOBS_LOGIN_STORE;
        ngx_snprintf((u_char *) login->oidc.error, AIOBS_OIDC_ERROR_MAX - 1,
                     "the key cannot be saved: %s%Z", work->error);
    }

    ngx_http_aiobs_login_resume(login);
}
