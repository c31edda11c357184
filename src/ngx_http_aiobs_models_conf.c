
/*
 * Copyright (C) the aiobs authors
 *
 * Models known beforehand: provider and operation that their location speaks
 * of.
 */


#include "ngx_http_aiobs.h"


char *
ngx_http_aiobs_merge_models(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf,
    ngx_http_aiobs_loc_conf_t *prev, ngx_http_aiobs_loc_conf_t *conf,
    ngx_str_t *name)
{
    const char         *operation;
    const aiobs_api_t  *api;

    if (conf->models == NULL) {
        conf->models = prev->models;
    }

    if (conf->models == NULL || !conf->enable
        || conf->llm == AIOBS_DIALECT_OFF || name->len == 0)
    {
        return NGX_CONF_OK;
    }

    api = aiobs_api_find(conf->llm, "POST", 4, (char *) name->data, name->len);

    operation = aiobs_api_operation(api);

    if (operation[0] == '\0') {

        /* the path does not tell: the provider that the dialect is of */

        api = aiobs_api_find(conf->llm, "GET", 3, (char *) name->data,
                             name->len);
        operation = "chat";
    }

    if (ngx_http_aiobs_models_add(cf, &amcf->metrics, conf->models,
                                  &conf->endpoint, aiobs_api_provider(api),
                                  operation)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
