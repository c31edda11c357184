
/*
 * Copyright (C) the aiobs authors
 *
 * Addresses of clients cut to their network, users by a keyed hash: one is
 * still told from another, and who he is only by whom has the key.
 */


#include "../ngx_http_aiobs.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>


static ngx_uint_t ngx_http_aiobs_privacy_again(ngx_str_t *value, ngx_uint_t i);
static ngx_int_t ngx_http_aiobs_privacy_parameter(ngx_conf_t *cf,
    ngx_http_aiobs_privacy_conf_t *conf, ngx_str_t *value);
static void ngx_http_aiobs_privacy_mask(struct sockaddr *sa);


void
ngx_http_aiobs_privacy_create_conf(ngx_http_aiobs_privacy_conf_t *conf)
{
    conf->client = NGX_CONF_UNSET_UINT;
    conf->user = NGX_CONF_UNSET_UINT;
}


/* the directive as a whole */

void
ngx_http_aiobs_privacy_merge_conf(ngx_http_aiobs_privacy_conf_t *prev,
    ngx_http_aiobs_privacy_conf_t *conf)
{
    if (conf->client == NGX_CONF_UNSET_UINT) {
        *conf = *prev;
    }

    ngx_conf_init_uint_value(conf->client, NGX_HTTP_AIOBS_KEEP);
    ngx_conf_init_uint_value(conf->user, NGX_HTTP_AIOBS_KEEP);
}


/* aiobs_privacy on | off | [client_ip=..] [user_id=..], with [salt=secret] */

