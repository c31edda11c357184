
/*
 * Copyright (C) the aiobs authors
 *
 * Who was asked, by what URL: the server by its client, and others by us.
 */


#include "ngx_http_aiobs_spans.h"


static ngx_uint_t ngx_http_aiobs_span_host_port(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aiobs_span_configured(ngx_http_request_t *r,
    ngx_str_t *host, ngx_int_t *port);
static void ngx_http_aiobs_span_url(ngx_http_aiobs_spans_t *s,
    ngx_str_t *host, ngx_int_t port);


void
ngx_http_aiobs_span_address(ngx_http_aiobs_spans_t *s)
{
    ngx_str_t            host;
    ngx_uint_t           port;
    ngx_http_request_t  *r;

    r = s->request;

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        ngx_http_aiobs_span_text(s, "url.scheme", "https", 5);

    } else
#endif
    {
        ngx_http_aiobs_span_text(s, "url.scheme", "http", 4);
    }

    host = r->headers_in.server;

    if (host.len > 2 && host.data[0] == '[') {      /* of IPv6 */
        host.data++;
        host.len -= 2;
    }

    if (host.len) {
        ngx_http_aiobs_span_text(s, "server.address", host.data, host.len);
    }

    port = ngx_http_aiobs_span_host_port(r);

    if (port == 0 && r->connection->local_sockaddr) {
        port = ngx_inet_get_port(r->connection->local_sockaddr);
    }

    if (port) {
        ngx_http_aiobs_span_int(s, "server.port", port);
    }
}


/* the port that the client has asked for, where he names it; else 0 */

static ngx_uint_t
ngx_http_aiobs_span_host_port(ngx_http_request_t *r)
{
#if (nginx_version >= 1029003)

    return r->port;

#else

    u_char           *p, *last;
    ngx_int_t         port;
    ngx_str_t         named, *host;
    ngx_table_elt_t  *h;

    h = r->headers_in.host;
    host = &r->headers_in.server;

    ngx_str_null(&named);

    if (h) {
        named = h->value;
    }

#if (NGX_HTTP_V3)

    /* :authority of HTTP/3 is no header line */

    if (r->http_version == NGX_HTTP_VERSION_30 && r->host_start) {
        named.data = r->host_start;
        named.len = r->host_end - r->host_start;
    }

#endif

    /* that of the request line comes first, and may be another */

    if (host->len == 0 || named.len <= host->len
        || ngx_strncasecmp(named.data, host->data, host->len) != 0)
    {
        return 0;
    }

    p = named.data + host->len;
    last = named.data + named.len;

    port = *p == ':' ? ngx_atoi(p + 1, last - p - 1) : 0;

    return port >= 1 && port <= 65535 ? port : 0;

#endif
}


/* the server as it is configured, of the last upstream, and who it was */

void
ngx_http_aiobs_span_peer(ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t)
{
    ngx_int_t   port, named;
    ngx_str_t   peer, host;
    ngx_uint_t  local, known;

    peer = *t->state->peer;
    port = 0;

    local = peer.len >= 5 && ngx_strncmp(peer.data, "unix:", 5) == 0;

    if (local) {
        peer.data += 5;
        peer.len -= 5;

    } else {
        port = ngx_http_aiobs_span_peer_port(&peer);
    }

    ngx_http_aiobs_span_text(s, "network.peer.address", peer.data, peer.len);

    if (port > 0) {
        ngx_http_aiobs_span_int(s, "network.peer.port", port);
    }

    host = peer;
    named = port;
    known = t->here && ngx_http_aiobs_span_configured(s->request, &host, &named);

    ngx_http_aiobs_span_text(s, "server.address", host.data, host.len);

    if (named > 0) {
        port = named;
    }

    if (port > 0) {
        ngx_http_aiobs_span_int(s, "server.port", port);
    }

    if (!t->here) {
        return;
    }

    /* an "upstream" has a name and no port; a socket is no host */

    if (known) {
        port = named;
    }

    if (local && host.len == peer.len
        && ngx_memcmp(host.data, peer.data, host.len) == 0)
    {
        ngx_str_set(&host, "localhost");
    }

    ngx_http_aiobs_span_url(s, &host, port);
}


/*
 * What the configuration calls the server: its host, an "upstream" (port 0), or
 * a host that variables made, which was looked up or is an address.
 */

static ngx_uint_t
ngx_http_aiobs_span_configured(ngx_http_request_t *r, ngx_str_t *host,
    ngx_int_t *port)
{
    ngx_http_upstream_resolved_t  *resolved;
    ngx_http_upstream_srv_conf_t  *uscf;

    uscf = r->upstream->upstream;

    if (uscf && uscf->host.len) {
        *host = uscf->host;
        *port = uscf->port;
        return 1;
    }

    resolved = r->upstream->resolved;

    if (uscf == NULL && resolved && resolved->host.len
        && resolved->sockaddr == NULL)
    {
        *host = resolved->host;
        *port = resolved->port;
        return 1;
    }

    return 0;
}


ngx_int_t
ngx_http_aiobs_span_peer_port(ngx_str_t *peer)
{
    u_char     *p, *last;
    ngx_int_t   port;

    last = peer->data + peer->len;
    port = 0;

    for (p = last; p > peer->data && p[-1] != ':'; p--) { /* void */ }

    if (p > peer->data) {
        port = ngx_atoi(p, last - p);
        peer->len = p - 1 - peer->data;
    }

    if (peer->len > 2 && peer->data[0] == '[') {
        peer->data++;
        peer->len -= 2;
    }

    return port;
}


/* as it went to the server, of HTTP; keys may stand among the arguments */

static void
ngx_http_aiobs_span_url(ngx_http_aiobs_spans_t *s, ngx_str_t *host,
    ngx_int_t port)
{
    u_char               *p, *last;
    ngx_str_t             uri;
    ngx_uint_t            v6;
    ngx_http_upstream_t  *u;

    u_char                buf[AIOBS_PB_TEXT_MAX];

    u = s->request->upstream;

    if (u->uri.len == 0 || u->schema.len < 4
        || ngx_strncmp(u->schema.data, "http", 4) != 0)
    {
        return;
    }

    p = ngx_strlchr(u->uri.data, u->uri.data + u->uri.len, '?');
    uri.data = u->uri.data;
    uri.len = p ? (size_t) (p - u->uri.data) : u->uri.len;

    if (s->ctx->key_text) {
        (void) ngx_http_aiobs_key_text_mask(s->request->pool, &uri);
    }

    v6 = host->data[0] != '['
         && ngx_strlchr(host->data, host->data + host->len, ':') != NULL;

    if (u->schema.len + host->len > sizeof(buf) - sizeof("[]:65535")) {
        return;
    }

    last = buf + sizeof(buf);

    p = ngx_cpymem(buf, u->schema.data, u->schema.len);

    if (v6) {
        *p++ = '[';
    }

    p = ngx_cpymem(p, host->data, host->len);

    if (v6) {
        *p++ = ']';
    }

    if (port > 0) {
        p = ngx_sprintf(p, ":%uD", (uint32_t) port & 0xffff);
    }

    p = ngx_cpymem(p, uri.data, ngx_min(uri.len, (size_t) (last - p)));

    ngx_http_aiobs_span_text(s, "url.full", buf, p - buf);
}
