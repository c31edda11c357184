
/*
 * Copyright (C) the aiobs authors
 *
 * What receivers say: partial success, and the status of gRPC, which comes in
 * trailers.  https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */


#include "ngx_http_aiobs_otlp.h"
#include "aiobs_protobuf.h"

#include <jansson.h>


/* bytes of status details, decoded: of whatever header lines are kept */
#define NGX_HTTP_AIOBS_GRPC_DETAILS                                           \
    ngx_base64_decoded_length(AIOBS_HTTP_HEADERS_MAX)

#define NGX_HTTP_AIOBS_GRPC_DELAY_MAX  3600     /* seconds */


static ngx_uint_t ngx_http_aiobs_otlp_grpc_whole(
    const aiobs_http_answer_t *answer);
static void ngx_http_aiobs_otlp_grpc_failed(const aiobs_http_answer_t *answer,
    ngx_int_t status, ngx_http_aiobs_export_verdict_t *verdict);
static void ngx_http_aiobs_otlp_say(char *to, size_t size, const u_char *text,
    size_t len);
static ngx_int_t ngx_http_aiobs_otlp_retry_info(
    const aiobs_http_answer_t *answer, ngx_msec_t *delay);
static ngx_int_t ngx_http_aiobs_otlp_any(const u_char *p, size_t len,
    ngx_msec_t *delay);
static ngx_msec_t ngx_http_aiobs_otlp_duration(const u_char *p, size_t len);
static ngx_int_t ngx_http_aiobs_otlp_member(const u_char *p, size_t len,
    int number, aiobs_pb_field_t *field);


void
ngx_http_aiobs_otlp_judge_grpc(const aiobs_http_answer_t *answer,
    ngx_http_aiobs_export_verdict_t *verdict)
{
    size_t       len;
    ngx_int_t    status;
    const char  *value;

    value = aiobs_http_header(answer, "grpc-status");

    if (value[0] == '\0' && ngx_http_aiobs_otlp_grpc_whole(answer)) {
        value = "0";
    }

    if (answer->status != 200 || answer->error != AIOBS_HTTP_OK
        || value[0] == '\0')
    {
        ngx_http_aiobs_export_judge(answer, verdict);

        if (verdict->what == NGX_HTTP_AIOBS_EXPORT_DONE) {
            verdict->what = NGX_HTTP_AIOBS_EXPORT_DROP;
            ngx_cpystrn((u_char *) verdict->reason, (u_char *) "garbage",
                        sizeof(verdict->reason));
            ngx_cpystrn((u_char *) verdict->text,
                        (u_char *) "the answer is not one of gRPC",
                        sizeof(verdict->text));
        }

        return;
    }

    len = ngx_strlen(value);
    status = ngx_atoi((u_char *) value, ngx_min(len, 3));

    if (status != 0) {
        ngx_http_aiobs_otlp_grpc_failed(answer, status, verdict);
        return;
    }

    if (answer->len > 5 && answer->body[0] == 0) {
        (void) ngx_http_aiobs_otlp_partial((u_char *) answer->body + 5,
                                           answer->len - 5, verdict);
    }
}


/*
 * A message, which only comes of what was taken.  libcurl (7.88 does) may lose
 * trailers that it reads together with a GOAWAY, which a receiver says when it
 * closes a connection that has become old.
 */

static ngx_uint_t
ngx_http_aiobs_otlp_grpc_whole(const aiobs_http_answer_t *answer)
{
    u_char      *p;
    const char  *type;

    type = aiobs_http_header(answer, "content-type");
    p = (u_char *) answer->body;

    return ngx_strncmp(type, "application/grpc", 16) == 0
           && answer->len >= 5 && p[0] == 0
           && ((size_t) p[1] << 24 | p[2] << 16 | p[3] << 8 | p[4])
              == answer->len - 5;
}


