
/*
 * Copyright (C) the aiobs authors
 *
 * The directives of the flight recorder.
 */


#include "ngx_http_aiobs_telemetry.h"


void
ngx_http_aiobs_recorder_create_conf(ngx_http_aiobs_recorder_main_conf_t *main)
{
    main->capacity = NGX_CONF_UNSET_UINT;
}


/* aiobs_recorder number | off */

char *
ngx_http_aiobs_recorder_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_int_t                             n;
    ngx_str_t                            *value;
    ngx_http_aiobs_recorder_main_conf_t  *main;

    main = (ngx_http_aiobs_recorder_main_conf_t *)
                                               ((char *) conf + cmd->offset);

    if (main->capacity != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        main->capacity = 0;
        return NGX_CONF_OK;
    }

    n = ngx_atoi(value[1].data, value[1].len);

    if (n < 1 || n > NGX_HTTP_AIOBS_RECORDER_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"aiobs_recorder\": a "
                           "number of requests from 1 to %d, or \"off\", is "
                           "expected", &value[1], NGX_HTTP_AIOBS_RECORDER_MAX);
        return NGX_CONF_ERROR;
    }

    main->capacity = n;

    return NGX_CONF_OK;
}


/* aiobs_requests [remote] */

char *
ngx_http_aiobs_requests(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                       *value;
    ngx_http_aiobs_main_conf_t      *amcf;
    ngx_http_aiobs_recorder_conf_t  *rcf;

    rcf = (ngx_http_aiobs_recorder_conf_t *) ((char *) conf + cmd->offset);

    if (rcf->handler) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts > 1) {

        if (ngx_strcmp(value[1].data, "remote") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of "
                               "\"aiobs_requests\": \"remote\" is accepted",
                               &value[1]);
            return NGX_CONF_ERROR;
        }

        rcf->remote = 1;
    }

    rcf->handler = 1;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aiobs_module);
    amcf->recorder.used = 1;
    amcf->used = 1;

    ngx_http_aiobs_answers(cf, ngx_http_aiobs_requests_handler);

    return NGX_CONF_OK;
}
