
/*
 * Copyright (C) the aiobs authors
 *
 * A span for every try of an upstream server.  The one that counts - the last,
 * whose answer went on - has the span id that all of them were sent, and what
 * is known of the model call.
 *
 * https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ (v1.41)
 */


#include "ngx_http_aiobs_spans.h"


static ngx_msec_t ngx_http_aiobs_try_end(ngx_http_request_t *r,
    ngx_http_upstream_state_t *state, ngx_msec_t now);
static ngx_uint_t ngx_http_aiobs_try_answered(ngx_http_aiobs_try_t *t);
static void ngx_http_aiobs_span_client(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t);
static void ngx_http_aiobs_span_client_http(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t);
static void ngx_http_aiobs_span_call(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t);
static void ngx_http_aiobs_span_client_error(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t);
static void ngx_http_aiobs_span_events(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t);
static u_char *ngx_http_aiobs_span_event(ngx_http_aiobs_spans_t *s,
    const char *name, ngx_msec_t ms);
static void ngx_http_aiobs_call_name(ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *name, u_char buf[AIOBS_PB_TEXT_MAX]);


static const ngx_http_aiobs_attribute_t  ngx_http_aiobs_call_attributes[] = {
    { NGX_HTTP_AIOBS_F_OPERATION, aiobs_pb_key("gen_ai.operation.name") },
    { NGX_HTTP_AIOBS_F_REQUEST_MODEL, aiobs_pb_key("gen_ai.request.model") },
    { NGX_HTTP_AIOBS_F_STREAM, aiobs_pb_key("gen_ai.request.stream") },
    { NGX_HTTP_AIOBS_F_MODEL, aiobs_pb_key("gen_ai.response.model") },
    { NGX_HTTP_AIOBS_F_ID, aiobs_pb_key("gen_ai.response.id") },
    { NGX_HTTP_AIOBS_F_INPUT, aiobs_pb_key("gen_ai.usage.input_tokens") },
    { NGX_HTTP_AIOBS_F_OUTPUT, aiobs_pb_key("gen_ai.usage.output_tokens") },
    { NGX_HTTP_AIOBS_F_CACHE_READ, aiobs_pb_key("gen_ai.usage.cache_read.input_tokens") },
    { NGX_HTTP_AIOBS_F_CACHE_WRITE, aiobs_pb_key("gen_ai.usage.cache_creation.input_tokens") },
    { NGX_HTTP_AIOBS_F_REASONING, aiobs_pb_key("gen_ai.usage.reasoning.output_tokens") },
    { NGX_HTTP_AIOBS_F_SESSION, aiobs_pb_key("gen_ai.conversation.id") },
    { NGX_HTTP_AIOBS_F_SOURCE, aiobs_pb_key("aiobs.usage_source") },
    { NGX_HTTP_AIOBS_F_COST, aiobs_pb_key("aiobs.cost_usd") },
    { NGX_HTTP_AIOBS_F_TPOT, aiobs_pb_key("aiobs.time_per_output_token") },
    { NGX_HTTP_AIOBS_FIELDS, aiobs_pb_key("") }
};


static const ngx_http_aiobs_attribute_t  ngx_http_aiobs_answer_attributes[] = {
    { NGX_HTTP_AIOBS_F_PROVIDER_REQUEST_ID, aiobs_pb_key("aiobs.provider_request_id") },
    { NGX_HTTP_AIOBS_FIELDS, aiobs_pb_key("") }
};


/*
 * nginx keeps how long tries took, not when they began: the last one began at
 * u->start_time, each before it ended when the next began.
 */

void
ngx_http_aiobs_span_tries(ngx_http_aiobs_spans_t *s)
{
    ngx_msec_t                  next;
    ngx_uint_t                  i, n, here, number;
    ngx_http_request_t         *r;
    ngx_http_aiobs_try_t       *t;
    ngx_http_upstream_state_t  *state, *last;

    r = s->request;
    s->ntries = 0;

    number = ngx_http_aiobs_attempts(r, &last);

    if (number == 0 || r->upstream == NULL) {
        return;
    }

    state = r->upstream_states->elts;
    next = s->end;
    here = 1;
    n = ngx_min(number, NGX_HTTP_AIOBS_TRIES_MAX);
    s->ntries = n;

    for (i = r->upstream_states->nelts; i-- > 0 && n > 0; /* void */ ) {

        if (state[i].peer == NULL) {
            here = 0;                   /* before it another upstream's */
            continue;
        }

        t = &s->tries[--n];

        t->state = &state[i];
        t->number = --number;
        t->last = (&state[i] == last);
        t->here = here;

        if (t->last) {
            t->start = r->upstream->start_time;
            t->end = ngx_http_aiobs_try_end(r, last, s->end);

        } else {
            t->end = next;
            t->start = state[i].response_time == (ngx_msec_t) -1
                       ? next : next - state[i].response_time;
        }

        next = t->start;
    }
}


