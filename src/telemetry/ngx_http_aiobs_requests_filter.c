
/*
 * Copyright (C) the aiobs authors
 *
 * What aiobs_requests is asked for: ?id=, status=, user=, model=,
 * min_duration=, limit=, format=.
 */


#include "ngx_http_aiobs_requests.h"


static ngx_int_t ngx_http_aiobs_requests_known(ngx_str_t *args,
    const char **error);
static ngx_int_t ngx_http_aiobs_requests_name(ngx_str_t *name,
    ngx_uint_t *seen);
static ngx_int_t ngx_http_aiobs_requests_escapes(u_char *p, u_char *last);
static ngx_int_t ngx_http_aiobs_requests_arg(ngx_http_request_t *r,
    const char *name, ngx_str_t *arg, ngx_uint_t form);
static ngx_int_t ngx_http_aiobs_requests_status(ngx_http_request_t *r,
    ngx_http_aiobs_requests_filter_t *filter);
static ngx_int_t ngx_http_aiobs_requests_numbers(ngx_http_request_t *r,
    ngx_http_aiobs_requests_filter_t *filter);
static ngx_int_t ngx_http_aiobs_requests_format(ngx_http_request_t *r,
    ngx_http_aiobs_requests_filter_t *filter);
static ngx_uint_t ngx_http_aiobs_requests_same(ngx_str_t *arg,
    ngx_http_aiobs_values_t *values, ngx_http_aiobs_field_e field);
static ngx_uint_t ngx_http_aiobs_requests_equal(ngx_str_t *arg, u_char *data,
    size_t len, size_t max);


ngx_int_t
ngx_http_aiobs_requests_filter(ngx_http_request_t *r,
    ngx_http_aiobs_requests_filter_t *filter, const char **error)
{
    if (ngx_http_aiobs_requests_known(&r->args, error) != NGX_OK) {
        return NGX_DECLINED;
    }

    *error = "format is json or html";

    if (ngx_http_aiobs_requests_format(r, filter) != NGX_OK) {
        return NGX_DECLINED;
    }

    *error = "an argument is longer than 200 bytes";

    if (ngx_http_aiobs_requests_arg(r, "id", &filter->id, 0) != NGX_OK
        || ngx_http_aiobs_requests_arg(r, "user", &filter->user, filter->html)
           != NGX_OK
        || ngx_http_aiobs_requests_arg(r, "model", &filter->model,
                                       filter->html)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    *error = "status is a code such as 500, or a class such as 5xx";

    if (ngx_http_aiobs_requests_status(r, filter) != NGX_OK) {
        return NGX_DECLINED;
    }

    *error = "min_duration is seconds such as 1.5; limit is from 1 to 500";

    return ngx_http_aiobs_requests_numbers(r, filter);
}


ngx_uint_t
ngx_http_aiobs_requests_match(ngx_http_aiobs_requests_filter_t *filter,
    ngx_http_aiobs_record_t *record)
{
    ngx_uint_t               status;
    ngx_http_aiobs_values_t  values;

    status = record->head.status;

    if (filter->status && filter->status != status
        && filter->status != status / 100)
    {
        return 0;
    }

    if (record->head.duration < filter->duration) {
        return 0;
    }

    ngx_http_aiobs_record_values(record, &values);

    /* Anthropic's SDK names a request by the id that its provider gave it */

    return (ngx_http_aiobs_requests_same(&filter->id, &values,
                                         NGX_HTTP_AIOBS_F_REQUEST_ID)
            || ngx_http_aiobs_requests_same(&filter->id, &values,
                                     NGX_HTTP_AIOBS_F_PROVIDER_REQUEST_ID))
           && ngx_http_aiobs_requests_same(&filter->user, &values,
                                           NGX_HTTP_AIOBS_F_USER)
           && (ngx_http_aiobs_requests_same(&filter->model, &values,
                                            NGX_HTTP_AIOBS_F_MODEL)
               || ngx_http_aiobs_requests_same(&filter->model, &values,
                                           NGX_HTTP_AIOBS_F_REQUEST_MODEL));
}


/* it has no status yet */

ngx_uint_t
ngx_http_aiobs_requests_match_flight(ngx_http_aiobs_requests_filter_t *filter,
    ngx_http_aiobs_flight_t *flight)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return filter->status == 0
           && (uint64_t) tp->sec * 1000 + tp->msec
              >= flight->start + filter->duration
           && ngx_http_aiobs_requests_equal(&filter->id, flight->request_id,
                                   flight->len[0], sizeof(flight->request_id))
           && ngx_http_aiobs_requests_equal(&filter->user, flight->user,
                                   flight->len[4], sizeof(flight->user))
           && ngx_http_aiobs_requests_equal(&filter->model, flight->model,
                                   flight->len[5], sizeof(flight->model));
}


/* what is mistyped would find everything, which nobody wants to be told */

