
/*
 * Copyright (C) the aiobs authors
 *
 * Secrets of the configuration: given as they are, or where they are.
 */


#include "ngx_http_aiobs.h"


static char *ngx_http_aiobs_secret_env(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *secret);
static char *ngx_http_aiobs_secret_file(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *secret);
static ssize_t ngx_http_aiobs_secret_read(ngx_conf_t *cf, ngx_str_t *path,
    u_char *buf, size_t size);
static char *ngx_http_aiobs_secret_take(ngx_conf_t *cf, u_char *data,
    size_t len, const char *kind, ngx_str_t *name, ngx_str_t *secret);


char *
ngx_http_aiobs_secret(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *secret)
{
    ngx_str_t  name;

    if (value->len > 4 && ngx_strncmp(value->data, "env:", 4) == 0) {
        name.data = value->data + 4;
        name.len = value->len - 4;

        return ngx_http_aiobs_secret_env(cf, &name, secret);
    }

    if (value->len > 5 && ngx_strncmp(value->data, "file:", 5) == 0) {
        name.data = value->data + 5;
        name.len = value->len - 5;

        return ngx_http_aiobs_secret_file(cf, &name, secret);
    }

    *secret = *value;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_aiobs_environment(const char *name, ngx_str_t *value)
{
    char         **e;
    size_t         len;

    /* without a master nginx replaces it before the first reload */

    static char  **first;

    if (first == NULL) {
        first = environ;
    }

    len = ngx_strlen(name);

    for (e = first; e && *e; e++) {
        if (ngx_strncmp(*e, name, len) == 0 && (*e)[len] == '=') {
            value->data = (u_char *) *e + len + 1;
            value->len = ngx_strlen(value->data);

            return value->len ? NGX_OK : NGX_DECLINED;
        }
    }

    return NGX_DECLINED;
}


static char *
ngx_http_aiobs_secret_env(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *secret)
{
    ngx_str_t  value;

    if (ngx_http_aiobs_environment((char *) name->data, &value) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "environment variable \"%V\" is not set or empty",
                           name);
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_secret_take(cf, value.data, value.len,
                                      "environment variable", name, secret);
}


static char *
ngx_http_aiobs_secret_file(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *secret)
{
    char     *rv;
    ssize_t   n;

    u_char    buf[NGX_HTTP_AIOBS_SECRET_MAX + 2];

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    n = ngx_http_aiobs_secret_read(cf, path, buf, sizeof(buf));

    if (n < 0) {
        return NGX_CONF_ERROR;
    }

    if (n > 0 && buf[n - 1] == LF) {
        n--;
    }

    if (n > 0 && buf[n - 1] == CR) {
        n--;
    }

    rv = ngx_http_aiobs_secret_take(cf, buf, n, "file", path, secret);

    ngx_explicit_memzero(buf, sizeof(buf));

    return rv;
}


static ssize_t
ngx_http_aiobs_secret_read(ngx_conf_t *cf, ngx_str_t *path, u_char *buf,
    size_t size)
{
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_err_t  err;

    /* a pipe is not waited for: it is no secret's place */

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, size);
    err = ngx_errno;

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           ngx_read_fd_n " \"%V\" failed", path);
    }

    (void) ngx_close_file(fd);

    return n;
}


/* a copy, with a NUL behind it */

static char *
ngx_http_aiobs_secret_take(ngx_conf_t *cf, u_char *data, size_t len,
    const char *kind, ngx_str_t *name, ngx_str_t *secret)
{
    size_t  i;

    if (len == 0 || len > NGX_HTTP_AIOBS_SECRET_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the secret in %s \"%V\" is %s", kind, name,
                           len ? "longer than 4096 bytes" : "empty");
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < len; i++) {
        if (data[i] < ' ' || data[i] == 0x7f) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the secret in %s \"%V\" has control bytes",
                               kind, name);
            return NGX_CONF_ERROR;
        }
    }

    secret->data = ngx_pnalloc(cf->pool, len + 1);
    if (secret->data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(secret->data, data, len);
    secret->data[len] = '\0';
    secret->len = len;

    return NGX_CONF_OK;
}
