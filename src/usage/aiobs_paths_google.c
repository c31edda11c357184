
/*
 * Copyright (C) the aiobs authors
 *
 * Paths of Gemini and Vertex.
 */


#include "aiobs_nodes.h"


/* --- Gemini and Vertex --- */

static const aiobs_node_t  aiobs_gemini_modality[] = {
    AIOBS_STRING("modality", MODALITY),
    AIOBS_NUMBER("tokenCount", MODALITY_COUNT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_gemini_input_details[] = {
    AIOBS_GROUP("*", INPUT_DETAILS, aiobs_gemini_modality),
    AIOBS_END
};

static const aiobs_node_t  aiobs_gemini_output_details[] = {
    AIOBS_GROUP("*", OUTPUT_DETAILS, aiobs_gemini_modality),
    AIOBS_END
};

static const aiobs_node_t  aiobs_gemini_cached_details[] = {
    AIOBS_GROUP("*", CACHED_DETAILS, aiobs_gemini_modality),
    AIOBS_END
};

const aiobs_node_t  aiobs_gemini_usage[] = {
    AIOBS_NUMBER("promptTokenCount", INPUT),
    AIOBS_NUMBER("candidatesTokenCount", OUTPUT),
    AIOBS_NUMBER("thoughtsTokenCount", REASONING),
    AIOBS_NUMBER("toolUsePromptTokenCount", TOOL_INPUT),
    AIOBS_NUMBER("cachedContentTokenCount", CACHE_READ),
    AIOBS_NUMBER("totalTokenCount", TOTAL),
    AIOBS_STRING("trafficType", TIER),                  /* Vertex */
    AIOBS_STRING("serviceTier", SERVICE_TIER),
    AIOBS_PATH("promptTokensDetails", aiobs_gemini_input_details),
    AIOBS_PATH("candidatesTokensDetails", aiobs_gemini_output_details),
    AIOBS_PATH("cacheTokensDetails", aiobs_gemini_cached_details),
    AIOBS_END
};

static const aiobs_node_t  aiobs_gemini_blob[] = {
    AIOBS_MEDIA_TEXT("data"),
    AIOBS_END
};

/* arguments that come in pieces, of Vertex */

static const aiobs_node_t  aiobs_gemini_arg[] = {
    AIOBS_TEXT("stringValue", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_gemini_args[] = {
    AIOBS_PATH("*", aiobs_gemini_arg),
    AIOBS_END
};

static const aiobs_node_t  aiobs_gemini_call[] = {
    AIOBS_TEXT("name", NULL),
    AIOBS_PATH("partialArgs", aiobs_gemini_args),
    AIOBS_END
};

/* of a tool that Google runs */

static const aiobs_node_t  aiobs_gemini_tool[] = {
    AIOBS_MEDIA_TEXT("toolType"),
    AIOBS_END
};

static const aiobs_node_t  aiobs_gemini_code[] = {
    AIOBS_TEXT("code", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_gemini_part[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_PATH("inlineData", aiobs_gemini_blob),
    AIOBS_PATH("functionCall", aiobs_gemini_call),
    AIOBS_PATH("executableCode", aiobs_gemini_code),
    AIOBS_PATH("toolCall", aiobs_gemini_tool),
    AIOBS_END
};

static const aiobs_node_t  aiobs_gemini_parts[] = {
    AIOBS_PATH("*", aiobs_gemini_part),
    AIOBS_END
};

static const aiobs_node_t  aiobs_gemini_content[] = {
    AIOBS_PATH("parts", aiobs_gemini_parts),
    AIOBS_END
};

static const aiobs_node_t  aiobs_gemini_candidate[] = {
    AIOBS_NUMBER("index", INDEX),
    AIOBS_STRING("finishReason", FINISH),
    AIOBS_PATH("content", aiobs_gemini_content),
    AIOBS_END
};

const aiobs_node_t  aiobs_gemini_candidates[] = {
    AIOBS_GROUP("*", CHOICE, aiobs_gemini_candidate),
    AIOBS_END
};

/* Code Assist wraps the document */

static const aiobs_node_t  aiobs_gemini_wrapped[] = {
    AIOBS_STRING("responseId", ID),
    AIOBS_STRING("modelVersion", MODEL),
    AIOBS_PATH("candidates", aiobs_gemini_candidates),
    AIOBS_GROUP("usageMetadata", USAGE, aiobs_gemini_usage),
    AIOBS_END
};

const aiobs_node_t  aiobs_gemini_answer[] = {
    AIOBS_STRING("responseId", ID),
    AIOBS_STRING("modelVersion", MODEL),
    AIOBS_PATH("candidates", aiobs_gemini_candidates),
    AIOBS_GROUP("usageMetadata", USAGE, aiobs_gemini_usage),
    AIOBS_PATH("response", aiobs_gemini_wrapped),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};



/* --- Gemini interactions --- */

static const aiobs_node_t  aiobs_interaction_modality[] = {
    AIOBS_STRING("modality", MODALITY),
    AIOBS_NUMBER("tokens", MODALITY_COUNT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_interaction_input_details[] = {
    AIOBS_GROUP("*", INPUT_DETAILS, aiobs_interaction_modality),
    AIOBS_END
};

static const aiobs_node_t  aiobs_interaction_output_details[] = {
    AIOBS_GROUP("*", OUTPUT_DETAILS, aiobs_interaction_modality),
    AIOBS_END
};

static const aiobs_node_t  aiobs_interaction_cached_details[] = {
    AIOBS_GROUP("*", CACHED_DETAILS, aiobs_interaction_modality),
    AIOBS_END
};

static const aiobs_node_t  aiobs_interaction_usage[] = {
    AIOBS_NUMBER("total_input_tokens", INPUT),
    AIOBS_NUMBER("total_output_tokens", OUTPUT),
    AIOBS_NUMBER("total_thought_tokens", REASONING),
    AIOBS_NUMBER("total_tool_use_tokens", TOOL_INPUT),
    AIOBS_NUMBER("total_cached_tokens", CACHE_READ),
    AIOBS_NUMBER("total_tokens", TOTAL),
    AIOBS_PATH("input_tokens_by_modality", aiobs_interaction_input_details),
    AIOBS_PATH("output_tokens_by_modality", aiobs_interaction_output_details),
    AIOBS_PATH("cached_tokens_by_modality", aiobs_interaction_cached_details),
    AIOBS_END
};

static const aiobs_node_t  aiobs_interaction_summary[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_END
};

/* calls of tools that Google runs come whole */

static const aiobs_node_t  aiobs_interaction_words[1] = {
    { NULL, 0, AIOBS_NODE_TEXT, AIOBS_T_MEDIA, aiobs_interaction_words }
};

static const aiobs_node_t  aiobs_interaction_delta[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_TEXT("arguments", aiobs_interaction_words),
    AIOBS_PATH("content", aiobs_interaction_summary),   /* of thoughts */
    AIOBS_MEDIA_TEXT("data"),
    AIOBS_MEDIA_TEXT("uri"),
    AIOBS_END
};

static const aiobs_node_t  aiobs_interaction_step[] = {
    AIOBS_PATH("content", aiobs_openai_parts),
    AIOBS_END
};

static const aiobs_node_t  aiobs_interaction_steps[] = {
    AIOBS_PATH("*", aiobs_interaction_step),
    AIOBS_END
};

static const aiobs_node_t  aiobs_interaction[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("status", STATUS),
    AIOBS_STRING("service_tier", TIER),
    AIOBS_GROUP("usage", USAGE, aiobs_interaction_usage),
    AIOBS_END
};

const aiobs_node_t  aiobs_interactions_answer[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("status", STATUS),
    AIOBS_STRING("service_tier", TIER),
    AIOBS_GROUP("usage", USAGE, aiobs_interaction_usage),
    AIOBS_PATH("interaction", aiobs_interaction),
    AIOBS_PATH("delta", aiobs_interaction_delta),
    AIOBS_PATH("steps", aiobs_interaction_steps),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};


/* --- Vertex predict: embeddings, a count for each --- */

static const aiobs_node_t  aiobs_predict_statistics[] = {
    AIOBS_NUMBER("token_count", ADD_INPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_predict_embeddings[] = {
    AIOBS_PATH("statistics", aiobs_predict_statistics),
    AIOBS_END
};

static const aiobs_node_t  aiobs_prediction[] = {
    AIOBS_PATH("embeddings", aiobs_predict_embeddings),
    AIOBS_END
};

static const aiobs_node_t  aiobs_predictions[] = {
    AIOBS_PATH("*", aiobs_prediction),
    AIOBS_END
};

static const aiobs_node_t  aiobs_predict_metadata[] = {
    AIOBS_NUMBER("billableCharacterCount", CHARACTERS),
    AIOBS_END
};

const aiobs_node_t  aiobs_predict_answer[] = {
    AIOBS_PATH("metadata", aiobs_predict_metadata),
    AIOBS_PATH("predictions", aiobs_predictions),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};