static void
ngx_http_aiobs_otlp_grpc_failed(const aiobs_http_answer_t *answer,
    ngx_int_t status, ngx_http_aiobs_export_verdict_t *verdict)
{
    size_t       len;
    ngx_int_t    info;
    const char  *message;

    ngx_sprintf((u_char *) verdict->reason, "grpc_%i%Z", status);

    message = aiobs_http_header(answer, "grpc-message");
    len = ngx_min(ngx_strlen(message), 128);

    ngx_sprintf((u_char *) verdict->text, "gRPC status %i %*s%Z", status, len,
                message);
    ngx_http_aiobs_otlp_say(verdict->text, sizeof(verdict->text),
                            (u_char *) verdict->text,
                            ngx_strlen(verdict->text));

    info = ngx_http_aiobs_otlp_retry_info(answer, &verdict->delay);

    switch (status) {

    case 1:                             /* CANCELLED */
    case 4:                             /* DEADLINE_EXCEEDED */
    case 10:                            /* ABORTED */
    case 11:                            /* OUT_OF_RANGE */
    case 14:                            /* UNAVAILABLE */
    case 15:                            /* DATA_LOSS */
        verdict->what = NGX_HTTP_AIOBS_EXPORT_RETRY;
        break;

    case 8:                             /* RESOURCE_EXHAUSTED */
        verdict->what = info == NGX_OK ? NGX_HTTP_AIOBS_EXPORT_RETRY
                                       : NGX_HTTP_AIOBS_EXPORT_DROP;
        break;

    default:
        verdict->what = NGX_HTTP_AIOBS_EXPORT_DROP;
        break;
    }
}


/*
 * ExportTraceServiceResponse { partial_success = 1 }
 * ExportTracePartialSuccess { rejected_spans = 1, error_message = 2 }
 */

ngx_int_t
ngx_http_aiobs_otlp_partial(const u_char *p, size_t len,
    ngx_http_aiobs_export_verdict_t *verdict)
{
    int               rc;
    const u_char     *end;
    aiobs_pb_field_t  field;

    switch (ngx_http_aiobs_otlp_member(p, len, 1, &field)) {

    case NGX_DECLINED:
        return NGX_OK;

    case NGX_OK:
        break;

    default:
        return NGX_ERROR;
    }

    if (field.wire != 2) {
        return NGX_ERROR;
    }

    p = field.data;
    end = p + field.len;

    while ((rc = aiobs_pb_next(&p, end, &field)) == 1) {

        if (field.number == 1 && field.wire == 0 && (int64_t) field.n > 0) {
            verdict->rejected = (ngx_uint_t) ngx_min(field.n, NGX_MAX_INT32_VALUE);

        } else if (field.number == 2 && field.wire == 2) {
            ngx_http_aiobs_otlp_say(verdict->text, sizeof(verdict->text),
                                    field.data, field.len);
        }
    }

    return rc == 0 ? NGX_OK : NGX_ERROR;
}


/* { "partialSuccess": { "rejectedSpans": "2", "errorMessage": "..." } } */

void
ngx_http_aiobs_otlp_partial_json(const char *text, size_t len,
    ngx_http_aiobs_export_verdict_t *verdict)
{
    json_t     *root, *partial, *n, *message;
    long long   rejected;

    root = json_loadb(text, len, 0, NULL);
    partial = json_object_get(root, "partialSuccess");
    n = json_object_get(partial, "rejectedSpans");
    message = json_object_get(partial, "errorMessage");

    /* 64-bit numbers are strings there; not all who write them know it */

    rejected = json_is_string(n) ? ngx_atoi((u_char *) json_string_value(n),
                                            json_string_length(n))
                                 : json_integer_value(n);

    if (rejected > 0) {
        verdict->rejected = (ngx_uint_t) ngx_min(rejected,
                                                 NGX_MAX_INT32_VALUE);
    }

    if (json_is_string(message)) {
        ngx_http_aiobs_otlp_say(verdict->text, sizeof(verdict->text),
                                (u_char *) json_string_value(message),
                                json_string_length(message));
    }

    json_decref(root);
}