static ngx_int_t
ngx_http_aiobs_requests_known(ngx_str_t *args, const char **error)
{
    u_char      *p, *end, *last, *value;
    ngx_str_t    name;
    ngx_uint_t   seen;

    seen = 0;
    last = args->data + args->len;

    for (p = args->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        end = end ? end : last;

        if (p == end) {
            continue;
        }

        value = ngx_strlchr(p, end, '=');

        name.data = p;
        name.len = (value ? value : end) - p;

        *error = "an argument is unknown, twice there or without a value: "
                 "id=, status=, user=, model=, min_duration=, limit= and "
                 "format= are accepted";

        if (value == NULL
            || ngx_http_aiobs_requests_name(&name, &seen) != NGX_OK)
        {
            return NGX_DECLINED;
        }

        *error = "a percent sign in an argument is no escape such as %20; "
                 "the sign itself is %25";

        if (ngx_http_aiobs_requests_escapes(value, end) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_requests_name(ngx_str_t *name, ngx_uint_t *seen)
{
    ngx_uint_t  i;

    static ngx_str_t  names[] = {
        ngx_string("id"),
        ngx_string("status"),
        ngx_string("user"),
        ngx_string("model"),
        ngx_string("min_duration"),
        ngx_string("limit"),
        ngx_string("format"),
        ngx_null_string
    };

    for (i = 0; names[i].len; i++) {

        if (name->len != names[i].len
            || ngx_strncasecmp(name->data, names[i].data, name->len) != 0)
        {
            continue;
        }

        if (*seen & 1U << i) {
            return NGX_DECLINED;
        }

        *seen |= 1U << i;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_aiobs_requests_escapes(u_char *p, u_char *last)
{
    for ( /* void */ ; p < last; p++) {
        if (*p == '%' && (last - p < 3 || ngx_hextoi(p + 1, 2) == NGX_ERROR)) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* form: a browser has sent it, and says "+" for a space */

static ngx_int_t
ngx_http_aiobs_requests_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *arg, ngx_uint_t form)
{
    u_char     *dst, *src;
    ngx_str_t   value;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) != NGX_OK
        || value.len == 0)
    {
        return NGX_OK;
    }

    if (value.len > 3 * NGX_HTTP_AIOBS_REQUESTS_TEXT) {
        return NGX_DECLINED;
    }

    arg->data = ngx_pnalloc(r->pool, value.len);
    if (arg->data == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(arg->data, value.data, value.len);

    for (src = arg->data; form && src < arg->data + value.len; src++) {
        if (*src == '+') {
            *src = ' ';
        }
    }

    src = arg->data;
    dst = arg->data;

    ngx_unescape_uri(&dst, &src, value.len, 0);
    arg->len = dst - arg->data;

    return arg->len > NGX_HTTP_AIOBS_REQUESTS_TEXT ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_requests_status(ngx_http_request_t *r,
    ngx_http_aiobs_requests_filter_t *filter)
{
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) "status", 6, &value) != NGX_OK
        || value.len == 0)
    {
        return NGX_OK;
    }

    if (value.len == 3 && value.data[0] >= '1' && value.data[0] <= '5'
        && ngx_strncasecmp(value.data + 1, (u_char *) "xx", 2) == 0)
    {
        filter->status = value.data[0] - '0';
        return NGX_OK;
    }

    n = ngx_atoi(value.data, value.len);

    if (n < 100 || n > 599) {
        return NGX_DECLINED;
    }

    filter->status = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_requests_numbers(ngx_http_request_t *r,
    ngx_http_aiobs_requests_filter_t *filter)
{
    ngx_int_t  n;
    ngx_str_t  value;

    filter->limit = NGX_HTTP_AIOBS_REQUESTS_LIMIT;
    filter->one = filter->id.len && !filter->html;

    if (ngx_http_arg(r, (u_char *) "limit", 5, &value) == NGX_OK
        && value.len)
    {
        filter->one = 0;
        n = ngx_atoi(value.data, value.len);

        if (n < 1 || n > NGX_HTTP_AIOBS_REQUESTS_LIMIT_MAX) {
            return NGX_DECLINED;
        }

        filter->limit = n;
    }

    if (ngx_http_arg(r, (u_char *) "min_duration", 12, &value) == NGX_OK
        && value.len)
    {
        n = ngx_atofp(value.data, value.len, 3);

        if (n == NGX_ERROR) {
            return NGX_DECLINED;
        }

        filter->duration = n;
    }

    return NGX_OK;
}


/* as the argument says, else HTML for whoever names it, as browsers do */

static ngx_int_t
ngx_http_aiobs_requests_format(ngx_http_request_t *r,
    ngx_http_aiobs_requests_filter_t *filter)
{
    ngx_str_t         value;
    ngx_table_elt_t  *h;

    if (ngx_http_arg(r, (u_char *) "format", 6, &value) == NGX_OK
        && value.len)
    {
        if (value.len != 4) {
            return NGX_DECLINED;
        }

        if (ngx_strncmp(value.data, "html", 4) == 0) {
            filter->html = 1;
            return NGX_OK;
        }

        return ngx_strncmp(value.data, "json", 4) == 0 ? NGX_OK
                                                       : NGX_DECLINED;
    }

    h = ngx_http_aiobs_header_find(&r->headers_in.headers, "accept",
                                   sizeof("accept") - 1);

    filter->html = h && ngx_strcasestrn(h->value.data, "text/html", 9 - 1);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_aiobs_requests_same(ngx_str_t *arg, ngx_http_aiobs_values_t *values,
    ngx_http_aiobs_field_e field)
{
    return ngx_http_aiobs_requests_equal(arg, values->v[field].str.data,
                                         values->v[field].str.len,
                                         ngx_http_aiobs_fields[field].max);
}


/* a longer text than there is room for in the recorder is cut there */

static ngx_uint_t
ngx_http_aiobs_requests_equal(ngx_str_t *arg, u_char *data, size_t len,
    size_t max)
{
    return arg->len == 0
           || (ngx_min(arg->len, max) == len
               && ngx_memcmp(arg->data, data, len) == 0);
}
