
/*
 * Copyright (C) the aiobs authors
 *
 * The APIs, a row each; the first row whose path fits is taken.
 */


#include <string.h>

#include "aiobs_api_rows.h"


static const aiobs_api_t *aiobs_api_row(aiobs_dialect_e dialect,
    const char *path, size_t path_len);
static const aiobs_api_t *aiobs_api_posted(aiobs_dialect_e dialect,
    const char *path, size_t path_len);
static const aiobs_api_t *aiobs_api_got(const char *path, size_t path_len);


static const aiobs_api_t  aiobs_apis[] = {
    AIOBS_OPENAI("/chat/completions", "chat", 1, 1),
    AIOBS_OPENAI("/agents/completions", "chat", 1, 1),
    AIOBS_OPENAI("/completions", "text_completion", 1, 1),
    AIOBS_OPENAI("/responses", "chat", 1, 1),
    AIOBS_OPENAI("/responses/compact", "chat", 1, 1),
    { AIOBS_SUFFIX("/text/embeddings"), "watsonx", "embeddings",
      AIOBS_DIALECT_OPENAI, AIOBS_RULE_NONE, 1, AIOBS_PROMPT,
      aiobs_watsonx_answer, aiobs_any_request },
    AIOBS_SAP("/inference/deployments/*/v2/embeddings", "embeddings",
              AIOBS_PROMPT),
    AIOBS_OPENAI("/embeddings", "embeddings", 1, AIOBS_PROMPT),
    AIOBS_OPENAI("/embeddings/multimodal", "embeddings", 1, AIOBS_PROMPT),
    AIOBS_OPENAI("/multimodalembeddings", "embeddings", 1, AIOBS_PROMPT),
    AIOBS_OPENAI("/contextualizedembeddings", "embeddings", 1,
                 AIOBS_PROMPT),
    AIOBS_MEDIA("/audio/transcriptions", "transcription", aiobs_audio_answer),
    AIOBS_MEDIA("/audio/translations", "transcription", aiobs_audio_answer),
    AIOBS_MEDIA("/audio/speech", "speech", aiobs_audio_answer),
    AIOBS_MEDIA("/images/generations", "image_generation",
                aiobs_images_answer),
    AIOBS_MEDIA("/images/edits", "image_generation", aiobs_images_answer),
    AIOBS_MEDIA("/images/variations", "image_generation",
                aiobs_images_answer),
    AIOBS_MEDIA("/images", "image_generation", aiobs_images_answer),
    AIOBS_OPENAI("/moderations", "moderation", 1, 0),
    AIOBS_MEDIA("/decisions", "decision", aiobs_decisions_answer),
    AIOBS_MEDIA("/ocr", "ocr", aiobs_ocr_answer),
    AIOBS_OPENAI("/classify", "classification", 1, 0),
    AIOBS_OPENAI("/threads/*/messages", "", 0, 0),      /* nobody answers */
    AIOBS_ANTHROPIC("/messages", "chat", 1, 1),
    AIOBS_ANTHROPIC("/complete", "text_completion", 1, 1),
    AIOBS_ANTHROPIC("/messages/count_tokens", "count_tokens", 0, 0),
    AIOBS_RAW_PREDICT("/publishers/anthropic/models/*", "anthropic", ANTHROPIC,
                      aiobs_raw_predict_answer),
    AIOBS_RAW_PREDICT("/publishers/google/models/*", "gemini", GEMINI,
                      aiobs_gemini_answer),
    AIOBS_RAW_PREDICT("/publishers/mistralai/models/*", "mistral", OPENAI,
                      aiobs_openai_answer),
    AIOBS_RAW_PREDICT("/publishers/meta/models/*", "meta", OPENAI,
                      aiobs_openai_answer),
    AIOBS_RAW_PREDICT("/publishers/ai21/models/*", "ai21", OPENAI,
                      aiobs_openai_answer),
    AIOBS_RAW_PREDICT("", "vertex", ANTHROPIC, aiobs_raw_predict_answer),
    AIOBS_GEMINI(":generateContent", "generate_content", 1, 1),
    AIOBS_GEMINI(":streamGenerateContent", "generate_content", 1, 1),
    AIOBS_GEMINI(":embedContent", "embeddings", 1, AIOBS_PROMPT),
    AIOBS_GEMINI(":batchEmbedContents", "embeddings", 1, AIOBS_PROMPT),
    AIOBS_GEMINI(":countTokens", "count_tokens", 0, 0),
    { AIOBS_SUFFIX(":predict"), "gemini", "embeddings", AIOBS_DIALECT_GEMINI,
      AIOBS_RULE_NONE, 1, AIOBS_PROMPT, aiobs_predict_answer,
      aiobs_any_request },
    AIOBS_INTERACTIONS("/interactions", 1),
    AIOBS_BEDROCK("/model/*/converse", "chat", 1, 1, aiobs_converse_answer),
    AIOBS_BEDROCK("/model/*/converse-stream", "chat", 1, 1,
                  aiobs_converse_answer),
    AIOBS_BEDROCK("/model/*/invoke", "chat", 1, 1, aiobs_invoke_answer),
    AIOBS_BEDROCK("/model/*/invoke-with-response-stream", "chat", 1, 1,
                  aiobs_invoke_answer),
    AIOBS_BEDROCK("/model/*/count-tokens", "count_tokens", 0, 0,
                  aiobs_converse_answer),
    AIOBS_BEDROCK("/agents/*/agentAliases/*/sessions/*/text", "invoke_agent",
                  1, 1, aiobs_agent_answer),
    AIOBS_BEDROCK("/flows/*/aliases/*", "invoke_agent", 1, 1,
                  aiobs_agent_answer),
    AIOBS_BEDROCK("/retrieveAndGenerate", "chat", 1, 1, aiobs_agent_answer),
    AIOBS_BEDROCK("/retrieveAndGenerateStream", "chat", 1, 1,
                  aiobs_agent_answer),
    AIOBS_BEDROCK("/agenticRetrieveStream", "chat", 1, 1, aiobs_agent_answer),
    { AIOBS_SUFFIX("/api/v1/chat"), "lmstudio", "chat", AIOBS_DIALECT_OPENAI,
      AIOBS_RULE_COHERE, 1, 1, aiobs_lmstudio_answer, aiobs_any_request },
    AIOBS_COHERE("/v2/chat", "chat", 1, 1),
    AIOBS_COHERE("/v1/chat", "chat", 1, 1),
    AIOBS_COHERE("/v2/embed", "embeddings", 1, AIOBS_PROMPT),
    AIOBS_COHERE("/v1/embed", "embeddings", 1, AIOBS_PROMPT),
    AIOBS_KOBOLD("/api/v1/generate"),
    AIOBS_COHERE("/v1/generate", "text_completion", 1, 1),
    AIOBS_COHERE("/v1/summarize", "text_completion", 1, 1),
    AIOBS_COHERE("/v2/rerank", "rerank", 1, 0),
    { AIOBS_SUFFIX("/text/rerank"), "watsonx", "rerank", AIOBS_DIALECT_OPENAI,
      AIOBS_RULE_NONE, 1, 0, aiobs_watsonx_answer, aiobs_any_request },
    AIOBS_RERANK("/rerank"),
    AIOBS_RERANK("/ranking"),
    AIOBS_RERANK("/reranking"),
    AIOBS_RERANK("/score"),
    AIOBS_COHERE("/v1/rerank", "rerank", 1, 0),         /* if it is named */
    AIOBS_OLLAMA("/api/chat", "chat", 1, 1),
    AIOBS_OLLAMA("/api/generate", "text_completion", 1, 1),
    AIOBS_OLLAMA("/api/embed", "embeddings", 1, AIOBS_PROMPT),
    AIOBS_KOBOLD("/api/latest/generate"),
    AIOBS_KOBOLD("/api/extra/generate/stream"),
    { AIOBS_SUFFIX("/generate"), "huggingface", "text_completion", AIOBS_DIALECT_OPENAI,
      AIOBS_RULE_NONE, 1, 0, aiobs_tgi_answer, aiobs_any_request },
    { AIOBS_SUFFIX("/generate_stream"), "huggingface", "text_completion",
      AIOBS_DIALECT_OPENAI, AIOBS_RULE_NONE, 1, 1, aiobs_tgi_answer,
      aiobs_any_request },
    AIOBS_DASHSCOPE("/text-generation/generation", "chat"),
    AIOBS_DASHSCOPE("/multimodal-generation/generation", "chat"),
    AIOBS_DASHSCOPE("/text-embedding/text-embedding", "embeddings"),
    AIOBS_DASHSCOPE("/multimodal-embedding/multimodal-embedding",
                    "embeddings"),
    AIOBS_DASHSCOPE("/text-rerank/text-rerank", "rerank"),
    AIOBS_DASHSCOPE("/apps/*/completion", "chat"),
    AIOBS_REPLICATE("/predictions", 1),
    AIOBS_OPENAI("/sonar", "chat", 1, 1),               /* Perplexity */
    AIOBS_MINIMAX("/text/chatcompletion_v2"),
    AIOBS_SAGEMAKER("/endpoints/*/invocations"),
    AIOBS_SAGEMAKER("/endpoints/*/invocations-response-stream"),
    AIOBS_DEEPINFRA("/v1/inference/*"),
    AIOBS_DEEPINFRA("/v1/inference/*/*"),
    AIOBS_SAP("/inference/deployments/*/completion", "chat", 1),
    AIOBS_LLAMACPP("/completion"),
    AIOBS_LLAMACPP("/infill"),
    { AIOBS_SUFFIX("/text/generation"), "watsonx", "text_completion", AIOBS_DIALECT_OPENAI,
      AIOBS_RULE_NONE, 1, 1, aiobs_watsonx_answer, aiobs_any_request },
    { AIOBS_SUFFIX("/text/generation_stream"), "watsonx", "text_completion",
      AIOBS_DIALECT_OPENAI, AIOBS_RULE_NONE, 1, 1, aiobs_watsonx_answer,
      aiobs_any_request },
    { AIOBS_SUFFIX("/v1-beta/generation/text"), "watsonx", "text_completion",
      AIOBS_DIALECT_OPENAI, AIOBS_RULE_NONE, 1, 1, aiobs_watsonx_answer,
      aiobs_any_request },
    { AIOBS_SUFFIX("/v1-beta/generation/text_stream"), "watsonx",
      "text_completion", AIOBS_DIALECT_OPENAI, AIOBS_RULE_NONE, 1, 1,
      aiobs_watsonx_answer, aiobs_any_request }
};


