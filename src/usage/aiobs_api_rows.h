
/*
 * Copyright (C) the aiobs authors
 *
 * How the rows of the table of APIs are written; included by aiobs_apis.c.
 */


#ifndef _AIOBS_API_ROWS_H_INCLUDED_
#define _AIOBS_API_ROWS_H_INCLUDED_


#include "aiobs_apis.h"


#define AIOBS_SUFFIX(suffix)  suffix, sizeof(suffix) - 1

#define AIOBS_PROMPT  AIOBS_ESTIMATE_PROMPT

#define AIOBS_OPENAI(suffix, operation, countable, text)                      \
    { AIOBS_SUFFIX(suffix), "openai", operation, AIOBS_DIALECT_OPENAI, AIOBS_RULE_OPENAI,   \
      countable, text, aiobs_openai_answer, aiobs_any_request }

#define AIOBS_MEDIA(suffix, operation, answer)                                \
    { AIOBS_SUFFIX(suffix), "openai", operation, AIOBS_DIALECT_OPENAI, AIOBS_RULE_OPENAI,   \
      1, 0, answer, aiobs_any_request }

#define AIOBS_RERANK(suffix)                                                  \
    { AIOBS_SUFFIX(suffix), "openai", "rerank", AIOBS_DIALECT_OPENAI,         \
      AIOBS_RULE_OPENAI, 1, 0, aiobs_rerank_answer, aiobs_any_request }

#define AIOBS_DASHSCOPE(suffix, operation)                                    \
    { AIOBS_SUFFIX(suffix), "dashscope", operation, AIOBS_DIALECT_OPENAI,     \
      AIOBS_RULE_OPENAI, 1, 0, aiobs_dashscope_answer, aiobs_any_request }

#define AIOBS_MINIMAX(suffix)                                                 \
    { AIOBS_SUFFIX(suffix), "minimax", "chat", AIOBS_DIALECT_OPENAI,          \
      AIOBS_RULE_OPENAI, 1, 1, aiobs_openai_answer, aiobs_any_request }

#define AIOBS_SAP(suffix, operation, text)                                    \
    { AIOBS_SUFFIX(suffix), "sap", operation, AIOBS_DIALECT_OPENAI,           \
      AIOBS_RULE_OPENAI, 1, text, aiobs_sap_answer, aiobs_any_request }

/* Cohere's of a gateway may have one of its paths */

#define AIOBS_KOBOLD(suffix)                                                  \
    { AIOBS_SUFFIX(suffix), "koboldcpp", "text_completion",                   \
      AIOBS_DIALECT_OPENAI, AIOBS_RULE_COHERE, 1, 1, aiobs_kobold_answer,     \
      aiobs_any_request }

/* whatever the model of an endpoint answers */

#define AIOBS_SAGEMAKER(suffix)                                               \
    { AIOBS_SUFFIX(suffix), "sagemaker", "chat", AIOBS_DIALECT_OPENAI,        \
      AIOBS_RULE_NONE, 1, 1, aiobs_sagemaker_answer, aiobs_any_request }

#define AIOBS_DEEPINFRA(suffix)                                               \
    { AIOBS_SUFFIX(suffix), "deepinfra", "text_completion",                   \
      AIOBS_DIALECT_OPENAI, AIOBS_RULE_NONE, 1, 1, aiobs_deepinfra_answer,    \
      aiobs_any_request }

#define AIOBS_REPLICATE(suffix, countable)                                    \
    { AIOBS_SUFFIX(suffix), "replicate", "text_completion",                   \
      AIOBS_DIALECT_OPENAI, AIOBS_RULE_NONE, countable, 0,                    \
      aiobs_replicate_answer, aiobs_any_request }

#define AIOBS_INTERACTIONS(suffix, countable)                                 \
    { AIOBS_SUFFIX(suffix), "gemini", "generate_content",                     \
      AIOBS_DIALECT_GEMINI, AIOBS_RULE_GEMINI, countable, countable,          \
      aiobs_interactions_answer, aiobs_any_request }

#define AIOBS_LLAMACPP(suffix)                                                \
    { AIOBS_SUFFIX(suffix), "llamacpp", "text_completion",                    \
      AIOBS_DIALECT_OPENAI, AIOBS_RULE_NONE, 1, 1, aiobs_llamacpp_answer,     \
      aiobs_any_request }

#define AIOBS_ANTHROPIC(suffix, operation, countable, text)                   \
    { AIOBS_SUFFIX(suffix), "anthropic", operation, AIOBS_DIALECT_ANTHROPIC,                \
      AIOBS_RULE_ANTHROPIC, countable, text, aiobs_anthropic_answer,          \
      aiobs_any_request }

/* Vertex: each publisher's documents as they are; some name none */

#define AIOBS_RAW_PREDICT(models, provider, dialect, answer)                  \
    { AIOBS_SUFFIX(models ":rawPredict"), provider, "chat",                   \
      AIOBS_DIALECT_ ## dialect, AIOBS_RULE_ ## dialect, 1, 1, answer,        \
      aiobs_any_request },                                                    \
    { AIOBS_SUFFIX(models ":streamRawPredict"), provider, "chat",             \
      AIOBS_DIALECT_ ## dialect, AIOBS_RULE_ ## dialect, 1, 1, answer,        \
      aiobs_any_request }

#define AIOBS_GEMINI(suffix, operation, countable, text)                      \
    { AIOBS_SUFFIX(suffix), "gemini", operation, AIOBS_DIALECT_GEMINI, AIOBS_RULE_GEMINI,   \
      countable, text, aiobs_gemini_answer, aiobs_any_request }

#define AIOBS_BEDROCK(suffix, operation, countable, text, answer)             \
    { AIOBS_SUFFIX(suffix), "bedrock", operation, AIOBS_DIALECT_BEDROCK,                    \
      AIOBS_RULE_BEDROCK, countable, text, answer, aiobs_any_request }

#define AIOBS_COHERE(suffix, operation, countable, text)                      \
    { AIOBS_SUFFIX(suffix), "cohere", operation, AIOBS_DIALECT_COHERE, AIOBS_RULE_COHERE,   \
      countable, text, aiobs_cohere_answer, aiobs_any_request }

#define AIOBS_OLLAMA(suffix, operation, countable, text)                      \
    { AIOBS_SUFFIX(suffix), "ollama", operation, AIOBS_DIALECT_OLLAMA, AIOBS_RULE_NONE,     \
      countable, text, aiobs_ollama_answer, aiobs_any_request }


#endif /* _AIOBS_API_ROWS_H_INCLUDED_ */
