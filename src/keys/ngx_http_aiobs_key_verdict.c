
/*
 * Copyright (C) the aiobs authors
 *
 * A key as the store has it, made the identity of a request.
 */


#include "ngx_http_aiobs_key_worker.h"


static ngx_http_aiobs_policy_t *ngx_http_aiobs_key_policy(
    const aiobs_policy_t *from, ngx_pool_t *pool);


static ngx_str_t  ngx_http_aiobs_key_verdicts[] = {
    ngx_string("unasked"),
    ngx_string("pending"),
    ngx_string("valid"),
    ngx_string("missing_key"),
    ngx_string("unknown_key"),
    ngx_string("revoked"),
    ngx_string("expired"),
    ngx_string("store")
};


ngx_str_t *
ngx_http_aiobs_keys_verdict_name(ngx_http_aiobs_key_verdict_e verdict)
{
    return &ngx_http_aiobs_key_verdicts[verdict];
}


ngx_uint_t
ngx_http_aiobs_key_limited(const aiobs_key_t *key)
{
    ngx_uint_t  i;

    for (i = 0; key->policy.any && i < AIOBS_LIMIT_N; i++) {
        if (key->policy.limits[i] >= 0) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_aiobs_key_verdict(ngx_http_aiobs_identity_t *id,
    const aiobs_key_t *key, ngx_pool_t *pool)
{
    id->verdict = !key->active ? NGX_HTTP_AIOBS_KEY_REVOKED
                  : key->policy.any && key->policy.expires
                    && key->policy.expires <= ngx_time()
                    ? NGX_HTTP_AIOBS_KEY_EXPIRED
                    : NGX_HTTP_AIOBS_KEY_VALID;

    id->user_id.len = key->user_len;
    id->user_id.data = id->user_id_data;
    ngx_memcpy(id->user_id_data, key->user, key->user_len);

    id->key_name.len = key->name_len;
    id->key_name.data = id->key_name_data;
    ngx_memcpy(id->key_name_data, key->name, key->name_len);

    if (!key->policy.any) {
        return;
    }

    id->policy = ngx_http_aiobs_key_policy(&key->policy, pool);

    if (id->policy == NULL) {
        id->verdict = NGX_HTTP_AIOBS_KEY_STORE;
        return;
    }

    id->policy->limited = ngx_http_aiobs_key_limited(key);
}


static ngx_http_aiobs_policy_t *
ngx_http_aiobs_key_policy(const aiobs_policy_t *from, ngx_pool_t *pool)
{
    u_char                   *p;
    ngx_http_aiobs_policy_t  *policy;

    policy = ngx_palloc(pool, sizeof(ngx_http_aiobs_policy_t)
                              + from->models_len + from->endpoints_len
                              + from->labels_len);
    if (policy == NULL) {
        return NULL;
    }

    policy->broken = from->broken;
    policy->admin = from->admin;
    policy->may_act_for = from->may_act_for;
    policy->limited = 0;

    ngx_memcpy(policy->limits, from->limits, sizeof(policy->limits));
    ngx_memcpy(policy->account, from->account, AIOBS_KEY_HASH_LEN);

    policy->models.data = (u_char *) (policy + 1);
    policy->models.len = from->models_len;
    p = ngx_cpymem(policy->models.data, from->models, from->models_len);

    policy->endpoints.data = p;
    policy->endpoints.len = from->endpoints_len;
    p = ngx_cpymem(p, from->endpoints, from->endpoints_len);

    policy->labels.data = p;
    policy->labels.len = from->labels_len;
    ngx_memcpy(p, from->labels, from->labels_len);

    return policy;
}