/* nothing is counted here: whose it is, by the dialect */

static const aiobs_api_t  aiobs_unknown[] = {
    [AIOBS_DIALECT_OFF] = AIOBS_OPENAI("", "", 0, 0),
    [AIOBS_DIALECT_AUTO] = AIOBS_OPENAI("", "", 0, 0),
    [AIOBS_DIALECT_OPENAI] = AIOBS_OPENAI("", "", 0, 0),
    [AIOBS_DIALECT_ANTHROPIC] = AIOBS_ANTHROPIC("", "", 0, 0),
    [AIOBS_DIALECT_GEMINI] = AIOBS_GEMINI("", "", 0, 0),
    [AIOBS_DIALECT_BEDROCK] = AIOBS_BEDROCK("", "", 0, 0,
                                            aiobs_converse_answer),
    [AIOBS_DIALECT_COHERE] = AIOBS_COHERE("", "", 0, 0),
    [AIOBS_DIALECT_OLLAMA] = AIOBS_OLLAMA("", "", 0, 0)
};


/* POST to unknown paths: the answer tells, see aiobs_usage_api() */

#define AIOBS_BY_BODY(dialect)                                                \
    { AIOBS_SUFFIX(""), "openai", "", dialect, AIOBS_RULE_OPENAI, 0, 0, aiobs_any_answer,   \
      aiobs_any_request }

