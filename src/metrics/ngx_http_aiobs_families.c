
/*
 * Copyright (C) the aiobs authors
 *
 * Every family that is counted, a row each.
 */


#include "ngx_http_aiobs_families.h"


#define MS   1000ULL
#define SEC  1000000ULL


static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_http_seconds = { 16, {
    5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS,
    1 * SEC, 2500 * MS, 5 * SEC, 10 * SEC, 30 * SEC, 60 * SEC, 120 * SEC,
    300 * SEC, 600 * SEC
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_call_seconds = { 14, {
    100 * MS, 250 * MS, 500 * MS, 1 * SEC, 2 * SEC, 5 * SEC, 10 * SEC,
    15 * SEC, 20 * SEC, 30 * SEC, 60 * SEC, 120 * SEC, 300 * SEC, 600 * SEC
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_ttft_seconds = { 14, {
    10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 750 * MS,
    1 * SEC, 2 * SEC, 5 * SEC, 10 * SEC, 20 * SEC, 30 * SEC, 60 * SEC
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_tpot_seconds = { 14, {
    1 * MS, 2500, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 75 * MS, 100 * MS,
    150 * MS, 200 * MS, 300 * MS, 500 * MS, 1 * SEC, 2500 * MS
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_bytes = { 10, {
    256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216,
    67108864
} };

static const ngx_http_aiobs_buckets_t  ngx_http_aiobs_tokens = { 9, {
    16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576
} };


#undef MS
#undef SEC


#define NGX_HTTP_AIOBS_CALL_LABELS   "provider", "model", "endpoint"


const ngx_http_aiobs_family_t
    ngx_http_aiobs_families[NGX_HTTP_AIOBS_FAMILY_LAST] =
{
    [NGX_HTTP_AIOBS_HTTP_REQUESTS] = {
        "http_requests", "Finished requests.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "handler", "method", "status", NULL }, NULL },

    [NGX_HTTP_AIOBS_HTTP_DURATION] = {
        "http_request_duration_seconds",
        "Time from the first byte of a request to the last of its answer.",
        "seconds", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { "handler", "method", NULL }, &ngx_http_aiobs_http_seconds },

    [NGX_HTTP_AIOBS_HTTP_INPROGRESS] = {
        "http_requests_inprogress", "Requests under way.", "",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { "handler", "method", NULL }, NULL },

    [NGX_HTTP_AIOBS_HTTP_REQUEST_SIZE] = {
        "http_request_size_bytes", "Size of requests, headers included.",
        "bytes", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_PLAIN,
        { "handler", NULL }, &ngx_http_aiobs_bytes },

    [NGX_HTTP_AIOBS_HTTP_RESPONSE_SIZE] = {
        "http_response_size_bytes", "Size of answers, headers included.",
        "bytes", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_PLAIN,
        { "handler", NULL }, &ngx_http_aiobs_bytes },

    [NGX_HTTP_AIOBS_LLM_TOKENS] = {
        "llm_tokens", "Tokens billed: all of input and output.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { NGX_HTTP_AIOBS_CALL_LABELS, "token_type", NULL }, NULL },

    [NGX_HTTP_AIOBS_LLM_TOKEN_DETAILS] = {
        "llm_token_details", "Subsets of the tokens billed.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { NGX_HTTP_AIOBS_CALL_LABELS, "token_type", NULL }, NULL },

    [NGX_HTTP_AIOBS_LLM_CALL_TOKENS] = {
        "llm_call_tokens", "Tokens of one call.", "",
        NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_PLAIN,
        { NGX_HTTP_AIOBS_CALL_LABELS, "token_type", NULL },
        &ngx_http_aiobs_tokens },

    [NGX_HTTP_AIOBS_LLM_CALL_DURATION] = {
        "llm_call_duration_seconds",
        "Time of calls to providers, failed ones included.", "seconds",
        NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { NGX_HTTP_AIOBS_CALL_LABELS, NULL }, &ngx_http_aiobs_call_seconds },

    [NGX_HTTP_AIOBS_LLM_TTFT] = {
        "llm_time_to_first_token_seconds",
        "Time to the first content of a stream.", "seconds",
        NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { NGX_HTTP_AIOBS_CALL_LABELS, NULL }, &ngx_http_aiobs_ttft_seconds },

    [NGX_HTTP_AIOBS_LLM_TPOT] = {
        "llm_time_per_output_token_seconds",
        "Time between first and last content of a stream, by tokens less one.",
        "seconds", NGX_HTTP_AIOBS_HISTOGRAM, NGX_HTTP_AIOBS_MICRO,
        { NGX_HTTP_AIOBS_CALL_LABELS, NULL }, &ngx_http_aiobs_tpot_seconds },

    [NGX_HTTP_AIOBS_LLM_CALLS] = {
        "llm_calls", "Requests sent to providers.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { NGX_HTTP_AIOBS_CALL_LABELS, "operation", "error_type", NULL },
        NULL },

    [NGX_HTTP_AIOBS_LLM_ATTEMPTS] = {
        "llm_upstream_attempts", "Tries of upstream servers.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", "provider", "outcome", NULL }, NULL },

    [NGX_HTTP_AIOBS_LLM_CLIENT_RETRIES] = {
        "llm_client_retries",
        "Requests that the client's SDK says are a further try.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", NULL }, NULL },

    [NGX_HTTP_AIOBS_LLM_USAGE_SOURCE] = {
        "llm_usage_source", "Calls by where their figures come from.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", "source", NULL }, NULL },

    [NGX_HTTP_AIOBS_LLM_CALLS_INPROGRESS] = {
        "llm_calls_inprogress", "Calls under way.", "",
        NGX_HTTP_AIOBS_GAUGE, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", NULL }, NULL },

    [NGX_HTTP_AIOBS_REFUSALS] = {
        "aiobs_refusals", "Requests refused.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "endpoint", "reason", NULL }, NULL },

    [NGX_HTTP_AIOBS_KEY_VALIDATIONS] = {
        "aiobs_key_validations", "Verdicts on keys.", "",
        NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "result", NULL }, NULL },

    [NGX_HTTP_AIOBS_PARSE_FAILURES] = {
        "aiobs_parse_failures",
        "Bodies that could not be read to their end; they passed untouched.",
        "", NGX_HTTP_AIOBS_COUNTER, NGX_HTTP_AIOBS_PLAIN,
        { "provider", "reason", NULL }, NULL }
};
