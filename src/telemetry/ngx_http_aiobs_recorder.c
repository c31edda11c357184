
/*
 * Copyright (C) the aiobs authors
 *
 * The ring of finished requests.  Writers take turns by a counter and hold
 * nothing but their slot; readers hold nothing.
 */


#include "ngx_http_aiobs_recorder_ring.h"


static u_char *ngx_http_aiobs_record_pack(u_char *p, u_char *last,
    ngx_http_aiobs_value_t *values);
static ngx_inline void ngx_http_aiobs_record_head(u_char *p, uint32_t head);
static ngx_inline u_char *ngx_http_aiobs_record_copy(u_char *dst, u_char *src,
    size_t len);
static ngx_uint_t ngx_http_aiobs_record_hold(ngx_http_aiobs_record_t *record);


ngx_http_aiobs_recorder_t  *ngx_http_aiobs_recorder;


size_t
ngx_http_aiobs_recorder_size(ngx_http_aiobs_recorder_main_conf_t *main)
{
    if (main->capacity == NGX_CONF_UNSET_UINT) {
        main->capacity = main->used ? NGX_HTTP_AIOBS_RECORDER_DEFAULT : 0;
    }

    if (main->capacity == 0) {
        return 0;
    }

    /* tables of requests under way are made by workers, as far as there is room */

    return sizeof(ngx_http_aiobs_recorder_t)
           + main->capacity * sizeof(ngx_http_aiobs_record_t)
           + 4 * NGX_HTTP_AIOBS_FLIGHTS * sizeof(ngx_http_aiobs_flight_t);
}


ngx_int_t
ngx_http_aiobs_recorder_init_zone(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_recorder_main_conf_t *main,
    ngx_http_aiobs_recorder_t **recorder, ngx_log_t *log)
{
    if (main->capacity == 0) {
        return NGX_OK;
    }

    if (*recorder) {

        if ((*recorder)->capacity == main->capacity) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"aiobs_recorder\" was %ui: change the size of "
                      "\"aiobs_zone\" along with it (counters start anew), "
                      "or restart nginx", (*recorder)->capacity);
        return NGX_ERROR;
    }

    *recorder = ngx_slab_calloc(shpool, sizeof(ngx_http_aiobs_recorder_t)
                       + main->capacity * sizeof(ngx_http_aiobs_record_t));

    if (*recorder == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"aiobs_zone\" has no room for \"aiobs_recorder %ui\": "
                      "enlarge it", main->capacity);
        return NGX_ERROR;
    }

    (*recorder)->capacity = main->capacity;

    return NGX_OK;
}


void
ngx_http_aiobs_recorder_init_process(ngx_http_aiobs_recorder_t *recorder,
    ngx_slab_pool_t *shpool)
{
    ngx_http_aiobs_recorder = recorder;

    if (recorder) {
        ngx_http_aiobs_flight_init_process(shpool);
    }
}


void
ngx_http_aiobs_record(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t                n;
    ngx_http_aiobs_values_t  *values;
    ngx_http_aiobs_record_t  *record;

    static ngx_str_t  busy[] = { ngx_string("recorder"), ngx_string("busy") };

    if (ngx_http_aiobs_recorder == NULL || ctx->location->recorder.handler
        || ctx->location->metrics)
    {
        return;
    }

    n = ngx_atomic_fetch_add(&ngx_http_aiobs_recorder->next, 1);

    record = &ngx_http_aiobs_recorder->records[n
                                         % ngx_http_aiobs_recorder->capacity];

    if (!ngx_http_aiobs_record_hold(record)) {
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_EXPORT_DROPPED, busy, 1);
        return;
    }

    values = ngx_http_aiobs_values(r, ctx);

    record->head.number = 0;

    ngx_http_aiobs_written();

    record->head.duration = ngx_http_aiobs_elapsed(r);
    record->head.status = (uint16_t) ngx_http_aiobs_status(r);
    record->head.sec = values->time.tv_sec;
    record->head.usec = (uint32_t) values->time.tv_usec;
    record->head.len = (uint16_t)
                  (ngx_http_aiobs_record_pack(record->data,
                                      record->data + sizeof(record->data),
                                      values->v)
                   - record->data);

    ngx_http_aiobs_written();

    record->head.number = n + 1;

    ngx_http_aiobs_written();

    record->head.writer = 0;
}