static const aiobs_api_t  aiobs_by_body[] = {
    [AIOBS_DIALECT_OFF] = AIOBS_BY_BODY(AIOBS_DIALECT_AUTO),
    [AIOBS_DIALECT_AUTO] = AIOBS_BY_BODY(AIOBS_DIALECT_AUTO),
    [AIOBS_DIALECT_OPENAI] = AIOBS_BY_BODY(AIOBS_DIALECT_OPENAI),
    [AIOBS_DIALECT_ANTHROPIC] = AIOBS_BY_BODY(AIOBS_DIALECT_ANTHROPIC),
    [AIOBS_DIALECT_GEMINI] = AIOBS_BY_BODY(AIOBS_DIALECT_GEMINI),
    [AIOBS_DIALECT_BEDROCK] = AIOBS_BY_BODY(AIOBS_DIALECT_BEDROCK),
    [AIOBS_DIALECT_COHERE] = AIOBS_BY_BODY(AIOBS_DIALECT_COHERE),
    [AIOBS_DIALECT_OLLAMA] = AIOBS_BY_BODY(AIOBS_DIALECT_OLLAMA)
};


/*
 * Bedrock's InvokeInlineAgent: a path that others have, too.  Unless it is
 * said that it is Bedrock, it is if an AWS event stream is answered.
 */

static const aiobs_api_t  aiobs_inline_agent[] = {
    { AIOBS_SUFFIX("/agents/*"), "openai", "", AIOBS_DIALECT_AUTO,
      AIOBS_RULE_OPENAI, 0, 0, aiobs_any_answer, aiobs_any_request },
    AIOBS_BEDROCK("/agents/*", "invoke_agent", 1, 1, aiobs_agent_answer)
};


/* GET .../ID: an answer made before, by whoever asks for it */

