
/*
 * Copyright (C) the aiobs authors
 *
 * What people and programs get: the key, or what to do.  Pages hold all they
 * need; nothing else may be loaded or run in them.
 */


#include "ngx_http_aiobs_login_room.h"

#include <openssl/evp.h>


#define NGX_HTTP_AIOBS_LOGIN_CSP   512      /* bytes */
#define NGX_HTTP_AIOBS_LOGIN_PAGE  8192


typedef struct {
    const char   *name;
    ngx_uint_t    status;
    const char   *title;
    const char   *advice;
} ngx_http_aiobs_login_text_t;


static ngx_int_t ngx_http_aiobs_login_source(const char *text, u_char *source);
static ngx_uint_t ngx_http_aiobs_login_program(ngx_http_request_t *r);
static u_char *ngx_http_aiobs_login_json(u_char *p, u_char *last,
    ngx_http_aiobs_login_t *login, const ngx_http_aiobs_login_text_t *text);
static u_char *ngx_http_aiobs_login_html(u_char *p, u_char *last,
    ngx_http_aiobs_login_t *login, const ngx_http_aiobs_login_text_t *text);
static u_char *ngx_http_aiobs_login_html_key(u_char *p, u_char *last,
    ngx_http_aiobs_login_t *login);
static ngx_int_t ngx_http_aiobs_login_headers(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login);
static ngx_int_t ngx_http_aiobs_login_send(ngx_http_request_t *r,
    ngx_buf_t *b);


static const ngx_http_aiobs_login_text_t
    ngx_http_aiobs_login_texts[AIOBS_LOGIN_N] =
{
    [AIOBS_LOGIN_OK] = { "ok", 200, "Your API key", "" },

    [AIOBS_LOGIN_REQUEST] = {
        "request", 400, "This link is incomplete",
        "Sign in again from the start." },

    [AIOBS_LOGIN_COOKIE] = {
        "cookie", 400, "This sign-in is over, or began in another browser",
        "A key is shown only once. Sign in again from the start, in one "
        "browser; cookies have to be allowed." },

    [AIOBS_LOGIN_STATE] = {
        "state", 400, "This answer belongs to another sign-in",
        "Sign in again, and end it in the window where you began it last." },

    [AIOBS_LOGIN_EXPIRED] = {
        "expired", 400, "The sign-in took too long",
        "Sign in again; it has to be done within ten minutes." },

    [AIOBS_LOGIN_REPLAY] = {
        "replay", 400, "This link was used before",
        "A key is shown only once. Sign in again to get another one." },

    [AIOBS_LOGIN_ISSUER] = {
        "issuer", 400, "This answer comes from somewhere else",
        "Sign in again from the start. If you came here by a link, do not "
        "use it." },

    [AIOBS_LOGIN_DENIED] = {
        "denied", 403, "The sign-in was cancelled",
        "Sign in again, and agree to show who you are." },

    [AIOBS_LOGIN_CODE] = {
        "code", 400, "The sign-in is no longer valid",
        "Sign in again from the start." },

    [AIOBS_LOGIN_CLIENT] = {
        "client", 502, "The sign-in service does not know this gateway",
        "Tell the administrator of this gateway." },

    [AIOBS_LOGIN_PROVIDER] = {
        "provider", 502, "The sign-in service does not answer",
        "Try again in a minute. If it stays like this, tell the administrator "
        "of this gateway." },

    [AIOBS_LOGIN_TOKEN] = {
        "token", 403, "Who you are could not be verified",
        "Sign in again. If it stays like this, tell the administrator of "
        "this gateway." },

    [AIOBS_LOGIN_EMAIL] = {
        "email", 403, "Your e-mail address is not verified",
        "Have it verified where you sign in, then come back." },

    [AIOBS_LOGIN_NOT_ALLOWED] = {
        "not_allowed", 403, "This account may not use this gateway",
        "Sign in with an account of your organisation, or ask the "
        "administrator of this gateway." },

    [AIOBS_LOGIN_STORE] = {
        "store", 503, "The key could not be saved",
        "Try again in a minute. If it stays like this, tell the administrator "
        "of this gateway." },

    [AIOBS_LOGIN_BUSY] = {
        "busy", 503, "Too many people sign in at once",
        "Try again in a minute." },

    [AIOBS_LOGIN_LEFT] = {
        "left", 503, "Your browser did not wait for the key",
        "Start again." },

    [AIOBS_LOGIN_FAILED] = {
        "failed", 500, "Something went wrong",
        "Try again in a minute. If it stays like this, tell the administrator "
        "of this gateway." }
};


