
/*
 * Copyright (C) the aiobs authors
 *
 * Headers for the receiver and attributes of the resource: of the block, and
 * of the environment, where they are "name=value,..." with "%xx"; the name of a
 * header is a token, in which "%" is a byte like others (W3C Baggage).
 */


#include "ngx_http_aiobs_otlp.h"


static ngx_int_t ngx_http_aiobs_otlp_env_pairs(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp, u_char *name, ngx_str_t *list,
    ngx_uint_t headers);
static ngx_int_t ngx_http_aiobs_otlp_env_pair(u_char *p, u_char *end,
    ngx_uint_t escaped, ngx_str_t *name, ngx_str_t *value);
static void ngx_http_aiobs_otlp_trim(ngx_str_t *s);
static ngx_int_t ngx_http_aiobs_otlp_unescape(u_char *to, ngx_str_t *s);
static ngx_int_t ngx_http_aiobs_otlp_attribute_valid(ngx_str_t *name);
static ngx_int_t ngx_http_aiobs_otlp_header_valid(ngx_str_t *name,
    ngx_str_t *value);


char *
ngx_http_aiobs_otlp_env_headers(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_int_t                    rc;
    ngx_str_t                    list;
    ngx_uint_t                   i;
    ngx_http_aiobs_otlp_name_t   name;

    rc = NGX_DECLINED;

    for (i = 0; i < 2 && rc == NGX_DECLINED; i++) {
        if (ngx_http_aiobs_otlp_env("HEADERS", i, name, &list) == NGX_OK) {
            rc = ngx_http_aiobs_otlp_env_pairs(cf, otlp, name, &list, 1);
        }
    }

    return rc == NGX_ERROR ? NGX_CONF_ERROR : NGX_CONF_OK;
}


char *
ngx_http_aiobs_otlp_env_attributes(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_str_t  list;

    static u_char  name[] = "OTEL_RESOURCE_ATTRIBUTES";

    if (ngx_http_aiobs_environment((char *) name, &list) != NGX_OK) {
        return NGX_CONF_OK;
    }

    return ngx_http_aiobs_otlp_env_pairs(cf, otlp, name, &list, 0)
           == NGX_ERROR ? NGX_CONF_ERROR : NGX_CONF_OK;
}


/* all of the list counts, or nothing: NGX_DECLINED */