static ngx_msec_t
ngx_http_aiobs_try_end(ngx_http_request_t *r, ngx_http_upstream_state_t *state,
    ngx_msec_t now)
{
    return state->response_time == (ngx_msec_t) -1
           ? now : r->upstream->start_time + state->response_time;
}


void
ngx_http_aiobs_span_clients(ngx_http_aiobs_spans_t *s)
{
    ngx_uint_t             i;
    ngx_http_aiobs_try_t  *t;

    for (i = 0; i < s->ntries; i++) {
        t = &s->tries[i];

        ngx_http_aiobs_span_client(s, t);

        if (t->last && s->ctx->location->trace.server_timing
            && ngx_http_aiobs_try_answered(t))
        {
            ngx_http_aiobs_span_steps(s, t,
                                ngx_http_aiobs_trace_client(&s->ctx->trace));
        }
    }
}


/* nginx gives one that never answered the status of its own error page */

static ngx_uint_t
ngx_http_aiobs_try_answered(ngx_http_aiobs_try_t *t)
{
    return t->state->status != 0
           && t->state->header_time != (ngx_msec_t) -1;
}


ngx_uint_t
ngx_http_aiobs_try_get(ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t)
{
    ngx_http_upstream_state_t  *states;

    if (!s->ctx->became_get || s->ctx->get_from == 0) {
        return 0;
    }

    states = s->request->upstream_states->elts;

    return t->state - states >= s->ctx->get_from - 1;
}


static void
ngx_http_aiobs_span_client(ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t)
{
    u_char                *mark;
    ngx_str_t              name;
    ngx_uint_t             gen_ai;
    ngx_http_aiobs_ctx_t  *ctx;

    u_char                 buf[AIOBS_PB_TEXT_MAX];

    ctx = s->ctx;
    gen_ai = ngx_http_aiobs_span_gen_ai(s);

    if (gen_ai) {
        ngx_http_aiobs_call_name(ctx, &name, buf);

    } else if (ngx_http_aiobs_try_get(s, t)) {
        ngx_str_set(&name, "GET");

    } else if (!ngx_http_aiobs_span_method_known(s->request)) {
        ngx_str_set(&name, "HTTP");

    } else {
        name = s->request->method_name;
    }

    mark = ngx_http_aiobs_span_begin(s, NGX_HTTP_AIOBS_KIND_CLIENT,
                                     t->last ? ngx_http_aiobs_trace_client(&ctx->trace)
                                             : NULL,
                                     ctx->trace.span_id, &name,
                                     ngx_http_aiobs_span_time(s, t->start),
                                     ngx_http_aiobs_span_time(s, t->end));

    ngx_http_aiobs_span_client_http(s, t);
    ngx_http_aiobs_span_peer(s, t);

    if (t->last) {
        ngx_http_aiobs_span_record(s, ngx_http_aiobs_answer_attributes);

        if (gen_ai) {
            ngx_http_aiobs_span_call(s, t);
        }

        ngx_http_aiobs_span_events(s, t);
    }

    ngx_http_aiobs_span_client_error(s, t);
    ngx_http_aiobs_span_end(s, mark);
}


static void
ngx_http_aiobs_span_client_http(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t)
{
    ngx_http_upstream_state_t  *state;

    state = t->state;

    if (ngx_http_aiobs_try_get(s, t)) {
        ngx_http_aiobs_span_text(s, "http.request.method", "GET", 3);

    } else {
        ngx_http_aiobs_span_method(s);
    }

    if (ngx_http_aiobs_try_answered(t)) {
        ngx_http_aiobs_span_int(s, "http.response.status_code",
                                state->status);
    }

    if (t->number) {
        ngx_http_aiobs_span_int(s, "http.request.resend_count", t->number);
    }

    ngx_http_aiobs_span_int(s, "http.request.size", state->bytes_sent);
    ngx_http_aiobs_span_int(s, "http.response.size", state->bytes_received);

    if (state->connect_time != (ngx_msec_t) -1) {
        ngx_http_aiobs_span_seconds(s, "aiobs.connect_time",
                                    state->connect_time);
    }

    if (state->header_time != (ngx_msec_t) -1) {
        ngx_http_aiobs_span_seconds(s, "aiobs.header_time",
                                    state->header_time);
    }
}


static void
ngx_http_aiobs_span_call(ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t)
{
    ngx_msec_int_t         ms;
    const char            *provider;
    aiobs_usage_record_t  *rec;

    rec = &s->ctx->answer;
    provider = aiobs_api_provider_otel(s->ctx->api);

    ngx_http_aiobs_span_text(s, "gen_ai.provider.name", provider,
                             ngx_strlen(provider));

    ngx_http_aiobs_span_record(s, ngx_http_aiobs_call_attributes);

    if (s->ctx->asked.max_tokens != AIOBS_ABSENT) {
        ngx_http_aiobs_span_int(s, "gen_ai.request.max_tokens",
                                s->ctx->asked.max_tokens);
    }

    /* one is what is asked for anyway */

    if (s->ctx->asked.choices > 1) {
        ngx_http_aiobs_span_int(s, "gen_ai.request.choice.count",
                                s->ctx->asked.choices);
    }

    ms = ngx_http_aiobs_try_first(s, t);

    if (ms >= 0) {
        ngx_http_aiobs_span_seconds(s, "gen_ai.response.time_to_first_chunk",
                                    ms);
    }

    if (rec->finish_len) {
        ngx_http_aiobs_span_put(list, s, "gen_ai.response.finish_reasons",
                                rec->finish, rec->finish_len);
    }
}