ngx_int_t
ngx_http_aiobs_recorder_read(ngx_uint_t n, ngx_http_aiobs_record_t *copy)
{
    ngx_http_aiobs_record_t  *record;

    record = &ngx_http_aiobs_recorder->records[n
                                         % ngx_http_aiobs_recorder->capacity];

    if (record->head.number != n + 1) {
        return NGX_DECLINED;
    }

    ngx_http_aiobs_read();

    copy->head = record->head;

    if (copy->head.len > sizeof(record->data)) {
        return NGX_DECLINED;
    }

    ngx_memcpy(copy->data, record->data, copy->head.len);

    ngx_http_aiobs_read();

    return record->head.number == n + 1 ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_aiobs_record_values(ngx_http_aiobs_record_t *record,
    ngx_http_aiobs_values_t *values)
{
    u_char                  *p, *last;
    uint16_t                 len;
    ngx_http_aiobs_value_t  *v;

    ngx_memzero(values, sizeof(ngx_http_aiobs_values_t));

    values->time.tv_sec = (time_t) record->head.sec;
    values->time.tv_usec = record->head.usec;

    p = record->data;
    last = p + record->head.len;

    while (last - p >= 4 && p[0] < NGX_HTTP_AIOBS_FIELDS) {
        v = &values->v[p[0]];

        if (p[1] != NGX_HTTP_AIOBS_VALUE_STRING) {

            if (last - p < 2 + (ssize_t) sizeof(v->n)) {
                return;
            }

            v->type = p[1];
            ngx_memcpy(&v->n, p + 2, sizeof(v->n));
            p += 2 + sizeof(v->n);
            continue;
        }

        len = (uint16_t) (p[2] | p[3] << 8);
        p += 4;

        if (len > last - p) {
            return;
        }

        v->type = NGX_HTTP_AIOBS_VALUE_STRING;
        v->str.data = p;
        v->str.len = len;
        p += len;
    }
}


size_t
ngx_http_aiobs_record_json(ngx_http_aiobs_record_t *record, u_char *json)
{
    u_char                   *p;
    ngx_http_aiobs_values_t   values;

    ngx_http_aiobs_record_values(record, &values);

    p = ngx_http_aiobs_json_record(json, json + NGX_HTTP_AIOBS_LINE_MAX - 1,
                                   &values);
    *p++ = '}';

    return p - json;
}


/* another is writing when the ring has gone round meanwhile: it is skipped */

static ngx_uint_t
ngx_http_aiobs_record_hold(ngx_http_aiobs_record_t *record)
{
    ngx_atomic_uint_t  writer;

    writer = record->head.writer;

    if (writer && ngx_http_aiobs_process_alive((ngx_pid_t) writer)) {
        return 0;
    }

    return ngx_atomic_cmp_set(&record->head.writer, writer, ngx_pid);
}


/* long ones are cut to what the others leave */

static u_char *
ngx_http_aiobs_record_pack(u_char *p, u_char *last,
    ngx_http_aiobs_value_t *v)
{
    size_t                         len, room;
    uint32_t                       head;
    const ngx_http_aiobs_field_t  *field, *end;

    field = ngx_http_aiobs_fields;
    end = field + NGX_HTTP_AIOBS_FIELDS;

    for ( /* void */ ; field < end; field++, v++) {

        if (v->type == NGX_HTTP_AIOBS_VALUE_ABSENT) {
            continue;
        }

        head = (uint32_t) (field - ngx_http_aiobs_fields)
               | (uint32_t) v->type << 8;
        room = last - p;

        if (v->type != NGX_HTTP_AIOBS_VALUE_STRING) {

            if (room < 2 + sizeof(v->n)) {
                break;
            }

            ngx_http_aiobs_record_head(p, head);
            ngx_memcpy(p + 2, &v->n, sizeof(v->n));
            p += 2 + sizeof(v->n);
            continue;
        }

        /* of more than its maximum the text has nothing either */

        len = ngx_min(v->str.len, field->max);

        if (len + 4 > room) {

            if (room < 16) {
                break;
            }

            len = room - 4;
        }

        ngx_http_aiobs_record_head(p, head | (uint32_t) len << 16);
        p = ngx_http_aiobs_record_copy(p + 4, v->str.data, len);
    }

    return p;
}


/* byte by byte to the eye; by the processor at once */

static ngx_inline void
ngx_http_aiobs_record_head(u_char *p, uint32_t head)
{
    p[0] = (u_char) head;
    p[1] = (u_char) (head >> 8);
    p[2] = (u_char) (head >> 16);
    p[3] = (u_char) (head >> 24);
}


/* most are short: by two words that may overlap */

static ngx_inline u_char *
ngx_http_aiobs_record_copy(u_char *dst, u_char *src, size_t len)
{
    uint32_t  a, b;
    uint64_t  first, second;

    if (len - 8 <= 8) {
        ngx_memcpy(&first, src, 8);
        ngx_memcpy(&second, src + len - 8, 8);
        ngx_memcpy(dst, &first, 8);
        ngx_memcpy(dst + len - 8, &second, 8);
        return dst + len;
    }

    if (len - 4 < 4) {
        ngx_memcpy(&a, src, 4);
        ngx_memcpy(&b, src + len - 4, 4);
        ngx_memcpy(dst, &a, 4);
        ngx_memcpy(dst + len - 4, &b, 4);
        return dst + len;
    }

    return ngx_cpymem(dst, src, len);
}
