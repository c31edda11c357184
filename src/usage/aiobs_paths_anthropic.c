
/*
 * Copyright (C) the aiobs authors
 *
 * Paths of Anthropic, and of what Vertex answers by rawPredict.
 */


#include "aiobs_nodes.h"


/* --- Anthropic messages --- */

static const aiobs_node_t  aiobs_anthropic_creation[] = {
    AIOBS_NUMBER("ephemeral_1h_input_tokens", CACHE_WRITE_1H),
    AIOBS_END
};

static const aiobs_node_t  aiobs_anthropic_output_details[] = {
    AIOBS_NUMBER("thinking_tokens", REASONING),
    AIOBS_END
};

static const aiobs_node_t  aiobs_anthropic_iteration_creation[] = {
    AIOBS_NUMBER("ephemeral_1h_input_tokens", SUM_CACHE_WRITE_1H),
    AIOBS_END
};

static const aiobs_node_t  aiobs_anthropic_iteration[] = {
    AIOBS_NUMBER("input_tokens", SUM_INPUT),
    AIOBS_NUMBER("output_tokens", SUM_OUTPUT),
    AIOBS_NUMBER("cache_read_input_tokens", SUM_CACHE_READ),
    AIOBS_NUMBER("cache_creation_input_tokens", SUM_CACHE_WRITE),
    AIOBS_PATH("cache_creation", aiobs_anthropic_iteration_creation),
    AIOBS_END
};

const aiobs_node_t  aiobs_anthropic_iterations[] = {
    AIOBS_PATH("*", aiobs_anthropic_iteration),
    AIOBS_END
};

static const aiobs_node_t  aiobs_anthropic_tools[] = {
    AIOBS_NUMBER("web_search_requests", SEARCHES),
    AIOBS_END
};

const aiobs_node_t  aiobs_anthropic_usage[] = {
    AIOBS_NUMBER("input_tokens", INPUT),
    AIOBS_NUMBER("output_tokens", OUTPUT),
    AIOBS_NUMBER("cache_read_input_tokens", CACHE_READ),
    AIOBS_NUMBER("cache_creation_input_tokens", CACHE_WRITE),
    AIOBS_PATH("cache_creation", aiobs_anthropic_creation),
    AIOBS_PATH("output_tokens_details", aiobs_anthropic_output_details),
    AIOBS_GROUP("iterations", ITERATIONS, aiobs_anthropic_iterations),
    AIOBS_PATH("server_tool_use", aiobs_anthropic_tools),
    AIOBS_STRING("service_tier", TIER),
    AIOBS_STRING("speed", SPEED),
    AIOBS_STRING("inference_geo", GEO),
    AIOBS_NUMBER("cost", COST),                 /* OpenRouter */
    AIOBS_END
};

static const aiobs_node_t  aiobs_anthropic_block[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_TEXT("thinking", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_anthropic_blocks[] = {
    AIOBS_PATH("*", aiobs_anthropic_block),
    AIOBS_END
};

const aiobs_node_t  aiobs_anthropic_delta[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_TEXT("thinking", NULL),
    AIOBS_TEXT("partial_json", NULL),
    AIOBS_TEXT("content", NULL),                /* of a compaction */
    AIOBS_STRING("stop_reason", FINISH),
    AIOBS_END
};

/* in an event at its start: of a call without arguments nothing follows */

const aiobs_node_t  aiobs_anthropic_start[] = {
    AIOBS_TEXT("name", NULL),
    AIOBS_END
};

const aiobs_node_t  aiobs_anthropic_message[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("stop_reason", FINISH),
    AIOBS_GROUP("usage", MERGE, aiobs_anthropic_usage),
    AIOBS_END
};

/* Aleph Alpha, whose path is that of the legacy API */

static const aiobs_node_t  aiobs_anthropic_completion[] = {
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_TEXT("completion", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_anthropic_completions[] = {
    AIOBS_GROUP("*", CHOICE, aiobs_anthropic_completion),
    AIOBS_END
};

const aiobs_node_t  aiobs_anthropic_answer[] = {
    AIOBS_TEXT("completion", NULL),             /* of the legacy API */
    AIOBS_PATH("completions", aiobs_anthropic_completions),
    AIOBS_NUMBER("num_tokens_prompt_total", INPUT),
    AIOBS_NUMBER("num_tokens_generated", OUTPUT),
    AIOBS_STRING("type", TYPE),
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("stop_reason", FINISH),
    AIOBS_GROUP("usage", MERGE, aiobs_anthropic_usage),
    AIOBS_PATH("content", aiobs_anthropic_blocks),
    AIOBS_PATH("message", aiobs_anthropic_message),
    AIOBS_PATH("content_block", aiobs_anthropic_start),
    AIOBS_PATH("delta", aiobs_anthropic_delta),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};


/* --- Vertex rawPredict: Anthropic's, or OpenAI's for Mistral and others --- */

static const aiobs_node_t  aiobs_raw_usage[] = {
    AIOBS_NUMBER("input_tokens", INPUT),
    AIOBS_NUMBER("output_tokens", OUTPUT),
    AIOBS_NUMBER("cache_read_input_tokens", CACHE_READ),
    AIOBS_NUMBER("cache_creation_input_tokens", CACHE_WRITE),
    AIOBS_PATH("cache_creation", aiobs_anthropic_creation),
    AIOBS_PATH("output_tokens_details", aiobs_anthropic_output_details),
    AIOBS_GROUP("iterations", ITERATIONS, aiobs_anthropic_iterations),
    AIOBS_PATH("server_tool_use", aiobs_anthropic_tools),
    AIOBS_STRING("service_tier", TIER),
    AIOBS_NUMBER("prompt_tokens", INPUT),
    AIOBS_NUMBER("completion_tokens", OUTPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_raw_message[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("stop_reason", FINISH),
    AIOBS_GROUP("usage", MERGE, aiobs_raw_usage),
    AIOBS_END
};

const aiobs_node_t  aiobs_raw_predict_answer[] = {
    AIOBS_STRING("type", TYPE),
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("stop_reason", FINISH),
    AIOBS_GROUP("usage", MERGE, aiobs_raw_usage),
    AIOBS_PATH("content", aiobs_anthropic_blocks),
    AIOBS_PATH("message", aiobs_raw_message),
    AIOBS_PATH("content_block", aiobs_anthropic_start),
    AIOBS_PATH("delta", aiobs_anthropic_delta),
    AIOBS_PATH("choices", aiobs_openai_choices),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};
