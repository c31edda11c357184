
/*
 * Copyright (C) the aiobs authors
 *
 * The ring of finished requests.  Writers take turns by a counter and hold
 * nothing but their slot; readers hold nothing.
 */


#include "ngx_http_aiobs_recorder_ring.h"


static void ngx_http_aiobs_record_json(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_record_t *record);
static u_char *ngx_http_aiobs_record_member(ngx_http_aiobs_record_t *record,
    u_char *p, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *value);
static ngx_uint_t ngx_http_aiobs_record_hold(ngx_http_aiobs_record_t *record);


ngx_http_aiobs_recorder_t  *ngx_http_aiobs_recorder;


static ngx_str_t  ngx_http_aiobs_record_keys[] = {
    ngx_string("request_id"),
    ngx_string("user_id"),
    ngx_string("model"),
    ngx_string("request_model")
};


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

    record->head.number = 0;

    ngx_memory_barrier();

    ngx_http_aiobs_record_json(r, ctx, record);

    ngx_memory_barrier();

    record->head.number = n + 1;

    ngx_memory_barrier();

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

    ngx_memory_barrier();

    copy->head = record->head;

    if (copy->head.len > sizeof(record->json)) {
        return NGX_DECLINED;
    }

    ngx_memcpy(copy->json, record->json, copy->head.len);

    ngx_memory_barrier();

    return record->head.number == n + 1 ? NGX_OK : NGX_DECLINED;
}


/* another is writing when the ring has gone round meanwhile: it is skipped */

static ngx_uint_t
ngx_http_aiobs_record_hold(ngx_http_aiobs_record_t *record)
{
    ngx_atomic_uint_t  writer;

    writer = record->head.writer;

    if (writer && (kill((ngx_pid_t) writer, 0) == 0 || ngx_errno != NGX_ESRCH))
    {
        return 0;
    }

    return ngx_atomic_cmp_set(&record->head.writer, writer, ngx_pid);
}


static void
ngx_http_aiobs_record_json(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_record_t *record)
{
    u_char                        *p;
    ngx_http_aiobs_value_t         value;
    const ngx_http_aiobs_field_t  *field;

    record->head.duration = ngx_http_aiobs_elapsed(r);
    record->head.status = (uint16_t) ngx_http_aiobs_status(r);
    ngx_memzero(record->head.key_len, sizeof(record->head.key_len));

    p = ngx_cpymem(record->json, "{\"timestamp\":\"", 14);
    p = ngx_http_aiobs_utc(p);
    *p++ = '"';

    for (field = ngx_http_aiobs_fields; field->name.len; field++) {

        value.type = NGX_HTTP_AIOBS_VALUE_ABSENT;
        field->get(r, ctx, field, &value);

        if (value.type != NGX_HTTP_AIOBS_VALUE_ABSENT) {
            p = ngx_http_aiobs_record_member(record, p, field, &value);
        }
    }

    *p++ = '}';

    record->head.len = (uint16_t) (p - record->json);
}


/* long ones are cut to what the others leave */

static u_char *
ngx_http_aiobs_record_member(ngx_http_aiobs_record_t *record, u_char *p,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *value)
{
    size_t       room;
    u_char      *last, *start;
    ngx_uint_t   i;

    last = record->json + sizeof(record->json) - 1;     /* "}" */
    room = last - p;

    if (room < field->name.len + 4 + 32) {
        return p;
    }

    *p++ = ',';
    *p++ = '"';
    p = ngx_cpymem(p, field->name.data, field->name.len);
    *p++ = '"';
    *p++ = ':';

    if (value->type != NGX_HTTP_AIOBS_VALUE_STRING) {
        return ngx_http_aiobs_value_number(p, value);
    }

    start = p;
    room = ngx_min((size_t) (last - p), field->max);
    p = ngx_http_aiobs_json_string(p, room, &value->str);

    for (i = 0; i < NGX_HTTP_AIOBS_KEYS; i++) {
        if (ngx_strcmp(field->name.data, ngx_http_aiobs_record_keys[i].data)
            == 0)
        {
            record->head.key[i] = (uint16_t) (start - record->json);
            record->head.key_len[i] = (uint16_t) (p - start);
        }
    }

    return p;
}
