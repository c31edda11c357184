
/*
 * Copyright (C) the aiobs authors
 *
 * Paths of Bedrock.
 */


#include "aiobs_nodes.h"


/* --- Bedrock Converse --- */

static const aiobs_node_t  aiobs_converse_detail[] = {
    AIOBS_STRING("ttl", MODALITY),
    AIOBS_NUMBER("inputTokens", MODALITY_COUNT),
    AIOBS_END
};

const aiobs_node_t  aiobs_converse_details[] = {
    AIOBS_GROUP("*", CACHE_DETAIL, aiobs_converse_detail),
    AIOBS_END
};

static const aiobs_node_t  aiobs_converse_usage[] = {
    AIOBS_NUMBER("inputTokens", INPUT),
    AIOBS_NUMBER("outputTokens", OUTPUT),
    AIOBS_NUMBER("totalTokens", TOTAL),
    AIOBS_NUMBER("cacheReadInputTokens", CACHE_READ),
    AIOBS_NUMBER("cacheWriteInputTokens", CACHE_WRITE),
    AIOBS_GROUP("cacheDetails", CACHE_DETAILS, aiobs_converse_details),
    AIOBS_END
};

static const aiobs_node_t  aiobs_converse_message[] = {
    AIOBS_PATH("content", aiobs_openai_parts),
    AIOBS_END
};

static const aiobs_node_t  aiobs_converse_output[] = {
    AIOBS_PATH("message", aiobs_converse_message),
    AIOBS_END
};

