
/*
 * Copyright (C) the aiobs authors
 *
 * Refusals: bodies that the provider's own SDK turns into the right error.
 */


#include "ngx_http_aiobs_refusal.h"


#define NGX_HTTP_AIOBS_REFUSAL_BODY  1024   /* bytes: texts here are short */


static const char *ngx_http_aiobs_refusal_title(ngx_uint_t status);
static u_char *ngx_http_aiobs_refusal_json(u_char *p, u_char *last,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_refusal_t *refusal,
    const char *provider);


const ngx_http_aiobs_refusal_t
    ngx_http_aiobs_refusals[NGX_HTTP_AIOBS_REFUSED_N] =
{

    [NGX_HTTP_AIOBS_REFUSED_KEY] = {
        NGX_HTTP_UNAUTHORIZED, ngx_null_string,
        ngx_string("Missing or invalid API key."),
        ngx_string("invalid_request_error"), ngx_string("invalid_api_key"),
        ngx_string("authentication_error"), ngx_string("UNAUTHENTICATED"),
        ngx_string("UnrecognizedClientException") },

    [NGX_HTTP_AIOBS_REFUSED_STORE] = {
        NGX_HTTP_SERVICE_UNAVAILABLE, ngx_string("store"),
        ngx_string("The API key cannot be checked right now; try again "
                   "later."),
        ngx_string("server_error"), ngx_string("key_store_unavailable"),
        ngx_string("api_error"), ngx_string("UNAVAILABLE"),
        ngx_string("ServiceUnavailableException") },

    [NGX_HTTP_AIOBS_REFUSED_ENDPOINT] = {
        NGX_HTTP_FORBIDDEN, ngx_string("endpoint"),
        ngx_string("This API key may not be used here."),
        ngx_string("invalid_request_error"), ngx_string("endpoint_not_allowed"),
        ngx_string("permission_error"), ngx_string("PERMISSION_DENIED"),
        ngx_string("AccessDeniedException") },

    [NGX_HTTP_AIOBS_REFUSED_MODEL] = {
        NGX_HTTP_FORBIDDEN, ngx_string("model"),
        ngx_string("This API key may not use this model."),
        ngx_string("invalid_request_error"), ngx_string("model_not_allowed"),
        ngx_string("permission_error"), ngx_string("PERMISSION_DENIED"),
        ngx_string("AccessDeniedException") },

    [NGX_HTTP_AIOBS_REFUSED_UNPRICED] = {
        NGX_HTTP_FORBIDDEN, ngx_string("model"),
        ngx_string("This API key has a cost budget, and this model has no "
                   "price."),
        ngx_string("invalid_request_error"), ngx_string("model_not_priced"),
        ngx_string("permission_error"), ngx_string("PERMISSION_DENIED"),
        ngx_string("AccessDeniedException") },

    [NGX_HTTP_AIOBS_REFUSED_RPM] = {
        NGX_HTTP_TOO_MANY_REQUESTS, ngx_string("rpm"),
        ngx_string("This API key has reached its limit of requests per "
                   "minute."),
        ngx_string("requests"), ngx_string("rate_limit_exceeded"),
        ngx_string("rate_limit_error"), ngx_string("RESOURCE_EXHAUSTED"),
        ngx_string("ThrottlingException") },

    [NGX_HTTP_AIOBS_REFUSED_TPM] = {
        NGX_HTTP_TOO_MANY_REQUESTS, ngx_string("tpm"),
        ngx_string("This API key has reached its limit of tokens per minute."),
        ngx_string("tokens"), ngx_string("rate_limit_exceeded"),
        ngx_string("rate_limit_error"), ngx_string("RESOURCE_EXHAUSTED"),
        ngx_string("ThrottlingException") },

    [NGX_HTTP_AIOBS_REFUSED_BUDGET] = {
        NGX_HTTP_TOO_MANY_REQUESTS, ngx_string("budget"),
        ngx_string("This API key has spent its budget, or has less left than "
                   "this call may take."),
        ngx_string("insufficient_quota"), ngx_string("insufficient_quota"),
        ngx_string("rate_limit_error"), ngx_string("RESOURCE_EXHAUSTED"),
        ngx_string("ServiceQuotaExceededException") },

    [NGX_HTTP_AIOBS_REFUSED_PARALLEL] = {
        NGX_HTTP_TOO_MANY_REQUESTS, ngx_string("parallel"),
        ngx_string("This API key has reached its limit of calls at once."),
        ngx_string("requests"), ngx_string("rate_limit_exceeded"),
        ngx_string("rate_limit_error"), ngx_string("RESOURCE_EXHAUSTED"),
        ngx_string("ThrottlingException") },

    [NGX_HTTP_AIOBS_REFUSED_SESSION] = {
        NGX_HTTP_TOO_MANY_REQUESTS, ngx_string("session"),
        ngx_string("This agent session has made all the calls it may make."),
        ngx_string("requests"), ngx_string("agent_session_limit"),
        ngx_string("rate_limit_error"), ngx_string("RESOURCE_EXHAUSTED"),
        ngx_string("ServiceQuotaExceededException") }
};