static const char  ngx_http_aiobs_login_style[] =
    "body{margin:0;font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;"
    "background:#f4f4f5}"
    "main{max-width:40rem;margin:10vh auto;padding:2rem;background:#fff;"
    "border-radius:8px}"
    "h1{margin-top:0;font-size:1.4rem}"
    "code{display:block;padding:.8rem;background:#f4f4f5;border-radius:4px;"
    "overflow-wrap:anywhere}"
    "button{font:inherit;padding:.4rem 1.2rem}"
    "small{color:#666}";

static const char  ngx_http_aiobs_login_script[] =
    "const k=document.getElementById('key'),"
    "s=document.getElementById('said');"
    "document.getElementById('copy').addEventListener('click',async()=>{"
    "try{await navigator.clipboard.writeText(k.textContent)}"
    "catch(e){const r=document.createRange();r.selectNodeContents(k);"
    "const w=getSelection();w.removeAllRanges();w.addRange(r);"
    "document.execCommand('copy')}"
    "s.textContent='Copied.'});";

static u_char  ngx_http_aiobs_login_csp[NGX_HTTP_AIOBS_LOGIN_CSP];


const char *
ngx_http_aiobs_login_result_name(aiobs_login_e result)
{
    return ngx_http_aiobs_login_texts[result].name;
}


ngx_int_t
ngx_http_aiobs_login_page_init(ngx_conf_t *cf)
{
    u_char  style[64], script[64];

    if (ngx_http_aiobs_login_source(ngx_http_aiobs_login_style, style)
        != NGX_OK
        || ngx_http_aiobs_login_source(ngx_http_aiobs_login_script, script)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "OpenSSL has no SHA-256");
        return NGX_ERROR;
    }

    ngx_sprintf(ngx_http_aiobs_login_csp, "default-src 'none'; "
                "style-src 'sha256-%s'; script-src 'sha256-%s'; "
                "base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'%Z", style, script);

    return NGX_OK;
}


/* as Content-Security-Policy has it; terminated */

static ngx_int_t
ngx_http_aiobs_login_source(const char *text, u_char *source)
{
    u_char  md[EVP_MAX_MD_SIZE];
    size_t  len;

    if (EVP_Q_digest(NULL, "SHA256", NULL, text, ngx_strlen(text), md, &len)
        != 1)
    {
        return NGX_ERROR;
    }

    EVP_EncodeBlock(source, md, len);

    return NGX_OK;
}