static ngx_int_t
ngx_http_aiobs_otlp_env_pairs(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp,
    u_char *name, ngx_str_t *list, ngx_uint_t headers)
{
    char        *rv;
    u_char      *p, *end, *last;
    ngx_str_t    text, key, value;
    ngx_uint_t   pass;

    for (pass = 0; pass < 2; pass++) {

        /* what is unescaped goes where it was */

        text.len = list->len;
        text.data = ngx_pnalloc(cf->pool, list->len);
        if (text.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(text.data, list->data, list->len);
        last = text.data + text.len;

        for (p = text.data; p < last; p = end + 1) {

            end = ngx_strlchr(p, last, ',');
            end = end ? end : last;

            switch (ngx_http_aiobs_otlp_env_pair(p, end, !headers, &key,
                                                 &value))
            {

            case NGX_DONE:
                continue;

            case NGX_OK:
                if ((headers ? ngx_http_aiobs_otlp_header_valid(&key, &value)
                             : ngx_http_aiobs_otlp_attribute_valid(&key))
                    == NGX_OK)
                {
                    break;
                }

                /* fall through */

            default:
                ngx_http_aiobs_otlp_env_bad(cf, name, "\"name=value,...\"");
                return NGX_DECLINED;
            }

            if (pass == 0) {
                continue;
            }

            rv = headers
                 ? ngx_http_aiobs_otlp_add_header(cf, otlp, &key, &value)
                 : ngx_http_aiobs_otlp_add_attribute(cf, otlp, &key, &value);

            if (rv != NGX_CONF_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/*
 * escaped: the name may be, too.  NGX_DONE: there is nothing but space;
 * NGX_ERROR: it is none
 */

static ngx_int_t
ngx_http_aiobs_otlp_env_pair(u_char *p, u_char *end, ngx_uint_t escaped,
    ngx_str_t *name, ngx_str_t *value)
{
    u_char  *equals;

    name->data = p;
    name->len = end - p;

    ngx_http_aiobs_otlp_trim(name);

    if (name->len == 0) {
        return NGX_DONE;
    }

    equals = ngx_strlchr(p, end, '=');

    if (equals == NULL) {
        return NGX_ERROR;
    }

    name->data = p;
    name->len = equals - p;
    value->data = equals + 1;
    value->len = end - value->data;

    ngx_http_aiobs_otlp_trim(name);
    ngx_http_aiobs_otlp_trim(value);

    if (name->len == 0
        || (escaped
            && ngx_http_aiobs_otlp_unescape(name->data, name) != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_http_aiobs_otlp_unescape(value->data, value);
}


static void
ngx_http_aiobs_otlp_trim(ngx_str_t *s)
{
    while (s->len && (s->data[0] == ' ' || s->data[0] == '\t')) {
        s->data++;
        s->len--;
    }

    while (s->len
           && (s->data[s->len - 1] == ' ' || s->data[s->len - 1] == '\t'))
    {
        s->len--;
    }
}


/* to: may be where it is */

static ngx_int_t
ngx_http_aiobs_otlp_unescape(u_char *to, ngx_str_t *s)
{
    u_char     *start, *p, *last;
    ngx_int_t   c;

    start = to;
    last = s->data + s->len;

    for (p = s->data; p < last; p++) {

        if (*p != '%') {
            *to++ = *p;
            continue;
        }

        c = last - p > 2 ? ngx_hextoi(p + 1, 2) : NGX_ERROR;

        if (c == NGX_ERROR) {
            return NGX_ERROR;
        }

        *to++ = (u_char) c;
        p += 2;
    }

    s->data = start;
    s->len = to - start;

    return NGX_OK;
}


/* the block's own come first and count */

char *
ngx_http_aiobs_otlp_add_header(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp,
    ngx_str_t *name, ngx_str_t *value)
{
    u_char  *p, **header;

    if (ngx_http_aiobs_otlp_header_valid(name, value) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the header \"%V\" for \"aiobs_otlp\" has a name "
                           "or a value with bytes that no header has, or says "
                           "how the message is sent", name);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_aiobs_otlp_header_given(otlp, name)) {
        return NGX_CONF_OK;
    }

    p = ngx_pnalloc(cf->pool, name->len + value->len + 3);
    header = ngx_array_push(&otlp->headers);

    if (p == NULL || header == NULL) {
        return NGX_CONF_ERROR;
    }

    *header = p;
    ngx_sprintf(p, "%V: %V%Z", name, value);

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_aiobs_otlp_header_given(ngx_http_aiobs_otlp_t *otlp, ngx_str_t *name)
{
    u_char      **header;
    ngx_uint_t    i;

    header = otlp->headers.elts;

    for (i = 0; i < otlp->headers.nelts; i++) {
        if (ngx_strncasecmp(header[i], name->data, name->len) == 0
            && header[i][name->len] == ':')
        {
            return 1;
        }
    }

    return 0;
}


/* a name is UTF-8, or no receiver reads what it is sent */

static ngx_int_t
ngx_http_aiobs_otlp_attribute_valid(ngx_str_t *name)
{
    u_char    *p, *last;
    uint32_t   u;

    last = name->data + name->len;

    for (p = name->data; p < last; /* void */ ) {

        if (*p < 0x80) {
            if (*p++ < ' ') {
                return NGX_ERROR;
            }

            continue;
        }

        u = ngx_utf8_decode(&p, last - p);

        if (u > 0x10ffff || (u >= 0xd800 && u <= 0xdfff)) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a token of RFC 9110, and none of those that say how the body is sent */

static ngx_int_t
ngx_http_aiobs_otlp_header_valid(ngx_str_t *name, ngx_str_t *value)
{
    size_t       i;
    const char **own;

    static const char   other[] = "!#$%&'*+-.^_`|~";
    static const char  *names[] = {
        "connection", "content-encoding", "content-length", "content-type",
        "expect", "grpc-encoding", "grpc-timeout", "te", "trailer",
        "transfer-encoding", "upgrade", NULL
    };

    for (i = 0; i < name->len; i++) {
        if (!((name->data[i] | 0x20) >= 'a' && (name->data[i] | 0x20) <= 'z')
            && !(name->data[i] >= '0' && name->data[i] <= '9')
            && (name->data[i] == '\0'
                || ngx_strchr(other, name->data[i]) == NULL))
        {
            return NGX_ERROR;
        }
    }

    for (own = names; *own; own++) {
        if (ngx_strlen(*own) == name->len
            && ngx_strncasecmp(name->data, (u_char *) *own, name->len) == 0)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < ' ' || value->data[i] == 0x7f) {
            return NGX_ERROR;
        }
    }

    return name->len ? NGX_OK : NGX_ERROR;
}


/* the block's own come first and count */

char *
ngx_http_aiobs_otlp_add_attribute(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp,
    ngx_str_t *name, ngx_str_t *value)
{
    u_char        *p;
    ngx_keyval_t  *attr;

    if (ngx_http_aiobs_otlp_attribute_valid(name) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a \"resource\" of \"aiobs_otlp\" has a name with "
                           "control bytes, or that is not UTF-8");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_aiobs_otlp_attribute_given(otlp, name)) {
        return NGX_CONF_OK;
    }

    p = ngx_pnalloc(cf->pool, name->len + 1);
    attr = ngx_array_push(&otlp->attributes);

    if (p == NULL || attr == NULL) {
        return NGX_CONF_ERROR;
    }

    attr->key.data = p;
    attr->key.len = name->len;
    attr->value = *value;

    ngx_sprintf(p, "%V%Z", name);

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_aiobs_otlp_attribute_given(ngx_http_aiobs_otlp_t *otlp,
    ngx_str_t *name)
{
    ngx_uint_t     i;
    ngx_keyval_t  *attr;

    attr = otlp->attributes.elts;

    for (i = 0; i < otlp->attributes.nelts; i++) {
        if (attr[i].key.len == name->len
            && ngx_memcmp(attr[i].key.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
