
/*
 * Copyright (C) the aiobs authors
 *
 * Requests to an OTLP receiver.  In the thread of the sender: the spans lie
 * encoded in their items, what is around them is put there.
 */


#include "ngx_http_aiobs_otlp.h"
#include "aiobs_protobuf.h"


#define NGX_HTTP_AIOBS_OTLP_PREFIX   5          /* of a gRPC message */
#define NGX_HTTP_AIOBS_OTLP_AROUND   64         /* tags and lengths */
#define NGX_HTTP_AIOBS_OTLP_ANSWER   (64 * 1024)


static ngx_int_t ngx_http_aiobs_otlp_build(void *conf,
    ngx_http_aiobs_batch_t *batch, aiobs_http_request_t *request);
static u_char *ngx_http_aiobs_otlp_message(ngx_http_aiobs_otlp_t *otlp,
    ngx_http_aiobs_batch_t *batch, u_char *p, size_t spans);
static void ngx_http_aiobs_otlp_request(ngx_http_aiobs_otlp_t *otlp,
    u_char *body, size_t size, aiobs_http_request_t *request);
static void ngx_http_aiobs_otlp_judge(void *conf,
    ngx_http_aiobs_batch_t *batch, const aiobs_http_answer_t *answer,
    ngx_http_aiobs_export_verdict_t *verdict);
static ngx_int_t ngx_http_aiobs_otlp_taken(const aiobs_http_answer_t *answer,
    ngx_http_aiobs_export_verdict_t *verdict);


const ngx_http_aiobs_exporter_type_t  ngx_http_aiobs_otlp_type = {
    "otlp",
    NULL,
    ngx_http_aiobs_otlp_build,
    ngx_http_aiobs_otlp_judge,
    NULL,
    NULL
};


/* the buffer: room for a prefix, the message; the same compressed */