char *
ngx_http_aiobs_privacy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_aiobs_privacy_conf_t  *pcf;

    pcf = (ngx_http_aiobs_privacy_conf_t *) ((char *) conf + cmd->offset);

    if (pcf->client != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    i = 1;

    pcf->client = NGX_HTTP_AIOBS_KEEP;
    pcf->user = NGX_HTTP_AIOBS_KEEP;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        pcf->client = NGX_HTTP_AIOBS_TRUNCATE;
        pcf->user = NGX_HTTP_AIOBS_HASH;
        i++;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        i++;
    }

    for (/* void */ ; i < cf->args->nelts; i++) {

        if (ngx_http_aiobs_privacy_again(value, i)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\" of "
                               "\"aiobs_privacy\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        switch (ngx_http_aiobs_privacy_parameter(cf, pcf, &value[i])) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of "
                               "\"aiobs_privacy\": \"on\", \"off\", "
                               "\"client_ip=keep|truncate|drop\", "
                               "\"user_id=keep|hash|drop\" and "
                               "\"salt=secret\" are accepted", &value[i]);
            return NGX_CONF_ERROR;

        default:
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


void
ngx_http_aiobs_privacy_client(ngx_http_aiobs_privacy_conf_t *conf,
    ngx_connection_t *c, u_char *buf, ngx_str_t *client)
{
    ngx_sockaddr_t  sa;

    *client = c->addr_text;

    if (conf->client == NGX_HTTP_AIOBS_KEEP) {
        return;
    }

    if (conf->client == NGX_HTTP_AIOBS_DROP
        || c->socklen > (socklen_t) sizeof(ngx_sockaddr_t))
    {
        client->len = 0;
        return;
    }

    ngx_memcpy(&sa, c->sockaddr, c->socklen);
    ngx_http_aiobs_privacy_mask(&sa.sockaddr);

    client->data = buf;
    client->len = ngx_sock_ntop(&sa.sockaddr, c->socklen, buf,
                                NGX_SOCKADDR_STRLEN, 0);
}


void
ngx_http_aiobs_privacy_user(ngx_http_aiobs_privacy_conf_t *conf, u_char *salt,
    ngx_http_aiobs_pseudonym_t *p, ngx_str_t *user)
{
    size_t   len;
    u_char   digest[EVP_MAX_MD_SIZE];

    if (conf->user == NGX_HTTP_AIOBS_KEEP || user->len == 0) {
        return;
    }

    if (conf->user == NGX_HTTP_AIOBS_DROP) {
        user->len = 0;
        return;
    }

    if (p->name.data != user->data || p->name.len != user->len) {

        len = NGX_HTTP_AIOBS_SALT_LEN;

        if (conf->salt.len) {
            salt = conf->salt.data;
            len = conf->salt.len;
        }

        if (HMAC(EVP_sha256(), salt, (int) len, user->data, user->len, digest,
                 NULL)
            == NULL)
        {
            user->len = 0;
            return;
        }

        ngx_hex_dump(p->hash, digest, NGX_HTTP_AIOBS_HASH_LEN / 2);
        p->name = *user;
    }

    user->data = p->hash;
    user->len = NGX_HTTP_AIOBS_HASH_LEN;
}


/* whether one before has the name of the i-th; which of them counts is open */

static ngx_uint_t
ngx_http_aiobs_privacy_again(ngx_str_t *value, ngx_uint_t i)
{
    size_t      len;
    u_char     *equals;
    ngx_uint_t  k;

    equals = (u_char *) ngx_strchr(value[i].data, '=');

    if (equals == NULL) {
        return 0;
    }

    len = equals + 1 - value[i].data;

    for (k = 1; k < i; k++) {
        if (ngx_strncmp(value[k].data, value[i].data, len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* NGX_DECLINED: no parameter, or no value of it; NGX_ERROR: logged */

static ngx_int_t
ngx_http_aiobs_privacy_parameter(ngx_conf_t *cf,
    ngx_http_aiobs_privacy_conf_t *conf, ngx_str_t *value)
{
    ngx_str_t   s;
    ngx_uint_t  i;

    static struct {
        const char  *parameter;
        size_t       offset;
        ngx_uint_t   value;
    } parameters[] = {
        { "client_ip=keep",
          offsetof(ngx_http_aiobs_privacy_conf_t, client),
          NGX_HTTP_AIOBS_KEEP },
        { "client_ip=truncate",
          offsetof(ngx_http_aiobs_privacy_conf_t, client),
          NGX_HTTP_AIOBS_TRUNCATE },
        { "client_ip=drop",
          offsetof(ngx_http_aiobs_privacy_conf_t, client),
          NGX_HTTP_AIOBS_DROP },
        { "user_id=keep",
          offsetof(ngx_http_aiobs_privacy_conf_t, user), NGX_HTTP_AIOBS_KEEP },
        { "user_id=hash",
          offsetof(ngx_http_aiobs_privacy_conf_t, user), NGX_HTTP_AIOBS_HASH },
        { "user_id=drop",
          offsetof(ngx_http_aiobs_privacy_conf_t, user), NGX_HTTP_AIOBS_DROP },
        { NULL, 0, 0 }
    };

    for (i = 0; parameters[i].parameter; i++) {
        if (ngx_strcmp(value->data, parameters[i].parameter) == 0) {
            *(ngx_uint_t *) ((char *) conf + parameters[i].offset) =
                                                         parameters[i].value;
            return NGX_OK;
        }
    }

    if (value->len > 5 && ngx_strncmp(value->data, "salt=", 5) == 0) {
        s.data = value->data + 5;
        s.len = value->len - 5;

        return ngx_http_aiobs_secret(cf, &s, &conf->salt) == NGX_CONF_OK
               ? NGX_OK : NGX_ERROR;
    }

    return NGX_DECLINED;
}


/* to a network of 24 bits for IPv4 (also mapped into IPv6), 48 for IPv6 */

static void
ngx_http_aiobs_privacy_mask(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        sin->sin_addr.s_addr &= htonl(0xffffff00);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            sin6->sin6_addr.s6_addr[15] = 0;

        } else {
            ngx_memzero(&sin6->sin6_addr.s6_addr[6], 10);
        }

        break;
#endif
    }
}