ngx_int_t
ngx_http_aiobs_refusal_body(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_refusal_t *refusal, ngx_str_t *body)
{
    u_char                     *last;
    ngx_http_aiobs_loc_conf_t  *lcf;

    body->data = ngx_pnalloc(r->pool, NGX_HTTP_AIOBS_REFUSAL_BODY);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    last = body->data + NGX_HTTP_AIOBS_REFUSAL_BODY;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    /* an X-Accel-Redirect may have brought another one */

    ngx_str_set(&r->headers_out.content_type, "application/json");
    ngx_str_null(&r->headers_out.charset);

    if (lcf->keys_api) {
        ngx_str_set(&r->headers_out.content_type, "application/problem+json");

        body->len = ngx_slprintf(body->data, last, "{\"type\":\"about:blank\","
                                 "\"title\":\"%s\",\"status\":%ui,"
                                 "\"detail\":\"%V\","
                                 "\"request_id\":\"%V\"}" CRLF,
                                 ngx_http_aiobs_refusal_title(refusal->status),
                                 refusal->status, &refusal->message,
                                 &ctx->request_id)
                    - body->data;
        return NGX_OK;
    }

    body->len = ngx_http_aiobs_refusal_json(body->data, last, ctx, refusal,
                    aiobs_api_provider(aiobs_api_find(lcf->llm,
                                           (char *) r->method_name.data,
                                           r->method_name.len,
                                           (char *) r->uri.data, r->uri.len)))
                - body->data;

    return NGX_OK;
}


static const char *
ngx_http_aiobs_refusal_title(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_UNAUTHORIZED:
        return "Unauthorized";

    case NGX_HTTP_FORBIDDEN:
        return "Forbidden";

    case NGX_HTTP_TOO_MANY_REQUESTS:
        return "Too Many Requests";

    default:
        return "Service Unavailable";
    }
}


/* as the SDK of the provider expects it */

static u_char *
ngx_http_aiobs_refusal_json(u_char *p, u_char *last, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_refusal_t *refusal, const char *provider)
{
    if (ngx_strcmp(provider, "anthropic") == 0) {
        return ngx_slprintf(p, last, "{\"type\":\"error\",\"error\":{"
                            "\"type\":\"%V\",\"message\":\"%V\"},"
                            "\"request_id\":\"%V\"}" CRLF,
                            &refusal->anthropic_type, &refusal->message,
                            &ctx->request_id);
    }

    if (ngx_strcmp(provider, "gemini") == 0) {
        return ngx_slprintf(p, last, "{\"error\":{\"code\":%ui,"
                            "\"message\":\"%V\",\"status\":\"%V\"}}" CRLF,
                            refusal->status, &refusal->message,
                            &refusal->google_status);
    }

    if (ngx_strcmp(provider, "bedrock") == 0) {
        return ngx_slprintf(p, last, "{\"__type\":\"%V\","
                            "\"message\":\"%V\"}" CRLF,
                            &refusal->amazon_type, &refusal->message);
    }

    if (ngx_strcmp(provider, "cohere") == 0) {
        return ngx_slprintf(p, last, "{\"message\":\"%V\"}" CRLF,
                            &refusal->message);
    }

    if (ngx_strcmp(provider, "ollama") == 0) {
        return ngx_slprintf(p, last, "{\"error\":\"%V\"}" CRLF,
                            &refusal->message);
    }

    /* most are such, some in a flood: without a format that is to be read */

#define ngx_http_aiobs_put(p, text)  ngx_cpymem(p, text, sizeof(text) - 1)

    p = ngx_http_aiobs_put(p, "{\"error\":{\"message\":\"");
    p = ngx_cpymem(p, refusal->message.data, refusal->message.len);
    p = ngx_http_aiobs_put(p, "\",\"type\":\"");
    p = ngx_cpymem(p, refusal->openai_type.data, refusal->openai_type.len);
    p = ngx_http_aiobs_put(p, "\",\"param\":null,\"code\":\"");
    p = ngx_cpymem(p, refusal->openai_code.data, refusal->openai_code.len);

    return ngx_http_aiobs_put(p, "\"}}" CRLF);
}