static ngx_int_t
ngx_http_aiobs_otlp_build(void *conf, ngx_http_aiobs_batch_t *batch,
    aiobs_http_request_t *request)
{
    size_t                  spans, size, packed;
    u_char                 *body, *end;
    ngx_http_aiobs_item_t  *item;
    ngx_http_aiobs_otlp_t  *otlp;

    otlp = conf;
    spans = 0;

    for (item = batch->items; item; item = item->next) {
        spans += item->len;
        batch->taken++;
    }

    size = NGX_HTTP_AIOBS_OTLP_PREFIX + NGX_HTTP_AIOBS_OTLP_AROUND
           + otlp->resource.len + otlp->scope.len + spans;
    packed = otlp->gzip ? ngx_http_aiobs_batch_gzip_bound(size) : 0;

    body = ngx_http_aiobs_batch_room(batch, size + NGX_HTTP_AIOBS_OTLP_PREFIX
                                            + packed);
    if (body == NULL) {
        return NGX_ERROR;
    }

    end = ngx_http_aiobs_otlp_message(otlp, batch,
                                      body + NGX_HTTP_AIOBS_OTLP_PREFIX,
                                      spans);
    size = end - body - NGX_HTTP_AIOBS_OTLP_PREFIX;

    if (otlp->gzip) {

        if (ngx_http_aiobs_batch_gzip(body + NGX_HTTP_AIOBS_OTLP_PREFIX, size,
                                      end + NGX_HTTP_AIOBS_OTLP_PREFIX,
                                      &packed)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        body = end;
        size = packed;
    }

    ngx_http_aiobs_otlp_request(otlp, body, size, request);

    return NGX_OK;
}


/* body: a prefix, then a message of size bytes */

static void
ngx_http_aiobs_otlp_request(ngx_http_aiobs_otlp_t *otlp, u_char *body,
    size_t size, aiobs_http_request_t *request)
{
    if (otlp->grpc) {
        body[0] = otlp->gzip;
        body[1] = (u_char) (size >> 24);
        body[2] = (u_char) (size >> 16);
        body[3] = (u_char) (size >> 8);
        body[4] = (u_char) size;
        size += NGX_HTTP_AIOBS_OTLP_PREFIX;

    } else {
        body += NGX_HTTP_AIOBS_OTLP_PREFIX;
    }

    request->url = (char *) otlp->url.data;
    request->headers = otlp->headers.elts;
    request->body = body;
    request->body_len = size;
    request->connect_ms = ngx_min(otlp->timeout, 5000);
    request->timeout_ms = otlp->timeout;
    request->max = NGX_HTTP_AIOBS_OTLP_ANSWER;
    request->http2 = otlp->grpc;
    request->ca_file = (char *) otlp->ca.data;
    request->cert_file = (char *) otlp->certificate.data;
    request->cert_key_file = (char *) otlp->certificate_key.data;
}


/*
 * ExportTraceServiceRequest { resource_spans = 1 }
 * ResourceSpans { resource = 1, scope_spans = 2 }
 * ScopeSpans { scope = 1, spans = 2 }
 */

static u_char *
ngx_http_aiobs_otlp_message(ngx_http_aiobs_otlp_t *otlp,
    ngx_http_aiobs_batch_t *batch, u_char *p, size_t spans)
{
    size_t                  scope, resource;
    ngx_http_aiobs_item_t  *item;

    scope = otlp->scope.len + spans;
    resource = otlp->resource.len + 1 + aiobs_pb_size(scope) + scope;

    *p++ = 1 << 3 | 2;
    p = aiobs_pb_put(p, resource);
    p = ngx_cpymem(p, otlp->resource.data, otlp->resource.len);

    *p++ = 2 << 3 | 2;
    p = aiobs_pb_put(p, scope);
    p = ngx_cpymem(p, otlp->scope.data, otlp->scope.len);

    for (item = batch->items; item; item = item->next) {
        p = ngx_cpymem(p, item->data, item->len);
    }

    return p;
}


static void
ngx_http_aiobs_otlp_judge(void *conf, ngx_http_aiobs_batch_t *batch,
    const aiobs_http_answer_t *answer,
    ngx_http_aiobs_export_verdict_t *verdict)
{
    ngx_http_aiobs_otlp_t  *otlp;

    otlp = conf;

    if (otlp->grpc) {
        ngx_http_aiobs_otlp_judge_grpc(answer, verdict);
        return;
    }

    ngx_http_aiobs_export_judge(answer, verdict);

    if (verdict->what == NGX_HTTP_AIOBS_EXPORT_DONE
        && ngx_http_aiobs_otlp_taken(answer, verdict) != NGX_OK)
    {
        /* whoever says so has not understood what he was sent */

        verdict->what = NGX_HTTP_AIOBS_EXPORT_DROP;
        ngx_cpystrn((u_char *) verdict->reason, (u_char *) "garbage",
                    sizeof(verdict->reason));
        ngx_cpystrn((u_char *) verdict->text,
                    (u_char *) "the answer is not one of OTLP",
                    sizeof(verdict->text));
    }
}


/*
 * The answer ought to be of the type that was sent.  There are receivers that
 * answer in JSON or with an "OK", and have taken the spans; a web page comes
 * from somebody else.
 */

static ngx_int_t
ngx_http_aiobs_otlp_taken(const aiobs_http_answer_t *answer,
    ngx_http_aiobs_export_verdict_t *verdict)
{
    const char  *type;

    if (answer->error == AIOBS_HTTP_TOO_LARGE) {
        return NGX_ERROR;
    }

    type = aiobs_http_header(answer, "content-type");

    if (ngx_strncasecmp((u_char *) type, (u_char *) "application/json", 16)
        == 0)
    {
        ngx_http_aiobs_otlp_partial_json(answer->body, answer->len, verdict);
        return NGX_OK;
    }

    if (ngx_strncasecmp((u_char *) type, (u_char *) "text/plain", 10) == 0) {
        return NGX_OK;
    }

    return ngx_http_aiobs_otlp_partial((u_char *) answer->body, answer->len,
                                       verdict);
}
