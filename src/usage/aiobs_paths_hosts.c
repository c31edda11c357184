
/*
 * Copyright (C) the aiobs authors
 *
 * Paths of hosts with an API of their own: DashScope, Replicate, DeepInfra,
 * SAP.
 */


#include "aiobs_nodes.h"


/* --- DashScope: the figures of an application are those of its models --- */

static const aiobs_node_t  aiobs_dashscope_input_details[] = {
    AIOBS_NUMBER("cached_tokens", CACHE_READ),
    AIOBS_NUMBER("cache_creation_input_tokens", CACHE_WRITE),
    AIOBS_NUMBER("image_tokens", IMAGE_INPUT),
    AIOBS_NUMBER("audio_tokens", AUDIO_INPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_dashscope_output_details[] = {
    AIOBS_NUMBER("reasoning_tokens", REASONING),
    AIOBS_NUMBER("audio_tokens", AUDIO_OUTPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_dashscope_model[] = {
    AIOBS_STRING("model_id", MODEL),
    AIOBS_NUMBER("input_tokens", ADD_INPUT),
    AIOBS_NUMBER("output_tokens", ADD_OUTPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_dashscope_models[] = {
    AIOBS_PATH("*", aiobs_dashscope_model),
    AIOBS_END
};

static const aiobs_node_t  aiobs_dashscope_usage[] = {
    AIOBS_NUMBER("input_tokens", INPUT),
    AIOBS_NUMBER("output_tokens", OUTPUT),
    AIOBS_NUMBER("total_tokens", TOTAL),
    AIOBS_PATH("prompt_tokens_details", aiobs_dashscope_input_details),
    AIOBS_PATH("input_tokens_details", aiobs_dashscope_input_details),
    AIOBS_PATH("output_tokens_details", aiobs_dashscope_output_details),
    AIOBS_PATH("models", aiobs_dashscope_models),
    AIOBS_END
};

/* text may be all of it so far, or what is new: as the request says */

static const aiobs_node_t  aiobs_dashscope_part[] = {
    AIOBS_MEDIA_TEXT("text"),
    AIOBS_END
};

static const aiobs_node_t  aiobs_dashscope_content[] = {
    AIOBS_PATH("*", aiobs_dashscope_part),
    AIOBS_END
};

static const aiobs_node_t  aiobs_dashscope_message[] = {
    { "content", sizeof("content") - 1, AIOBS_NODE_TEXT, AIOBS_T_MEDIA,
      aiobs_dashscope_content },
    AIOBS_MEDIA_TEXT("reasoning_content"),
    AIOBS_PATH("tool_calls", aiobs_openai_tools),
    AIOBS_END
};

static const aiobs_node_t  aiobs_dashscope_choice[] = {
    AIOBS_STRING("finish_reason", STOP),
    AIOBS_PATH("message", aiobs_dashscope_message),
    AIOBS_END
};

static const aiobs_node_t  aiobs_dashscope_choices[] = {
    AIOBS_GROUP("*", CHOICE, aiobs_dashscope_choice),
    AIOBS_END
};

static const aiobs_node_t  aiobs_dashscope_output[] = {
    AIOBS_PATH("choices", aiobs_dashscope_choices),
    AIOBS_STRING("finish_reason", STOP),
    AIOBS_MEDIA_TEXT("text"),
    AIOBS_END
};

const aiobs_node_t  aiobs_dashscope_answer[] = {
    AIOBS_PATH("output", aiobs_dashscope_output),
    AIOBS_GROUP("usage", USAGE, aiobs_dashscope_usage),
    AIOBS_STRING("request_id", ID),
    AIOBS_STRING("code", ERROR_CODE),
    AIOBS_END
};


/* --- Replicate: the figures are there if the answer was waited for --- */

static const aiobs_node_t  aiobs_replicate_metrics[] = {
    AIOBS_NUMBER("input_token_count", INPUT),
    AIOBS_NUMBER("output_token_count", OUTPUT),
    AIOBS_END
};

const aiobs_node_t  aiobs_replicate_answer[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("status", STATUS),
    AIOBS_STRING("model", MODEL),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_GROUP("metrics", USAGE, aiobs_replicate_metrics),
    AIOBS_END
};


/* --- DeepInfra: in a stream all of the text comes again at its end --- */

static const aiobs_node_t  aiobs_deepinfra_status[] = {
    AIOBS_NUMBER("tokens_input", INPUT),
    AIOBS_NUMBER("tokens_generated", OUTPUT),
    AIOBS_NUMBER("cost", COST),
    AIOBS_END
};

static const aiobs_node_t  aiobs_deepinfra_result[] = {
    AIOBS_TEXT("generated_text", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_deepinfra_results[] = {
    AIOBS_PATH("*", aiobs_deepinfra_result),
    AIOBS_END
};

static const aiobs_node_t  aiobs_deepinfra_token[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_deepinfra_details[] = {
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_END
};

const aiobs_node_t  aiobs_deepinfra_answer[] = {
    AIOBS_STRING("request_id", ID),
    AIOBS_PATH("token", aiobs_deepinfra_token),
    AIOBS_PATH("details", aiobs_deepinfra_details),
    AIOBS_PATH("results", aiobs_deepinfra_results),
    AIOBS_NUMBER("num_input_tokens", INPUT),
    AIOBS_NUMBER("num_output_tokens", OUTPUT),
    AIOBS_NUMBER("num_tokens", OUTPUT),
    AIOBS_NUMBER("input_tokens", INPUT),        /* embeddings */
    AIOBS_NUMBER("estimated_cost", COST),
    AIOBS_GROUP("inference_status", MERGE, aiobs_deepinfra_status),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};


/* --- SAP's orchestration: the model's document in one of its own --- */

static const aiobs_node_t  aiobs_sap_result[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_PATH("choices", aiobs_openai_choices),
    AIOBS_GROUP("usage", USAGE, aiobs_openai_usage),
    AIOBS_END
};

const aiobs_node_t  aiobs_sap_answer[] = {
    AIOBS_PATH("final_result", aiobs_sap_result),
    AIOBS_PATH("orchestration_result", aiobs_sap_result),   /* before 2 */
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_STRING("code", ERROR_CODE),
    AIOBS_END
};
