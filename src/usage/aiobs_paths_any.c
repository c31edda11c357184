
/*
 * Copyright (C) the aiobs authors
 *
 * Paths of answers whose API neither path nor configuration names: those of
 * the kinds that others imitate, with marks that tell which it is.
 */


#include "aiobs_nodes.h"


static const aiobs_node_t  aiobs_any_input_details[] = {
    AIOBS_NUMBER("cached_tokens", CACHE_READ),
    AIOBS_NUMBER("cache_write_tokens", CACHE_WRITE),
    AIOBS_NUMBER("cache_read_input_tokens", CACHE_READ),    /* Perplexity */
    AIOBS_NUMBER("cache_creation_input_tokens", CACHE_WRITE),
    AIOBS_NUMBER("audio_tokens", AUDIO_INPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_output_details[] = {
    AIOBS_NUMBER("reasoning_tokens", REASONING),
    AIOBS_NUMBER("thinking_tokens", REASONING),
    AIOBS_NUMBER("audio_tokens", AUDIO_OUTPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_creation[] = {
    AIOBS_NUMBER("ephemeral_1h_input_tokens", CACHE_WRITE_1H),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_billed[] = {
    AIOBS_NUMBER("input_tokens", COHERE_INPUT),
    AIOBS_NUMBER("output_tokens", BILLED_OUTPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_tokens[] = {
    AIOBS_NUMBER("input_tokens", INPUT),
    AIOBS_NUMBER("output_tokens", OUTPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_usage[] = {
    AIOBS_NUMBER("prompt_tokens", OPENAI_INPUT),
    AIOBS_NUMBER("completion_tokens", OUTPUT),
    AIOBS_NUMBER("total_tokens", TOTAL),
    AIOBS_PATH("prompt_tokens_details", aiobs_any_input_details),
    AIOBS_PATH("completion_tokens_details", aiobs_any_output_details),
    AIOBS_NUMBER("input_tokens", INPUT),
    AIOBS_NUMBER("output_tokens", OUTPUT),
    AIOBS_PATH("input_tokens_details", aiobs_any_input_details),
    AIOBS_PATH("output_tokens_details", aiobs_any_output_details),
    AIOBS_NUMBER("cache_read_input_tokens", CACHE_READ),
    AIOBS_NUMBER("cache_creation_input_tokens", CACHE_WRITE),
    AIOBS_PATH("cache_creation", aiobs_any_creation),
    AIOBS_GROUP("iterations", ITERATIONS, aiobs_anthropic_iterations),
    AIOBS_NUMBER("inputTokens", CONVERSE_INPUT),
    AIOBS_NUMBER("outputTokens", OUTPUT),
    AIOBS_NUMBER("cacheReadInputTokens", CACHE_READ),
    AIOBS_NUMBER("cacheWriteInputTokens", CACHE_WRITE),
    AIOBS_GROUP("cacheDetails", CACHE_DETAILS, aiobs_converse_details),
    AIOBS_NUMBER("reasoning_tokens", RESEARCH),
    AIOBS_NUMBER("connector_tokens", TOOL_INPUT),           /* Mistral */
    AIOBS_PATH("billed_units", aiobs_any_billed),           /* Cohere */
    AIOBS_PATH("tokens", aiobs_any_tokens),
    { "cost", 4, AIOBS_NODE_NUMBER, AIOBS_F_COST, aiobs_openai_cost },
    AIOBS_END
};

/* a list of parts, or one part */

static const aiobs_node_t  aiobs_any_content[] = {
    AIOBS_PATH("*", aiobs_openai_part),
    AIOBS_TEXT("text", NULL),
    AIOBS_TEXT("thinking", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_message[] = {
    AIOBS_TEXT("content", aiobs_any_content),
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("stop_reason", FINISH),
    AIOBS_GROUP("usage", MERGE, aiobs_any_usage),
    AIOBS_END
};

/* of Anthropic, or of Cohere */

static const aiobs_node_t  aiobs_any_delta_message[] = {
    AIOBS_PATH("content", aiobs_any_content),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_delta[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_TEXT("thinking", NULL),
    AIOBS_TEXT("partial_json", NULL),
    AIOBS_STRING("stop_reason", FINISH),
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_GROUP("usage", MERGE, aiobs_any_usage),
    AIOBS_PATH("message", aiobs_any_delta_message),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_incomplete[] = {
    AIOBS_STRING("reason", FINISH),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_response[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("object", OBJECT),
    AIOBS_STRING("status", STATUS),
    AIOBS_PATH("incomplete_details", aiobs_any_incomplete),
    AIOBS_GROUP("usage", MERGE, aiobs_any_usage),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_element[] = {
    AIOBS_STRING("object", OBJECT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_data[] = {
    AIOBS_PATH("*", aiobs_any_element),
    AIOBS_END
};

/* an object for Converse, a list for Responses */

static const aiobs_node_t  aiobs_any_output[] = {
    AIOBS_PATH("message", aiobs_openai_message),
    AIOBS_PATH("*", aiobs_openai_message),
    AIOBS_END
};

/* of Mistral's conversations */

static const aiobs_node_t  aiobs_any_entry[] = {
    AIOBS_STRING("model", MODEL),
    AIOBS_TEXT("content", aiobs_openai_parts),
    AIOBS_END
};

static const aiobs_node_t  aiobs_any_entries[] = {
    AIOBS_PATH("*", aiobs_any_entry),
    AIOBS_END
};

/* Cloudflare's Workers AI wraps the document */

static const aiobs_node_t  aiobs_any_result[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("object", OBJECT),
    AIOBS_STRING("status", STATUS),
    AIOBS_PATH("incomplete_details", aiobs_any_incomplete),
    AIOBS_PATH("choices", aiobs_openai_choices),
    AIOBS_PATH("output", aiobs_any_output),
    AIOBS_GROUP("usage", MERGE, aiobs_any_usage),
    AIOBS_TEXT("response", NULL),
    AIOBS_END
};

/* text generation servers behind SageMaker */

static const aiobs_node_t  aiobs_any_details[] = {
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_NUMBER("generated_tokens", TGI_OUTPUT),
    AIOBS_NUMBER("input_length", INPUT),
    AIOBS_END
};

/* Hunyuan, wrapped unless it is a stream */

static const aiobs_node_t  aiobs_hunyuan_usage[] = {
    AIOBS_NUMBER("PromptTokens", OPENAI_INPUT),
    AIOBS_NUMBER("CompletionTokens", OUTPUT),
    AIOBS_NUMBER("TotalTokens", TOTAL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_hunyuan_message[] = {
    AIOBS_TEXT("Content", NULL),
    AIOBS_TEXT("ReasoningContent", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_hunyuan_choice[] = {
    AIOBS_STRING("FinishReason", FINISH),
    AIOBS_PATH("Message", aiobs_hunyuan_message),
    AIOBS_PATH("Delta", aiobs_hunyuan_message),
    AIOBS_END
};

static const aiobs_node_t  aiobs_hunyuan_choices[] = {
    AIOBS_GROUP("*", CHOICE, aiobs_hunyuan_choice),
    AIOBS_END
};

static const aiobs_node_t  aiobs_hunyuan_response[] = {
    AIOBS_STRING("Id", ID),
    AIOBS_PATH("Choices", aiobs_hunyuan_choices),
    AIOBS_GROUP("Usage", USAGE, aiobs_hunyuan_usage),
    AIOBS_END
};

const aiobs_node_t  aiobs_any_answer[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("object", OBJECT),
    AIOBS_STRING("type", TYPE),
    AIOBS_PATH("choices", aiobs_openai_choices),
    AIOBS_GROUP("usage", MERGE, aiobs_any_usage),
    AIOBS_STRING("status", STATUS),
    AIOBS_PATH("incomplete_details", aiobs_any_incomplete),
    AIOBS_TEXT("response", aiobs_any_response),
    AIOBS_PATH("output", aiobs_any_output),
    AIOBS_TEXT("delta", aiobs_any_delta),
    AIOBS_PATH("message", aiobs_any_message),
    AIOBS_TEXT("content", aiobs_any_content),
    AIOBS_STRING("stop_reason", FINISH),
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_STRING("responseId", ID),
    AIOBS_STRING("modelVersion", MODEL),
    AIOBS_PATH("candidates", aiobs_gemini_candidates),
    AIOBS_GROUP("usageMetadata", GEMINI, aiobs_gemini_usage),
    AIOBS_STRING("stopReason", FINISH),
    AIOBS_PATH("data", aiobs_any_data),
    AIOBS_TEXT("result", aiobs_any_result),
    AIOBS_PATH("outputs", aiobs_any_entries),
    AIOBS_STRING("done_reason", FINISH),        /* Ollama */
    AIOBS_NUMBER("prompt_eval_count", INPUT),
    AIOBS_NUMBER("prompt_eval_cached_count", CACHE_READ),
    AIOBS_NUMBER("eval_count", OLLAMA_OUTPUT),
    AIOBS_PATH("details", aiobs_any_details),
    AIOBS_STRING("Id", ID),
    AIOBS_PATH("Choices", aiobs_hunyuan_choices),
    AIOBS_GROUP("Usage", USAGE, aiobs_hunyuan_usage),
    AIOBS_PATH("Response", aiobs_hunyuan_response),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};