static void
ngx_http_aiobs_otlp_say(char *to, size_t size, const u_char *text, size_t len)
{
    size_t  i;

    len = ngx_min(len, size - 1);

    for (i = 0; i < len; i++) {
        to[i] = text[i] >= ' ' && text[i] <= '~' ? (char) text[i] : '?';
    }

    to[len] = '\0';
}


/*
 * grpc-status-details-bin: google.rpc.Status { details = 3 }, each an Any
 * { type_url = 1, value = 2 }; one of them may be google.rpc.RetryInfo, with
 * or without a delay.  NGX_DECLINED: there is none.
 */

static ngx_int_t
ngx_http_aiobs_otlp_retry_info(const aiobs_http_answer_t *answer,
    ngx_msec_t *delay)
{
    u_char            buf[NGX_HTTP_AIOBS_GRPC_DETAILS];
    ngx_str_t         from, to;
    const u_char     *p, *end;
    aiobs_pb_field_t  field;

    from.data = (u_char *) aiobs_http_header(answer,
                                             "grpc-status-details-bin");
    from.len = ngx_strlen(from.data);
    to.data = buf;

    if (from.len == 0 || ngx_base64_decoded_length(from.len) > sizeof(buf)
        || ngx_decode_base64(&to, &from) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    p = to.data;
    end = p + to.len;

    while (aiobs_pb_next(&p, end, &field) == 1) {

        if (field.number == 3 && field.wire == 2
            && ngx_http_aiobs_otlp_any(field.data, field.len, delay) == NGX_OK)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_aiobs_otlp_any(const u_char *p, size_t len, ngx_msec_t *delay)
{
    aiobs_pb_field_t  type, value;

    static const char  name[] = "type.googleapis.com/google.rpc.RetryInfo";

    if (ngx_http_aiobs_otlp_member(p, len, 1, &type) != NGX_OK
        || type.wire != 2 || type.len != sizeof(name) - 1
        || ngx_memcmp(type.data, name, type.len) != 0)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_aiobs_otlp_member(p, len, 2, &value) == NGX_OK
        && value.wire == 2
        && ngx_http_aiobs_otlp_member(value.data, value.len, 1, &value)
           == NGX_OK
        && value.wire == 2)
    {
        *delay = ngx_http_aiobs_otlp_duration(value.data, value.len);
    }

    return NGX_OK;
}


/* google.protobuf.Duration { seconds = 1, nanos = 2 }; a negative one is 0 */

static ngx_msec_t
ngx_http_aiobs_otlp_duration(const u_char *p, size_t len)
{
    ngx_msec_t        ms;
    aiobs_pb_field_t  field;

    ms = 0;

    if (ngx_http_aiobs_otlp_member(p, len, 1, &field) == NGX_OK
        && field.wire == 0)
    {
        if ((int64_t) field.n < 0) {
            return 0;
        }

        ms = (ngx_msec_t) ngx_min(field.n, NGX_HTTP_AIOBS_GRPC_DELAY_MAX)
             * 1000;
    }

    if (ngx_http_aiobs_otlp_member(p, len, 2, &field) == NGX_OK
        && field.wire == 0 && (int64_t) field.n > 0)
    {
        ms += (ngx_msec_t) (ngx_min(field.n, 999999999) / 1000000);
    }

    return ms;
}


/* NGX_DECLINED: there is none; NGX_ERROR: no message */

static ngx_int_t
ngx_http_aiobs_otlp_member(const u_char *p, size_t len, int number,
    aiobs_pb_field_t *field)
{
    int           rc;
    const u_char *end;

    end = p + len;

    while ((rc = aiobs_pb_next(&p, end, field)) == 1) {
        if (field->number == number) {
            return NGX_OK;
        }
    }

    return rc == 0 ? NGX_DECLINED : NGX_ERROR;
}