static void
ngx_http_aiobs_span_client_error(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t)
{
    u_char                 status[NGX_INT_T_LEN + 1];
    ngx_uint_t             left, called;
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = s->ctx;

    /* it was called off by whoever had asked for it, which is no error */

    left = t->last && ngx_http_aiobs_client_left(s->request, ctx);
    called = t->last && ctx->called && !ctx->fetched;

    if (called && !left && ctx->error_type[0]) {
        ngx_http_aiobs_span_error(s, ctx->error_type);

    } else if (!ngx_http_aiobs_try_answered(t)) {

        if (!left) {
            ngx_http_aiobs_span_error(s,
                             t->state->status == NGX_HTTP_GATEWAY_TIME_OUT
                             ? "timeout" : "upstream_reset");
        }

    } else if (t->state->status >= NGX_HTTP_BAD_REQUEST) {
        ngx_sprintf(status, "%ui%Z", t->state->status);
        ngx_http_aiobs_span_error(s, called
                                  ? aiobs_error_type(t->state->status,
                                                     ctx->answer.error,
                                                     ctx->answer.error_len)
                                  : (char *) status);

    } else if (t->last && !left) {
        ngx_http_aiobs_span_broken(s);
    }
}


static void
ngx_http_aiobs_span_events(ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t)
{
    u_char                *event;
    ngx_http_aiobs_ctx_t  *ctx;
    aiobs_usage_record_t  *rec;

    ctx = s->ctx;
    rec = &ctx->answer;

    if (rec->stream && rec->first_token_ms) {
        event = ngx_http_aiobs_span_event(s, "first_token",
                                         (ngx_msec_t) rec->first_token_ms);
        aiobs_pb_end(&s->pb, event);
    }

    if (ctx->called && rec->stream && ctx->upstream_header
        && ctx->error_type[0]
        && !ngx_http_aiobs_client_left(s->request, ctx))
    {
        event = ngx_http_aiobs_span_event(s, "stream_error", t->end);

        aiobs_pb_attr_text(&s->pb, 3, "error.type", ctx->error_type,
                           ngx_strlen(ctx->error_type));

        if (rec->error_len) {
            aiobs_pb_attr_text(&s->pb, 3, "aiobs.provider_error", rec->error,
                               rec->error_len);
        }

        aiobs_pb_end(&s->pb, event);
    }
}


/* Event { time_unix_nano = 1, name = 2, attributes = 3 } */

static u_char *
ngx_http_aiobs_span_event(ngx_http_aiobs_spans_t *s, const char *name,
    ngx_msec_t ms)
{
    u_char  *mark;

    mark = aiobs_pb_begin(&s->pb, NGX_HTTP_AIOBS_SPAN_EVENT);

    aiobs_pb_fixed64(&s->pb, 1, ngx_http_aiobs_span_time(s, ms));
    aiobs_pb_bytes(&s->pb, 2, name, ngx_strlen(name));

    return mark;
}


ngx_msec_int_t
ngx_http_aiobs_try_first(ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t)
{
    ngx_msec_int_t         ms;
    aiobs_usage_record_t  *rec;

    rec = &s->ctx->answer;

    if (!rec->stream || rec->first_token_ms == 0) {
        return -1;
    }

    ms = (ngx_msec_int_t) ((ngx_msec_t) rec->first_token_ms - t->start);

    return ngx_max(ms, 0);
}


ngx_uint_t
ngx_http_aiobs_span_gen_ai(ngx_http_aiobs_spans_t *s)
{
    return s->ctx->called && !s->ctx->fetched
           && s->ctx->location->trace.gen_ai
           && aiobs_api_operation(s->ctx->api)[0] != '\0';
}


/* operation and model, as far as it is told */

static void
ngx_http_aiobs_call_name(ngx_http_aiobs_ctx_t *ctx, ngx_str_t *name,
    u_char buf[AIOBS_PB_TEXT_MAX])
{
    u_char      *p;
    size_t       len;
    ngx_str_t    model;
    const char  *operation;

    model.data = (u_char *) ctx->asked.model;
    model.len = ctx->asked.model_len;

    if (model.len == 0) {
        model = ctx->path_model;
    }

    operation = aiobs_api_operation(ctx->api);
    len = ngx_strlen(operation);

    p = ngx_cpymem(buf, operation, len);

    if (model.len) {
        *p++ = ' ';
        p = ngx_cpymem(p, model.data,
                       ngx_min(model.len, AIOBS_PB_TEXT_MAX - 1 - len));
    }

    name->data = buf;
    name->len = p - buf;
}
