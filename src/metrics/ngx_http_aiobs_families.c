
/*
 * Copyright (C) the aiobs authors
 *
 * Every family, a row each: what is counted, and what is read where it lies.
 */


#include "ngx_http_aiobs_families.h"


#define MS   1000ULL
#define SEC  1000000ULL


static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_http_seconds = { -10, 16, {
    5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS,
    1 * SEC, 2500 * MS, 5 * SEC, 10 * SEC, 30 * SEC, 60 * SEC, 120 * SEC,
    300 * SEC, 600 * SEC
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_call_seconds = { -10, 14, {
    100 * MS, 250 * MS, 500 * MS, 1 * SEC, 2 * SEC, 5 * SEC, 10 * SEC,
    15 * SEC, 20 * SEC, 30 * SEC, 60 * SEC, 120 * SEC, 300 * SEC, 600 * SEC
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_ttft_seconds = { -10, 14, {
    10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 750 * MS,
    1 * SEC, 2 * SEC, 5 * SEC, 10 * SEC, 20 * SEC, 30 * SEC, 60 * SEC
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_tpot_seconds = { -10, 14, {
    1 * MS, 2500, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 75 * MS, 100 * MS,
    150 * MS, 200 * MS, 300 * MS, 500 * MS, 1 * SEC, 2500 * MS
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_bytes = { 6, 10, {
    256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216,
    67108864
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_tokens = { 0, 9, {
    16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576
} };


static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_scores = { -10, 10, {
    100 * MS, 200 * MS, 300 * MS, 400 * MS, 500 * MS, 600 * MS, 700 * MS,
    800 * MS, 900 * MS, 1 * SEC
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_calls = { 0, 12, {
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000
} };


/* of the conventions of OpenTelemetry */

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_otel_http = { -10, 14, {
    5 * MS, 10 * MS, 25 * MS, 50 * MS, 75 * MS, 100 * MS, 250 * MS, 500 * MS,
    750 * MS, 1 * SEC, 2500 * MS, 5 * SEC, 7500 * MS, 10 * SEC
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_otel_tokens = { 0, 14, {
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304,
    16777216, 67108864
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_otel_call = { -10, 14, {
    10 * MS, 20 * MS, 40 * MS, 80 * MS, 160 * MS, 320 * MS, 640 * MS,
    1280 * MS, 2560 * MS, 5120 * MS, 10240 * MS, 20480 * MS, 40960 * MS,
    81920 * MS
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_otel_ttft = { -10, 16, {
    1 * MS, 5 * MS, 10 * MS, 20 * MS, 40 * MS, 60 * MS, 80 * MS, 100 * MS,
    250 * MS, 500 * MS, 750 * MS, 1 * SEC, 2500 * MS, 5 * SEC, 7500 * MS,
    10 * SEC
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_otel_tpot = { -10, 13, {
    10 * MS, 25 * MS, 50 * MS, 75 * MS, 100 * MS, 150 * MS, 200 * MS,
    300 * MS, 400 * MS, 500 * MS, 750 * MS, 1 * SEC, 2500 * MS
} };


#undef MS
#undef SEC


#define NGX_HTTP_AIOBS_CALL_LABELS   "provider", "model", "endpoint"

#define NGX_HTTP_AIOBS_OTEL_HTTP                                              \
    "http_request_method", "url_scheme", "http_response_status_code",         \
    "http_route", "network_protocol_version", "error_type"

#define NGX_HTTP_AIOBS_OTEL_CALL                                              \
    "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model",  \
    "gen_ai_response_model", "server_address", "server_port"


const ngx_http_aiobs_family_t
    ngx_http_aiobs_families[NGX_HTTP_AIOBS_FAMILY_LAST] =
{
    [NGX_HTTP_AIOBS_HTTP_REQUESTS] = {
        "http_requests", "Finished requests.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "handler", "method", "status", NULL }, NULL, NULL,
        NGX_HTTP_AIOBS_PROMETHEUS|NGX_HTTP_AIOBS_EXEMPLARS },

    [NGX_HTTP_AIOBS_HTTP_DURATION] = {
        "http_request_duration_seconds",
        "Time from the first byte of a request to the last of its answer.",
        "seconds", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { "handler", "method", NULL }, &ngx_http_aiobs_http_seconds, NULL,
        NGX_HTTP_AIOBS_PROMETHEUS|NGX_HTTP_AIOBS_EXEMPLARS },

    [NGX_HTTP_AIOBS_HTTP_INPROGRESS] = {
        "http_requests_inprogress", "Requests under way.", "",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { "handler", "method", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_HTTP_REQUEST_SIZE] = {
        "http_request_size_bytes", "Size of requests, headers included.",
        "bytes", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_PLAIN,
        { "handler", NULL }, &ngx_http_aiobs_bytes, NULL, 0 },

    [NGX_HTTP_AIOBS_HTTP_RESPONSE_SIZE] = {
        "http_response_size_bytes", "Size of answers, headers included.",
        "bytes", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_PLAIN,
        { "handler", NULL }, &ngx_http_aiobs_bytes, NULL, 0 },

    [NGX_HTTP_AIOBS_LLM_TOKENS] = {
        "llm_tokens", "Tokens billed: all of input and output.", "tokens",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { NGX_HTTP_AIOBS_CALL_LABELS, "token_type", NULL }, NULL, NULL,
        NGX_HTTP_AIOBS_PROMETHEUS },

    [NGX_HTTP_AIOBS_LLM_TOKEN_DETAILS] = {
        "llm_token_details", "Subsets of the tokens billed.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { NGX_HTTP_AIOBS_CALL_LABELS, "token_type", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_LLM_CALL_TOKENS] = {
        "llm_call_tokens", "Tokens of one call.", "tokens",
        NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_PLAIN,
        { NGX_HTTP_AIOBS_CALL_LABELS, "token_type", NULL },
        &ngx_http_aiobs_tokens, NULL,
        NGX_HTTP_AIOBS_PROMETHEUS },

    [NGX_HTTP_AIOBS_LLM_CALL_DURATION] = {
        "llm_call_duration_seconds",
        "Time of calls to providers, failed ones included.", "seconds",
        NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { NGX_HTTP_AIOBS_CALL_LABELS, NULL },
        &ngx_http_aiobs_call_seconds, NULL,
        NGX_HTTP_AIOBS_PROMETHEUS|NGX_HTTP_AIOBS_EXEMPLARS },

    [NGX_HTTP_AIOBS_LLM_TTFT] = {
        "llm_time_to_first_token_seconds",
        "Time to the first content of a stream.", "seconds",
        NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { NGX_HTTP_AIOBS_CALL_LABELS, NULL },
        &ngx_http_aiobs_ttft_seconds, NULL,
        NGX_HTTP_AIOBS_PROMETHEUS|NGX_HTTP_AIOBS_EXEMPLARS },

    [NGX_HTTP_AIOBS_LLM_TPOT] = {
        "llm_time_per_output_token_seconds",
        "Time between first and last content of a stream, by tokens less one.",
        "seconds", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { NGX_HTTP_AIOBS_CALL_LABELS, NULL },
        &ngx_http_aiobs_tpot_seconds, NULL,
        NGX_HTTP_AIOBS_PROMETHEUS },

    [NGX_HTTP_AIOBS_LLM_CALLS] = {
        "llm_calls", "Requests sent to providers.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { NGX_HTTP_AIOBS_CALL_LABELS, "operation", "error_type", NULL },
        NULL, NULL,
        NGX_HTTP_AIOBS_PROMETHEUS|NGX_HTTP_AIOBS_EXEMPLARS },

    [NGX_HTTP_AIOBS_LLM_ATTEMPTS] = {
        "llm_upstream_attempts", "Tries of upstream servers.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", "provider", "outcome", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_LLM_CLIENT_RETRIES] = {
        "llm_client_retries",
        "Requests that the client's SDK says are a further try.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_LLM_USAGE_SOURCE] = {
        "llm_usage_source", "Calls by where their figures come from.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", "source", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_LLM_CALLS_INPROGRESS] = {
        "llm_calls_inprogress", "Calls under way.", "",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_LLM_COST] = {
        "llm_cost_usd", "Cost of calls by the price file.", "usd",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_NANO,
        { NGX_HTTP_AIOBS_CALL_LABELS, NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_LLM_BILLED_UNITS] = {
        "llm_billed_units", "What is billed other than by tokens.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_MICRO,
        { NGX_HTTP_AIOBS_CALL_LABELS, "unit", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_REFUSALS] = {
        "aiobs_refusals", "Requests refused.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", "reason", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_KEY_VALIDATIONS] = {
        "aiobs_key_validations", "Verdicts on keys.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "result", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_LOGINS] = {
        "aiobs_logins", "Logins with OpenID providers, by how they ended.",
        "", NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "provider", "result", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_PARSE_FAILURES] = {
        "aiobs_parse_failures",
        "Bodies that could not be read to their end; they passed untouched.",
        "", NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "provider", "reason", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_UNPRICED_CALLS] = {
        "aiobs_unpriced_calls", "Calls that the price file has no price for.",
        "", NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_RAG_SCORE] = {
        "rag_retrieval_score", "Scores of retrieval.", "",
        NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { "endpoint", NULL }, &ngx_http_aiobs_scores, NULL, 0 },

    [NGX_HTTP_AIOBS_RAG_IGNORED] = {
        "aiobs_rag_scores_ignored", "Scores that are no numbers from 0 to 1.",
        "", NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", "reason", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_EXPORT_SENT] = {
        "aiobs_export_sent", "Spans or events that a receiver has taken.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "exporter", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_EXPORT_DROPPED] = {
        "aiobs_export_dropped", "Spans or events that are lost.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "exporter", "reason", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_EXPORT_FAILED] = {
        "aiobs_export_failed", "Requests to receivers that failed.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "exporter", "reason", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_EXPORT_QUEUE] = {
        "aiobs_export_queue_length",
        "Requests whose spans or events wait to be sent, or are under way.",
        "", NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { "exporter", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_GROUP_TOKENS] = {
        "llm_group_tokens", "Tokens by the label of keys that names a group.",
        "", NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "group", "token_type", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_GROUP_COST] = {
        "llm_group_cost_usd",
        "Cost of calls by the label of keys that names a group.", "usd",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_NANO,
        { "group", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_LIMITS_MISSED] = {
        "aiobs_limits_missed",
        "Calls of keys with limits that there was no room to count.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_COUNTS_REFUSED] = {
        "aiobs_counts_refused",
        "Amounts that no provider means, not added or not wholly.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "family", "reason", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_USAGE_LOST] = {
        "aiobs_usage_lost", "Calls that are missing in usage_daily.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "reason", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_OTEL_HTTP_DURATION] = {
        "http_server_request_duration_seconds",
        "Duration of HTTP server requests.",
        "seconds", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { NGX_HTTP_AIOBS_OTEL_HTTP, NULL }, &ngx_http_aiobs_otel_http, NULL,
        NGX_HTTP_AIOBS_OTEL|NGX_HTTP_AIOBS_EXEMPLARS },

    [NGX_HTTP_AIOBS_OTEL_TOKEN_USAGE] = {
        "gen_ai_client_token_usage", "Number of input and output tokens used.",
        "", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_PLAIN,
        { NGX_HTTP_AIOBS_OTEL_CALL, "gen_ai_token_type", NULL },
        &ngx_http_aiobs_otel_tokens, NULL, NGX_HTTP_AIOBS_OTEL },

    [NGX_HTTP_AIOBS_OTEL_CALL_DURATION] = {
        "gen_ai_client_operation_duration_seconds",
        "GenAI operation duration.",
        "seconds", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { NGX_HTTP_AIOBS_OTEL_CALL, "error_type", NULL },
        &ngx_http_aiobs_otel_call, NULL,
        NGX_HTTP_AIOBS_OTEL|NGX_HTTP_AIOBS_EXEMPLARS },

    [NGX_HTTP_AIOBS_OTEL_TTFT] = {
        "gen_ai_server_time_to_first_token_seconds",
        "Time to generate the first token of successful responses.",
        "seconds", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { NGX_HTTP_AIOBS_OTEL_CALL, NULL }, &ngx_http_aiobs_otel_ttft, NULL,
        NGX_HTTP_AIOBS_OTEL|NGX_HTTP_AIOBS_EXEMPLARS },

    [NGX_HTTP_AIOBS_OTEL_TPOT] = {
        "gen_ai_server_time_per_output_token_seconds",
        "Time per output token after the first, of successful responses.",
        "seconds", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { NGX_HTTP_AIOBS_OTEL_CALL, NULL }, &ngx_http_aiobs_otel_tpot, NULL,
        NGX_HTTP_AIOBS_OTEL },

    [NGX_HTTP_AIOBS_RAG_MEAN] = {
        "rag_retrieval_score_avg", "Mean score of the last minutes.", "",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_MICRO,
        { "endpoint", NULL }, NULL, ngx_http_aiobs_collect_rag_mean, 0 },

    [NGX_HTTP_AIOBS_SESSION_CALLS] = {
        "agent_session_calls", "Calls of sessions that are over.", "",
        NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", NULL }, &ngx_http_aiobs_calls, NULL, 0 },

    [NGX_HTTP_AIOBS_SESSION_EVICTED] = {
        "aiobs_agent_sessions_evicted",
        "Sessions ended early for want of room.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", NULL }, NULL, NULL, 0 },

    [NGX_HTTP_AIOBS_SESSIONS_ACTIVE] = {
        "agent_sessions_active", "Sessions seen within their ttl.", "",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", NULL }, NULL, ngx_http_aiobs_collect_sessions, 0 },

    [NGX_HTTP_AIOBS_SESSION_CALLS_MAX] = {
        "agent_session_calls_max",
        "Calls of the live session that made most.", "",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", NULL }, NULL, ngx_http_aiobs_collect_sessions, 0 },

    [NGX_HTTP_AIOBS_SESSION_TOKENS_MAX] = {
        "agent_session_tokens_max",
        "Tokens of the live session that used most.", "",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", NULL }, NULL, ngx_http_aiobs_collect_sessions, 0 },

    [NGX_HTTP_AIOBS_BUILD] = {
        "aiobs_build", "Versions of the module and of nginx.", "",
        NGX_HTTP_AIOBS_INFO, NGX_HTTP_AIOBS_PLAIN,
        { "version", "nginx", NULL }, NULL, ngx_http_aiobs_collect_build, 0 },

    [NGX_HTTP_AIOBS_STARTED] = {
        "aiobs_start_time_seconds", "When counting began, Unix time.",
        "seconds", NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { NULL }, NULL, ngx_http_aiobs_collect_started, 0 },

    [NGX_HTTP_AIOBS_LOADED] = {
        "aiobs_reload_success_timestamp_seconds",
        "When the configuration now in force was taken on, Unix time.",
        "seconds", NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { NULL }, NULL, ngx_http_aiobs_collect_loaded, 0 },

    [NGX_HTTP_AIOBS_SERIES] = {
        "aiobs_series", "Series of a family.", "",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { "family", NULL }, NULL, ngx_http_aiobs_collect_series, 0 },

    [NGX_HTTP_AIOBS_SERIES_LIMIT] = {
        "aiobs_series_limit", "Room for series of all families.", "",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { NULL }, NULL, ngx_http_aiobs_collect_series_limit, 0 },

    [NGX_HTTP_AIOBS_SERIES_DROPPED] = {
        "aiobs_series_dropped",
        "Updates counted in the series \"other\" for want of room.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "family", NULL }, NULL, ngx_http_aiobs_collect_dropped, 0 },

    [NGX_HTTP_AIOBS_PRICE_FILE] = {
        "aiobs_price_file_timestamp_seconds",
        "When the price file was last changed, Unix time.",
        "seconds", NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { NULL }, NULL, ngx_http_aiobs_collect_price_file, 0 },

    [NGX_HTTP_AIOBS_ZONE_USED] = {
        "aiobs_zone_used_bytes", "Bytes of the zone in use.", "bytes",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { NULL }, NULL, ngx_http_aiobs_collect_zone_used, 0 },

    [NGX_HTTP_AIOBS_ZONE_SIZE] = {
        "aiobs_zone_size_bytes", "Size of the zone.", "bytes",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { NULL }, NULL, ngx_http_aiobs_collect_zone_size, 0 }
};
