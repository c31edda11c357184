
/*
 * Copyright (C) the aiobs authors
 *
 * Who calls, whether he may, and how much of it; what becomes of the key, and
 * of who may not.  Included by ngx_http_aiobs_request.h.
 */


#ifndef _NGX_HTTP_AIOBS_ADMISSION_H_INCLUDED_
#define _NGX_HTTP_AIOBS_ADMISSION_H_INCLUDED_


/* bytes; a shorter one that nobody has is not looked for in other texts */
#define NGX_HTTP_AIOBS_KEY_SHORT  16


/* --- ngx_http_aiobs_admission.c --- */

/* preaccess: who is it?  NGX_AGAIN: suspended */
ngx_int_t ngx_http_aiobs_identify(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* the user named by the configuration, where no gateway key names one */
void ngx_http_aiobs_find_user(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);

/* by the length of its name, keys may come in that header */

#define NGX_HTTP_AIOBS_KEY_NAMES                                              \
    (1U << (sizeof("authorization") - 1) | 1U << (sizeof("x-api-key") - 1)    \
     | 1U << (sizeof("api-key") - 1) | 1U << (sizeof("x-goog-api-key") - 1))

#define ngx_http_aiobs_maybe_key(h)                                           \
    ((h)->key.len < 32 && (NGX_HTTP_AIOBS_KEY_NAMES >> (h)->key.len & 1))

/*
 * Whether a header may carry a gateway key of this location, of a request that
 * has an identity.  None does that is shorter than the key and has a name of
 * another length.
 */
ngx_uint_t ngx_http_aiobs_header_has_key(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf, ngx_table_elt_t *h);

/* whether the key that came goes, wherever it stands */
ngx_uint_t ngx_http_aiobs_key_goes(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf);

/* whether the key that came, valid or not, stands in a text */
ngx_uint_t ngx_http_aiobs_has_key(ngx_http_aiobs_ctx_t *ctx, ngx_str_t *text);


/* --- ngx_http_aiobs_decide.c --- */

/* access: NGX_OK, NGX_DECLINED, a status, or NGX_DONE when answered here */
ngx_int_t ngx_http_aiobs_decide(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* precontent, once the body is there if a rule needs it; likewise */
ngx_int_t ngx_http_aiobs_admit(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* whether that needs the body, of a call of a model here */
ngx_uint_t ngx_http_aiobs_admit_reads(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_query.c --- */

/*
 * The value of the next "key" in args, which are then those behind it; 0: there
 * is none.
 */
ngx_uint_t ngx_http_aiobs_query_key(ngx_http_request_t *r, ngx_str_t *args,
    ngx_str_t *value);

/* blanks the value of "key" in the request line, before anything logs it */
void ngx_http_aiobs_query_mask(ngx_http_request_t *r);

/* the same, whether or not the line was taken apart */
void ngx_http_aiobs_query_mask_line(ngx_http_request_t *r);

/* the same in $request_uri and $args, of a request that goes nowhere */
void ngx_http_aiobs_query_forget(ngx_http_request_t *r);

/* blanks all arguments in the request line */
void ngx_http_aiobs_query_mask_all(ngx_http_request_t *r);

/* takes all arguments out of $request_uri and $args */
void ngx_http_aiobs_query_drop(ngx_http_request_t *r);

/* $request_uri is to be made anew */
void ngx_http_aiobs_uri_changed(ngx_http_request_t *r);


/* --- ngx_http_aiobs_key_lines.c --- */

typedef struct {
    ngx_uint_t                  index;
    ngx_uint_t                  set;    /* by "set", "map", ...: is no header */
} ngx_http_aiobs_header_variable_t;

/* takes the cookies that hold the key out of lines that have others, too */
ngx_int_t ngx_http_aiobs_key_cookies(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_loc_conf_t *lcf);

/* lines that hold it are gone: nginx's variables of them are so as well */
void ngx_http_aiobs_key_variables(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_loc_conf_t *lcf);

/* postconfiguration: which variables those are */
ngx_int_t ngx_http_aiobs_key_variables_init(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf);


/* --- ngx_http_aiobs_key_text.c --- */

/* masks what looks like a gateway key, anywhere in the request line */
void ngx_http_aiobs_key_text_line(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* the same in the names of models, where it is the very key of the request */
void ngx_http_aiobs_key_text_models(ngx_http_aiobs_ctx_t *ctx);

/* names are shorter than keys, as a rule */
#define ngx_http_aiobs_model_may_be_key(ctx)                                  \
    ((ctx)->key.len                                                           \
     && ((ctx)->answer.model_len >= (ctx)->key.len                            \
         || (ctx)->asked.model_len >= (ctx)->key.len                          \
         || (ctx)->path_model.len >= (ctx)->key.len))

/* the same in $uri, $args and $request_uri, when they are needed no more */
void ngx_http_aiobs_key_text_forget(ngx_http_request_t *r);

/* the same in a text, which becomes a copy; 1: there was one */
ngx_uint_t ngx_http_aiobs_key_text_mask(ngx_pool_t *pool, ngx_str_t *text);

/*
 * Takes every argument that holds the key out of the request; the first time
 * every "key" as well, where that is a place of gateway keys.
 */
ngx_int_t ngx_http_aiobs_query_strip(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_loc_conf_t *lcf,
    ngx_uint_t first);


/* --- ngx_http_aiobs_policy.c --- */

/* what the key of a valid request may; NULL: all */
ngx_http_aiobs_policy_t *ngx_http_aiobs_policy(ngx_http_aiobs_ctx_t *ctx);

/* the models a call asks for; NGX_DECLINED: one is not allowed */
ngx_int_t ngx_http_aiobs_policy_models(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_policy_t *policy);

/* the model a call asks for; empty: it is not known */
void ngx_http_aiobs_policy_model(ngx_http_aiobs_ctx_t *ctx, ngx_str_t *model);

/* the user for whom a key that may act for others is used */
void ngx_http_aiobs_policy_end_user(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* a label of the key, in pool; NGX_DECLINED: it has none of that name */
ngx_int_t ngx_http_aiobs_key_label(ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *name, ngx_pool_t *pool, ngx_str_t *value);


/* --- ngx_http_aiobs_limit.c --- */

/* NGX_OK, or a refusal's result */
ngx_int_t ngx_http_aiobs_limit(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* whether there is a limit on tokens or cost, which the body is read for */
ngx_uint_t ngx_http_aiobs_limit_takes(ngx_http_aiobs_policy_t *policy);

/* log phase: what it took is settled, and added to what the key spent */
void ngx_http_aiobs_settle(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_limit_headers.c --- */

/* x-ratelimit-... of the answer */
ngx_int_t ngx_http_aiobs_limit_headers(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_refusal.c --- */

/* answers for us, in the shape the provider's own SDK expects */
ngx_int_t ngx_http_aiobs_refuse(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_refused_e why);

/*
 * Under "satisfy any" a refusal counts when nobody else has let the request
 * in: it stands when the phases begin anew or end, and is lifted when they go
 * on after access.
 */
void ngx_http_aiobs_refusal_stands(ngx_http_aiobs_ctx_t *ctx);
void ngx_http_aiobs_refusal_lifted(ngx_http_aiobs_ctx_t *ctx);

/* the first reason, as label value and error_type; ctx->refused is set */
const ngx_str_t *ngx_http_aiobs_refusal_reason(ngx_http_aiobs_ctx_t *ctx);


#endif /* _NGX_HTTP_AIOBS_ADMISSION_H_INCLUDED_ */
