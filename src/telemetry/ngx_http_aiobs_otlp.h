
/*
 * Copyright (C) the aiobs authors
 *
 * Spans to an OpenTelemetry receiver.  OTLP 1.x over HTTP with protobuf, or
 * gRPC, https://opentelemetry.io/docs/specs/otlp/
 */


#ifndef _NGX_HTTP_AIOBS_OTLP_H_INCLUDED_
#define _NGX_HTTP_AIOBS_OTLP_H_INCLUDED_


#include "ngx_http_aiobs_telemetry.h"
#include "ngx_http_aiobs_export.h"


#define NGX_HTTP_AIOBS_OTLP_NONE  0
#define NGX_HTTP_AIOBS_OTLP_GZIP  1
#define NGX_HTTP_AIOBS_OTLP_AUTO  2     /* unless it is on this machine */


/* of an environment variable */
typedef u_char  ngx_http_aiobs_otlp_name_t[64];


struct ngx_http_aiobs_otlp_s {
    ngx_http_aiobs_exporter_t       *exporter;

    ngx_str_t                        endpoint;
    ngx_str_t                        service;
    ngx_str_t                        ca;
    ngx_str_t                        certificate;
    ngx_str_t                        certificate_key;
    ngx_msec_t                       timeout;
    ngx_uint_t                       compression;
    ngx_http_aiobs_export_limits_t   limits;
    ngx_array_t                      attributes;    /* ngx_keyval_t */
    ngx_array_t                      headers;       /* char *, NULL ends */
    ngx_array_t                     *methods;       /* ngx_str_t; NULL: those
                                                       that nginx knows */

    /* made of these */
    ngx_str_t                        url;
    ngx_str_t                        target;        /* for the log */
    ngx_str_t                        resource;      /* fields, encoded */
    ngx_str_t                        scope;
    unsigned                         exact:1;       /* endpoint has a path */
    unsigned                         grpc:1;
    unsigned                         gzip:1;
};


/* --- ngx_http_aiobs_otlp_conf.c --- */

/* at configuration, once all directives are read */
char *ngx_http_aiobs_otlp_init(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf);


/* --- ngx_http_aiobs_otlp_url.c --- */

/* NGX_ERROR: it is no URL of a receiver */
ngx_int_t ngx_http_aiobs_otlp_url_valid(ngx_str_t *endpoint);

/* fills in url, target and grpc, and ends the headers */
char *ngx_http_aiobs_otlp_url(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp);


/* --- ngx_http_aiobs_otlp_resource.c --- */

/* fills in resource and scope */
char *ngx_http_aiobs_otlp_resource(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf);


/* --- ngx_http_aiobs_otlp_env.c --- */

/* what the environment says, where the block says nothing */
char *ngx_http_aiobs_otlp_environment(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);

/*
 * The variable that ends so: i is 0: the one for traces, 1: the one for all
 * signals.  Fills in name, also where it is not set.
 */
ngx_int_t ngx_http_aiobs_otlp_env(const char *end, ngx_uint_t i,
    ngx_http_aiobs_otlp_name_t name, ngx_str_t *value);

/* tells that it is ignored */
void ngx_http_aiobs_otlp_env_bad(ngx_conf_t *cf, u_char *name,
    const char *expected);


/* --- ngx_http_aiobs_otel.c --- */

/* OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER=none, whatever the block says */
ngx_uint_t ngx_http_aiobs_otel_disabled(ngx_conf_t *cf);

/* OTEL_PROPAGATORS: whether traceparent is neither read nor written */
ngx_uint_t ngx_http_aiobs_otel_untraced(ngx_conf_t *cf);

/* warns of variables that say what is not done here */
void ngx_http_aiobs_otel_unheeded(ngx_conf_t *cf);

/* the methods of OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS, if it is set */
char *ngx_http_aiobs_otel_methods(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);

/* "true", and nothing else is; warns of what is not "false" either */
ngx_uint_t ngx_http_aiobs_otel_flag(ngx_conf_t *cf, const char *name);

/* NGX_DECLINED: not set, or no number from min on, of which it warns */
ngx_int_t ngx_http_aiobs_otel_number(ngx_conf_t *cf, const char *name,
    ngx_uint_t min, ngx_uint_t *n);


/* --- ngx_http_aiobs_otlp_pairs.c --- */

/* those of the environment, after those of the block, which count */
char *ngx_http_aiobs_otlp_env_headers(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);
char *ngx_http_aiobs_otlp_env_attributes(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);

/* whether a header or attribute of that name is there already */
ngx_uint_t ngx_http_aiobs_otlp_header_given(ngx_http_aiobs_otlp_t *otlp,
    ngx_str_t *name);
ngx_uint_t ngx_http_aiobs_otlp_attribute_given(ngx_http_aiobs_otlp_t *otlp,
    ngx_str_t *name);

/* adds a header line or attribute; value: any bytes */
char *ngx_http_aiobs_otlp_add_header(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp, ngx_str_t *name, ngx_str_t *value);
char *ngx_http_aiobs_otlp_add_attribute(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp, ngx_str_t *name, ngx_str_t *value);


/* --- ngx_http_aiobs_otlp.c --- */

extern const ngx_http_aiobs_exporter_type_t  ngx_http_aiobs_otlp_type;


/* --- ngx_http_aiobs_otlp_grpc.c --- */

/* the verdict on an answer of a gRPC server */
void ngx_http_aiobs_otlp_judge_grpc(const aiobs_http_answer_t *answer,
    ngx_http_aiobs_export_verdict_t *verdict);

/* ExportTraceServiceResponse; NGX_ERROR: it is none */
ngx_int_t ngx_http_aiobs_otlp_partial(const u_char *p, size_t len,
    ngx_http_aiobs_export_verdict_t *verdict);

/* the same in JSON; what is none says nothing */
void ngx_http_aiobs_otlp_partial_json(const char *text, size_t len,
    ngx_http_aiobs_export_verdict_t *verdict);


#endif /* _NGX_HTTP_AIOBS_OTLP_H_INCLUDED_ */
