
/*
 * Copyright (C) the aiobs authors
 *
 * Paths of requests, of every API in one tree: what is asked for, and the text
 * that makes up the prompt.  Media, be they in base64 or behind an address, are
 * on none.
 */


#include "aiobs_nodes.h"


static const aiobs_node_t  aiobs_request_pieces[4];


static const aiobs_node_t  aiobs_request_options[] = {
    AIOBS_FLAG("include_usage", INCLUDE_USAGE),
    AIOBS_END
};

static const aiobs_node_t  aiobs_request_config[] = {
    AIOBS_NUMBER("maxOutputTokens", MAX_TOKENS),
    AIOBS_NUMBER("maxTokens", MAX_TOKENS),
    AIOBS_NUMBER("candidateCount", CHOICES),
    AIOBS_END
};


/* --- what tools gave back is most of what agents send --- */

/* Converse; also a search result of its */

static const aiobs_node_t  aiobs_request_result[] = {
    AIOBS_TEXT("title", NULL),
    AIOBS_PATH("content", aiobs_request_pieces),
    AIOBS_END
};

static const aiobs_node_t  aiobs_request_use[] = {
    AIOBS_RAW("input"),
    AIOBS_END
};

static const aiobs_node_t  aiobs_request_file_source[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_PATH("content", aiobs_request_pieces),
    AIOBS_END
};

static const aiobs_node_t  aiobs_request_file[] = {
    AIOBS_TEXT("context", NULL),
    AIOBS_PATH("source", aiobs_request_file_source),
    AIOBS_END
};

/* Anthropic: its type tells whether the data is text */

static const aiobs_node_t  aiobs_request_source[] = {
    AIOBS_STRING("type", SOURCE),
    AIOBS_TEXT("data", NULL),
    AIOBS_TEXT("content", aiobs_request_pieces),
    AIOBS_END
};

/* Gemini */

static const aiobs_node_t  aiobs_request_response[] = {
    AIOBS_RAW("response"),
    AIOBS_END
};

static const aiobs_node_t  aiobs_request_call[] = {
    AIOBS_RAW("args"),
    AIOBS_END
};

static const aiobs_node_t  aiobs_request_piece[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_TEXT("content", aiobs_request_pieces),        /* Anthropic */
    AIOBS_TEXT("title", NULL),
    AIOBS_TEXT("context", NULL),
    AIOBS_GROUP("source", SOURCE, aiobs_request_source),
    AIOBS_RAW("input"),
    AIOBS_PATH("toolResult", aiobs_request_result),     /* Converse */
    AIOBS_PATH("toolUse", aiobs_request_use),
    AIOBS_PATH("document", aiobs_request_file),
    AIOBS_PATH("searchResult", aiobs_request_result),
    AIOBS_RAW("json"),
    AIOBS_PATH("functionResponse", aiobs_request_response), /* Gemini */
    AIOBS_PATH("function_response", aiobs_request_response),
    AIOBS_PATH("functionCall", aiobs_request_call),
    AIOBS_PATH("function_call", aiobs_request_call),
    AIOBS_END
};

/* a list, or the one piece itself (Gemini) */

static const aiobs_node_t  aiobs_request_pieces[4] = {
    AIOBS_PATH("*", aiobs_request_piece),
    AIOBS_TEXT("text", NULL),
    AIOBS_TEXT("document", NULL),                       /* Bedrock's flows */
    AIOBS_END
};

static const aiobs_node_t  aiobs_request_part[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_TEXT("content", aiobs_request_pieces),
    AIOBS_PATH("parts", aiobs_request_pieces),
    AIOBS_PATH("tool_calls", aiobs_openai_tools),
    AIOBS_TEXT("output", aiobs_openai_parts),           /* Responses */
    AIOBS_TEXT("arguments", NULL),
    AIOBS_TEXT("message", NULL),                        /* Cohere */
    AIOBS_END
};