static const aiobs_node_t  aiobs_converse_tool[] = {
    AIOBS_TEXT("input", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_converse_image_source[] = {
    AIOBS_MEDIA_TEXT("bytes"),
    AIOBS_END
};

static const aiobs_node_t  aiobs_converse_image[] = {
    AIOBS_PATH("source", aiobs_converse_image_source),
    AIOBS_END
};

static const aiobs_node_t  aiobs_converse_delta[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_PATH("image", aiobs_converse_image),
    AIOBS_PATH("reasoningContent", aiobs_openai_part),
    AIOBS_PATH("toolUse", aiobs_converse_tool),
    AIOBS_END
};

/* in an event at its start: of a call without arguments nothing follows */

static const aiobs_node_t  aiobs_converse_start_tool[] = {
    AIOBS_TEXT("name", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_converse_start[] = {
    AIOBS_PATH("toolUse", aiobs_converse_start_tool),
    AIOBS_END
};

static const aiobs_node_t  aiobs_converse_tier[] = {
    AIOBS_STRING("type", TIER),
    AIOBS_END
};

const aiobs_node_t  aiobs_converse_answer[] = {
    AIOBS_STRING("__type", ERROR_TYPE),
    AIOBS_STRING("stopReason", FINISH),
    AIOBS_GROUP("usage", MERGE, aiobs_converse_usage),
    AIOBS_PATH("serviceTier", aiobs_converse_tier),
    AIOBS_PATH("output", aiobs_converse_output),
    AIOBS_PATH("start", aiobs_converse_start),
    AIOBS_PATH("delta", aiobs_converse_delta),
    AIOBS_END
};



/*
 * --- Bedrock Invoke: the body is that of the model's own family ---
 *
 * Anthropic, Nova, Titan, Llama, Jamba, Cohere; Mistral has no report in it.
 */

static const aiobs_node_t  aiobs_invoke_metrics[] = {
    AIOBS_NUMBER("inputTokenCount", METRIC_INPUT),
    AIOBS_NUMBER("outputTokenCount", METRIC_OUTPUT),
    AIOBS_NUMBER("cacheReadInputTokenCount", METRIC_CACHE_READ),
    AIOBS_NUMBER("cacheWriteInputTokenCount", METRIC_CACHE_WRITE),
    AIOBS_END
};

static const aiobs_node_t  aiobs_invoke_creation[] = {
    AIOBS_NUMBER("ephemeral_1h_input_tokens", CACHE_WRITE_1H),
    AIOBS_END
};

static const aiobs_node_t  aiobs_invoke_usage[] = {
    AIOBS_NUMBER("input_tokens", INPUT),
    AIOBS_NUMBER("output_tokens", OUTPUT),
    AIOBS_NUMBER("cache_read_input_tokens", CACHE_READ),
    AIOBS_NUMBER("cache_creation_input_tokens", CACHE_WRITE),
    AIOBS_PATH("cache_creation", aiobs_invoke_creation),
    AIOBS_NUMBER("inputTokens", INPUT),
    AIOBS_NUMBER("outputTokens", OUTPUT),
    AIOBS_NUMBER("cacheReadInputTokens", CACHE_READ),
    AIOBS_NUMBER("cacheWriteInputTokens", CACHE_WRITE),
    AIOBS_GROUP("cacheDetails", CACHE_DETAILS, aiobs_converse_details),
    AIOBS_NUMBER("cacheReadInputTokenCount", CACHE_READ),
    AIOBS_NUMBER("cacheWriteInputTokenCount", CACHE_WRITE),
    AIOBS_NUMBER("prompt_tokens", INPUT),
    AIOBS_NUMBER("completion_tokens", OUTPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_invoke_metadata[] = {
    AIOBS_GROUP("usage", MERGE, aiobs_invoke_usage),
    AIOBS_END
};

static const aiobs_node_t  aiobs_invoke_message[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_GROUP("usage", MERGE, aiobs_invoke_usage),
    AIOBS_END
};

static const aiobs_node_t  aiobs_invoke_result[] = {
    AIOBS_NUMBER("tokenCount", ADD_OUTPUT),
    AIOBS_STRING("completionReason", FINISH),
    AIOBS_TEXT("outputText", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_invoke_results[] = {
    AIOBS_PATH("*", aiobs_invoke_result),
    AIOBS_END
};

static const aiobs_node_t  aiobs_invoke_stop[] = {
    AIOBS_STRING("stopReason", FINISH),
    AIOBS_END
};

static const aiobs_node_t  aiobs_invoke_block[] = {
    AIOBS_PATH("delta", aiobs_converse_delta),
    AIOBS_END
};

static const aiobs_node_t  aiobs_invoke_mistral[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_STRING("stop_reason", FINISH),
    AIOBS_END
};

/* Mistral, DeepSeek have a stop_reason here; beside a finish_reason it is the
   sequence that was met */

static const aiobs_node_t  aiobs_invoke_choice[] = {
    AIOBS_NUMBER("index", INDEX),
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_STRING("stop_reason", STOP),
    AIOBS_PATH("delta", aiobs_openai_message),
    AIOBS_PATH("message", aiobs_openai_message),
    AIOBS_TEXT("text", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_invoke_choices[] = {
    AIOBS_GROUP("*", CHOICE, aiobs_invoke_choice),
    AIOBS_END
};

static const aiobs_node_t  aiobs_invoke_outputs[] = {
    AIOBS_PATH("*", aiobs_invoke_mistral),
    AIOBS_END
};

const aiobs_node_t  aiobs_invoke_answer[] = {
    AIOBS_STRING("type", TYPE),
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_GROUP("usage", MERGE, aiobs_invoke_usage),
    AIOBS_PATH("message", aiobs_invoke_message),
    AIOBS_PATH("content_block", aiobs_anthropic_start),
    AIOBS_PATH("delta", aiobs_anthropic_delta),
    AIOBS_PATH("content", aiobs_openai_parts),
    AIOBS_TEXT("completion", NULL),
    AIOBS_STRING("stop_reason", FINISH),
    AIOBS_PATH("output", aiobs_converse_output),        /* Nova */
    AIOBS_STRING("stopReason", FINISH),
    AIOBS_PATH("messageStop", aiobs_invoke_stop),
    AIOBS_PATH("contentBlockDelta", aiobs_invoke_block),
    AIOBS_PATH("metadata", aiobs_invoke_metadata),
    AIOBS_NUMBER("inputTextTokenCount", INPUT),         /* Titan */
    AIOBS_NUMBER("totalOutputTextTokenCount", OUTPUT),
    AIOBS_STRING("completionReason", FINISH),
    AIOBS_TEXT("outputText", NULL),
    AIOBS_PATH("results", aiobs_invoke_results),
    AIOBS_NUMBER("prompt_token_count", INPUT),          /* Llama */
    AIOBS_NUMBER("generation_token_count", OUTPUT),
    AIOBS_TEXT("generation", NULL),
    AIOBS_PATH("choices", aiobs_invoke_choices),        /* Jamba */
    AIOBS_PATH("outputs", aiobs_invoke_outputs),        /* Mistral */
    AIOBS_PATH("response", aiobs_cohere_response),      /* Cohere */
    AIOBS_PATH("generations", aiobs_cohere_generations),
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_TEXT("text", NULL),
    AIOBS_GROUP("amazon-bedrock-invocationMetrics", MERGE,
                aiobs_invoke_metrics),
    AIOBS_STRING("__type", ERROR_TYPE),
    AIOBS_END
};


/* --- agents, flows, knowledge bases: figures are in traces, if asked for --- */

static const aiobs_node_t  aiobs_agent_usage[] = {
    AIOBS_NUMBER("inputTokens", INPUT),
    AIOBS_NUMBER("outputTokens", OUTPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_agent_metadata[] = {
    AIOBS_GROUP("usage", ADD, aiobs_agent_usage),
    AIOBS_END
};

static const aiobs_node_t  aiobs_agent_invoked[] = {
    AIOBS_PATH("metadata", aiobs_agent_metadata),
    AIOBS_END
};

static const aiobs_node_t  aiobs_agent_asked[] = {
    AIOBS_STRING("foundationModel", MODEL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_agent_step[] = {
    AIOBS_PATH("modelInvocationInput", aiobs_agent_asked),
    AIOBS_PATH("modelInvocationOutput", aiobs_agent_invoked),
    AIOBS_END
};

static const aiobs_node_t  aiobs_agent_trace[] = {
    AIOBS_PATH("orchestrationTrace", aiobs_agent_step),
    AIOBS_PATH("preProcessingTrace", aiobs_agent_step),
    AIOBS_PATH("postProcessingTrace", aiobs_agent_step),
    AIOBS_PATH("routingClassifierTrace", aiobs_agent_step),
    AIOBS_END
};

static const aiobs_node_t  aiobs_agent_output[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_agent_content[] = {
    AIOBS_TEXT("document", NULL),
    AIOBS_END
};

const aiobs_node_t  aiobs_agent_answer[] = {
    AIOBS_PATH("trace", aiobs_agent_trace),
    AIOBS_TEXT("text", NULL),                           /* of a stream */
    AIOBS_PATH("output", aiobs_agent_output),
    AIOBS_PATH("content", aiobs_agent_content),         /* of a flow */
    AIOBS_STRING("completionReason", FINISH),
    AIOBS_STRING("__type", ERROR_TYPE),
    AIOBS_END
};


/* the payload of one message of a stream: the chunk in base64 */

const aiobs_node_t  aiobs_invoke_envelope[] = {
    AIOBS_TEXT("bytes", NULL),
    AIOBS_END
};
