
/*
 * Copyright (C) the aiobs authors
 *
 * The configuration of an exporter: a block of its own, and what all of them
 * have to know.
 */


#include "../ngx_http_aiobs.h"
#include "ngx_http_aiobs_export.h"


typedef struct {
    const char     *name;
    ngx_command_t  *commands;
    void           *conf;
} ngx_http_aiobs_export_block_t;


static char *ngx_http_aiobs_export_parameter(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static char *ngx_http_aiobs_export_unknown(ngx_conf_t *cf,
    ngx_http_aiobs_export_block_t *block, ngx_str_t *name);
static ngx_uint_t ngx_http_aiobs_export_values(ngx_command_t *cmd,
    ngx_uint_t n);
static u_char *ngx_http_aiobs_export_name(u_char *host, u_char *end);


char *
ngx_http_aiobs_export_block(ngx_conf_t *cf, const char *name,
    ngx_command_t *commands, void *conf)
{
    char                           *rv;
    ngx_conf_t                      save;
    ngx_http_aiobs_export_block_t   block;

    block.name = name;
    block.commands = commands;
    block.conf = conf;

    save = *cf;
    cf->handler = ngx_http_aiobs_export_parameter;
    cf->handler_conf = (char *) &block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_http_aiobs_export_parameter(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    ngx_http_aiobs_export_block_t *block = conf;

    char           *rv;
    ngx_str_t      *value;
    ngx_command_t  *cmd;

    value = cf->args->elts;

    for (cmd = block->commands; cmd->name.len; cmd++) {
        if (cmd->name.len == value[0].len
            && ngx_strcmp(cmd->name.data, value[0].data) == 0)
        {
            break;
        }
    }

    if (cmd->name.len == 0) {
        return ngx_http_aiobs_export_unknown(cf, block, &value[0]);
    }

    if (!ngx_http_aiobs_export_values(cmd, cf->args->nelts - 1)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of values of \"%V\" in \"%s\": "
                           "%s expected", &value[0], block->name,
                           cmd->type == NGX_CONF_1MORE ? "one or more are"
                           : cmd->type == NGX_CONF_TAKE2 ? "two are"
                           : "one is");
        return NGX_CONF_ERROR;
    }

    rv = cmd->set(cf, cmd, block->conf);

    if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" in \"%s\" %s",
                           &value[0], block->name, rv);
        return NGX_CONF_ERROR;
    }

    return rv;
}


static char *
ngx_http_aiobs_export_unknown(ngx_conf_t *cf,
    ngx_http_aiobs_export_block_t *block, ngx_str_t *name)
{
    u_char         *p, names[512];
    ngx_command_t  *cmd;

    p = names;

    for (cmd = block->commands; cmd->name.len; cmd++) {
        p = ngx_slprintf(p, names + sizeof(names), "%s%V",
                         p == names ? "" : ", ", &cmd->name);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown parameter \"%V\" of \"%s\": %*s are accepted",
                       name, block->name, (size_t) (p - names), names);

    return NGX_CONF_ERROR;
}


static ngx_uint_t
ngx_http_aiobs_export_values(ngx_command_t *cmd, ngx_uint_t n)
{
    return cmd->type == NGX_CONF_1MORE ? n >= 1
         : cmd->type == NGX_CONF_TAKE2 ? n == 2 : n == 1;
}


/* a mistyped name is told now, not when the first batch fails */

char *
ngx_http_aiobs_export_set_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char       *rv;
    ngx_str_t  *file;

    rv = ngx_conf_set_str_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    file = (ngx_str_t *) ((char *) conf + cmd->offset);

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_worker_reads(cf, file, NGX_LOG_EMERG) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_uint_t
ngx_http_aiobs_export_local(u_char *host)
{
    size_t  len;

    if (ngx_strncmp(host, "127.", 4) == 0) {
        len = strspn((char *) host, "0123456789.");

    } else {
        len = ngx_strncmp(host, "[::1]", 5) == 0 ? 5
            : ngx_strncasecmp(host, (u_char *) "localhost", 9) == 0 ? 9 : 0;
    }

    return len && ngx_strchr(":/", host[len]) != NULL;
}


ngx_int_t
ngx_http_aiobs_export_host(u_char *host, u_char *end)
{
    u_char     *p;
    ngx_int_t   port;

    p = ngx_http_aiobs_export_name(host, end);

    if (p == NULL) {
        return NGX_ERROR;
    }

    if (p == end) {
        return NGX_OK;
    }

    port = *p == ':' ? ngx_atoi(p + 1, end - p - 1) : NGX_ERROR;

    return port >= 1 && port <= 65535 ? NGX_OK : NGX_ERROR;
}


/* where it ends; NULL: there is none */

static u_char *
ngx_http_aiobs_export_name(u_char *host, u_char *end)
{
    u_char  *p, *last, address[16];

    if (host < end && *host == '[') {
        p = ngx_strlchr(host, end, ']');

        if (p == NULL) {
            return NULL;
        }

        /* one of a link names its interface: [fe80::1%25eth0] */

        last = ngx_strlchr(host, p, '%');
        last = last && last + 1 < p ? last : p;

        return ngx_inet6_addr(host + 1, last - host - 1, address) == NGX_OK
               ? p + 1 : NULL;
    }

    for (p = host; p < end && *p != ':'; p++) {
        if (!((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
            && !(*p >= '0' && *p <= '9') && *p != '.' && *p != '-'
            && *p != '_')
        {
            return NULL;
        }
    }

    return p > host ? p : NULL;
}