ngx_int_t
ngx_http_aiobs_login_answer(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login)
{
    ngx_buf_t                          *b;
    const ngx_http_aiobs_login_text_t  *text;

    text = &ngx_http_aiobs_login_texts[login->result];

    b = ngx_create_temp_buf(r->pool, NGX_HTTP_AIOBS_LOGIN_PAGE);

    if (b == NULL || ngx_http_aiobs_login_headers(r, login) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_aiobs_login_program(r)) {
        b->last = ngx_http_aiobs_login_json(b->last, b->end, login, text);

        if (login->result == AIOBS_LOGIN_OK) {
            ngx_str_set(&r->headers_out.content_type, "application/json");

        } else {
            ngx_str_set(&r->headers_out.content_type,
                        "application/problem+json");
        }

    } else {
        b->last = ngx_http_aiobs_login_html(b->last, b->end, login, text);
        ngx_str_set(&r->headers_out.content_type, "text/html; charset=utf-8");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.status = text->status;

    /* a key is shown this once */

    r->disable_not_modified = 1;
    r->headers_out.content_length_n = b->last - b->pos;

    return ngx_http_aiobs_login_send(r, b);
}


/* browsers ask for HTML */

static ngx_uint_t
ngx_http_aiobs_login_program(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = ngx_http_aiobs_header_find(&r->headers_in.headers, "accept",
                                   sizeof("accept") - 1);

    return h && ngx_strcasestrn(h->value.data, "json", 4 - 1)
           && !ngx_strcasestrn(h->value.data, "text/html", 9 - 1);
}


/* nothing in these texts needs to be escaped */

static u_char *
ngx_http_aiobs_login_json(u_char *p, u_char *last,
    ngx_http_aiobs_login_t *login, const ngx_http_aiobs_login_text_t *text)
{
    if (login->result == AIOBS_LOGIN_OK) {
        return ngx_slprintf(p, last, "{\"api_key\":\"%s\",\"email\":\"%s\"}"
                            CRLF, login->key, login->oidc.email);
    }

    return ngx_slprintf(p, last, "{\"type\":\"about:blank\","
                        "\"title\":\"%s\",\"status\":%ui,\"detail\":\"%s\","
                        "\"code\":\"%s\",\"request_id\":\"%V\"}" CRLF,
                        text->title, text->status, text->advice, text->name,
                        &login->request_id);
}


static u_char *
ngx_http_aiobs_login_html(u_char *p, u_char *last,
    ngx_http_aiobs_login_t *login, const ngx_http_aiobs_login_text_t *text)
{
    ngx_http_aiobs_login_provider_t  *provider;

    provider = login->provider;

    p = ngx_slprintf(p, last, "<!DOCTYPE html>" CRLF
                     "<html lang=\"en\"><head><meta charset=\"utf-8\">"
                     "<meta name=\"viewport\" content=\"width=device-width\">"
                     "<meta name=\"robots\" content=\"noindex\">"
                     "<title>%s</title><style>%s</style></head>" CRLF
                     "<body><main><h1>%s</h1>" CRLF,
                     text->title, ngx_http_aiobs_login_style, text->title);

    if (login->result == AIOBS_LOGIN_OK) {
        p = ngx_http_aiobs_login_html_key(p, last, login);

    } else {
        p = ngx_slprintf(p, last, "<p>%s</p>" CRLF, text->advice);

        if (provider->start.len) {
            p = ngx_slprintf(p, last, "<p><a href=\"%V%V\">Sign in again</a>"
                             "</p>" CRLF, &provider->origin, &provider->start);
        }
    }

    return ngx_slprintf(p, last, "<p><small>%s%sRequest %V</small></p></main>"
                        "%s%s%s</body></html>" CRLF,
                        text->name, " &middot; ", &login->request_id,
                        login->result == AIOBS_LOGIN_OK ? "<script>" : "",
                        login->result == AIOBS_LOGIN_OK
                        ? ngx_http_aiobs_login_script : "",
                        login->result == AIOBS_LOGIN_OK ? "</script>" : "");
}


static u_char *
ngx_http_aiobs_login_html_key(u_char *p, u_char *last,
    ngx_http_aiobs_login_t *login)
{
    size_t   len;
    u_char   email[AIOBS_OIDC_EMAIL_MAX * 6];
    u_char  *end;
    time_t   grace;

    len = ngx_strlen(login->oidc.email);
    end = (u_char *) ngx_escape_html(email, (u_char *) login->oidc.email, len);
    grace = login->provider->grace;

    p = ngx_slprintf(p, last, "<p>You are signed in as <b>%*s</b>.</p>" CRLF
                     "<p><code id=\"key\">%s</code></p>" CRLF
                     "<p><button type=\"button\" id=\"copy\">Copy</button> "
                     "<span id=\"said\" role=\"status\"></span></p>" CRLF
                     "<p>Keep it now: it is not shown again.</p>" CRLF,
                     (size_t) (end - email), email, login->key);

    if (login->given.rotated && grace == 0) {
        p = ngx_slprintf(p, last, "<p>Your key from before no longer works."
                         "</p>" CRLF);

    } else if (login->given.rotated) {
        p = ngx_slprintf(p, last, "<p>Your key from before works for %T more "
                         "minutes.</p>" CRLF, (grace + 59) / 60);
    }

    return p;
}


static ngx_int_t
ngx_http_aiobs_login_headers(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login)
{
    ngx_str_t    value;
    ngx_uint_t   i;

    const char  *headers[][2] = {
        { "Cache-Control", "no-store" },
        { "Referrer-Policy", "no-referrer" },
        { "X-Content-Type-Options", "nosniff" },
        { "X-Frame-Options", "DENY" },
        { "Cross-Origin-Opener-Policy", "same-origin" },
        { "Content-Security-Policy", (char *) ngx_http_aiobs_login_csp }
    };

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        value.data = (u_char *) headers[i][1];
        value.len = ngx_strlen(value.data);

        if (ngx_http_aiobs_header_push(r, &r->headers_out.headers,
                                       headers[i][0],
                                       ngx_strlen(headers[i][0]), &value)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    /* an answer to this browser's login has ended it, however it went */

    if (login->tag[0] == '\0' || login->result == AIOBS_LOGIN_STATE) {
        return NGX_OK;
    }

    return ngx_http_aiobs_login_set_cookie(r, login->provider, login->tag, "");
}


static ngx_int_t
ngx_http_aiobs_login_send(ngx_http_request_t *r, ngx_buf_t *b)
{
    ngx_int_t    rc;
    ngx_chain_t  out;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