static const aiobs_node_t  aiobs_request_parts[] = {
    AIOBS_TEXT("*", aiobs_request_part),
    AIOBS_TEXT("text", NULL),                   /* Bedrock's knowledge bases */
    AIOBS_END
};

static const aiobs_node_t  aiobs_request_system[] = {
    AIOBS_PATH("parts", aiobs_request_pieces),
    AIOBS_PATH("*", aiobs_request_part),
    AIOBS_END
};

/* embeddings: Gemini's by the batch, Vertex's */

static const aiobs_node_t  aiobs_request_text[] = {
    AIOBS_TEXT("content", aiobs_request_system),
    AIOBS_END
};

static const aiobs_node_t  aiobs_request_texts[] = {
    AIOBS_PATH("*", aiobs_request_text),
    AIOBS_END
};

/* of Code Assist, which wraps Gemini's; of Perplexity, if it is to be fetched */

static const aiobs_node_t  aiobs_request_wrapped[] = {
    AIOBS_STRING("model", MODEL),
    AIOBS_NUMBER("max_tokens", MAX_TOKENS),
    AIOBS_PATH("messages", aiobs_request_parts),
    AIOBS_PATH("generationConfig", aiobs_request_config),
    AIOBS_PATH("contents", aiobs_request_system),
    AIOBS_PATH("systemInstruction", aiobs_request_system),
    AIOBS_RAW("tools"),
    AIOBS_END
};

const aiobs_node_t  aiobs_any_request[] = {
    AIOBS_STRING("model", MODEL),
    { "~model", sizeof("model") - 1, AIOBS_NODE_STRING, AIOBS_S_MODEL_ALIKE,
      NULL },
    AIOBS_FLAG("stream", STREAM),
    AIOBS_FLAG("background", BACKGROUND),
    AIOBS_PATH("stream_options", aiobs_request_options),
    AIOBS_NUMBER("max_tokens", MAX_TOKENS),
    AIOBS_NUMBER("max_completion_tokens", MAX_TOKENS),
    AIOBS_NUMBER("max_output_tokens", MAX_TOKENS),
    AIOBS_NUMBER("n", CHOICES),
    AIOBS_NUMBER("best_of", CHOICES),
    AIOBS_PATH("generationConfig", aiobs_request_config),
    AIOBS_PATH("inferenceConfig", aiobs_request_config),
    AIOBS_PATH("messages", aiobs_request_parts),
    AIOBS_PATH("contents", aiobs_request_system),
    AIOBS_TEXT("prompt", aiobs_request_parts),
    AIOBS_TEXT("input", aiobs_request_parts),
    AIOBS_TEXT("message", NULL),
    AIOBS_TEXT("inputs", aiobs_request_parts),
    AIOBS_TEXT("instructions", NULL),
    AIOBS_TEXT("system", aiobs_request_system),
    AIOBS_PATH("systemInstruction", aiobs_request_system),
    AIOBS_PATH("system_instruction", aiobs_request_system),
    AIOBS_PATH("texts", aiobs_request_parts),
    AIOBS_PATH("chat_history", aiobs_request_parts),    /* Cohere v1 */
    AIOBS_TEXT("preamble", NULL),
    AIOBS_TEXT("inputText", NULL),                      /* Titan, agents */
    AIOBS_STRING("foundationModel", MODEL),             /* inline agents */
    AIOBS_TEXT("instruction", NULL),
    AIOBS_NUMBER("max_length", MAX_TOKENS),             /* KoboldCpp */
    AIOBS_TEXT("memory", NULL),
    AIOBS_RAW("tools"),
    AIOBS_RAW("toolConfig"),                            /* Converse */
    AIOBS_PATH("request", aiobs_request_wrapped),
    AIOBS_PATH("content", aiobs_request_system),        /* embeddings */
    AIOBS_PATH("requests", aiobs_request_texts),
    AIOBS_PATH("instances", aiobs_request_texts),
    AIOBS_END
};