static const aiobs_api_t  aiobs_fetched[] = {
    AIOBS_OPENAI("/responses/*", "chat", 0, 0),
    AIOBS_OPENAI("/async/chat/completions/*", "chat", 0, 0),    /* Perplexity */
    AIOBS_OPENAI("/async/sonar/*", "chat", 0, 0),
    AIOBS_REPLICATE("/predictions/*", 0),
    AIOBS_INTERACTIONS("/interactions/*", 0),

    /* xAI, the last: its answers have ids that they were not ordered with */

    AIOBS_OPENAI("/chat/deferred-completion/*", "chat", 0, 0)
};

#define AIOBS_FETCHED  (sizeof(aiobs_fetched) / sizeof(aiobs_fetched[0]))


/* POST .../ID/cancel: no more of it is made; what was, may be reported */

static const aiobs_api_t  aiobs_ended[] = {
    AIOBS_OPENAI("/responses/*/cancel", "chat", 0, 0),
    AIOBS_REPLICATE("/predictions/*/cancel", 0),
    AIOBS_INTERACTIONS("/interactions/*/cancel", 0)
};

#define AIOBS_ENDED  (sizeof(aiobs_ended) / sizeof(aiobs_ended[0]))


const aiobs_api_t *
aiobs_api_find(aiobs_dialect_e dialect, const char *method, size_t method_len,
    const char *path, size_t path_len)
{
    int                 post;
    const aiobs_api_t  *api, *found;

    if (path_len > 1 && path[path_len - 1] == '/') {
        path_len--;
    }

    post = (method_len == 4 && memcmp(method, "POST", 4) == 0);
    found = aiobs_api_row(dialect, path, path_len);

    if (found && post) {
        return found;
    }

    if (found == NULL) {
        api = NULL;

        if (post) {
            api = aiobs_api_posted(dialect, path, path_len);

        } else if (method_len == 3 && memcmp(method, "GET", 3) == 0) {
            api = aiobs_api_got(path, path_len);
        }

        if (api) {
            return api;
        }
    }

    /* lists, polls and the like: whose they are, but nothing to count */

    return &aiobs_unknown[found ? found->dialect : dialect];
}


/* the first of that path, of the dialect's if it has one; NULL: none */

static const aiobs_api_t *
aiobs_api_row(aiobs_dialect_e dialect, const char *path, size_t path_len)
{
    size_t              i;
    const aiobs_api_t  *api, *found;

    found = NULL;

    for (i = 0; i < sizeof(aiobs_apis) / sizeof(aiobs_apis[0]); i++) {
        api = &aiobs_apis[i];

        if (!aiobs_api_match(api, path, path_len)) {
            continue;
        }

        if (found == NULL || api->dialect == dialect) {
            found = api;
        }

        if (dialect == AIOBS_DIALECT_AUTO || api->dialect == dialect) {
            break;
        }
    }

    return found;
}


/* of a POST to a path that is none of theirs; NULL: it makes nothing */

static const aiobs_api_t *
aiobs_api_posted(aiobs_dialect_e dialect, const char *path, size_t path_len)
{
    size_t  i;

    if ((dialect == AIOBS_DIALECT_AUTO || dialect == AIOBS_DIALECT_BEDROCK)
        && aiobs_api_match(&aiobs_inline_agent[0], path, path_len))
    {
        return &aiobs_inline_agent[dialect == AIOBS_DIALECT_BEDROCK];
    }

    for (i = 0; i < AIOBS_ENDED; i++) {
        if (aiobs_api_match(&aiobs_ended[i], path, path_len)) {
            return &aiobs_ended[i];
        }
    }

    return aiobs_api_makes(path, path_len) ? &aiobs_by_body[dialect] : NULL;
}


/* of a GET of an answer made before; NULL: it is none */

static const aiobs_api_t *
aiobs_api_got(const char *path, size_t path_len)
{
    size_t  i;

    for (i = 0; i < AIOBS_FETCHED; i++) {
        if (aiobs_api_match(&aiobs_fetched[i], path, path_len)) {
            return &aiobs_fetched[i];
        }
    }

    return NULL;
}


const aiobs_api_t *
aiobs_api_aws(const aiobs_api_t *api)
{
    return api == &aiobs_inline_agent[0] ? &aiobs_inline_agent[1] : api;
}


int
aiobs_api_fetches(const aiobs_api_t *api)
{
    return (api >= aiobs_fetched && api < aiobs_fetched + AIOBS_FETCHED)
           || aiobs_api_ends(api);
}


int
aiobs_api_ends(const aiobs_api_t *api)
{
    return api >= aiobs_ended && api < aiobs_ended + AIOBS_ENDED;
}


int
aiobs_api_renames(const aiobs_api_t *api)
{
    return api == &aiobs_fetched[AIOBS_FETCHED - 1];
}
