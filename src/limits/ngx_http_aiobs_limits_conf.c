
/*
 * Copyright (C) the aiobs authors
 *
 * The directives of the limits room.
 */


#include "ngx_http_aiobs_limits.h"
#include "../keys/aiobs_key.h"


#define NGX_HTTP_AIOBS_SHARE_MAX  10000


/* aiobs_limit_share number */

char *
ngx_http_aiobs_limit_share(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                      n;
    ngx_str_t                     *value;
    ngx_http_aiobs_limits_conf_t  *lcf;

    lcf = (ngx_http_aiobs_limits_conf_t *) ((char *) conf + cmd->offset);

    if (lcf->share != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;
    n = ngx_atoi(value[1].data, value[1].len);

    if (n < 1 || n > NGX_HTTP_AIOBS_SHARE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\" of \"aiobs_limit_share\": "
                           "how many nodes share the limits, 1 to %d",
                           &value[1], NGX_HTTP_AIOBS_SHARE_MAX);
        return NGX_CONF_ERROR;
    }

    lcf->share = n;

    return NGX_CONF_OK;
}


/* aiobs_group_label name */

char *
ngx_http_aiobs_group_label(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                     *value;
    ngx_http_aiobs_limits_conf_t  *lcf;

    lcf = (ngx_http_aiobs_limits_conf_t *) ((char *) conf + cmd->offset);

    if (lcf->group.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    /* no key can have another */

    if (!aiobs_key_label_name((char *) value[1].data)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" of \"aiobs_group_label\": a "
                           "label of keys is expected, 1 to %d letters, "
                           "digits, \"_\", \"-\" or \".\"", &value[1],
                           AIOBS_KEY_LABEL_MAX);
        return NGX_CONF_ERROR;
    }

    lcf->group = value[1];

    return NGX_CONF_OK;
}
