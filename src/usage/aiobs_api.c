
/*
 * Copyright (C) the aiobs authors
 *
 * One of the APIs: which it is by what a document shows, and what is said of
 * it; names of what a record says.
 */


#include <string.h>

#include "aiobs_apis.h"


const aiobs_api_t *
aiobs_api_marked(aiobs_dialect_e dialect, unsigned marks)
{
    size_t              i;
    const aiobs_api_t  *api;

    static const struct {
        unsigned     mark;
        const char  *path;
    } kinds[] = {
        { AIOBS_MARK_GEMINI, "/x:generateContent" },
        { AIOBS_MARK_CONVERSE, "/model/x/converse" },
        { AIOBS_MARK_EMBEDDING, "/embeddings" },
        { AIOBS_MARK_OPENAI, "/chat/completions" },
        { AIOBS_MARK_RESPONSE, "/responses" },
        { AIOBS_MARK_COHERE, "/v2/chat" },
        { AIOBS_MARK_ANTHROPIC, "/messages" },
        { AIOBS_MARK_OLLAMA, "/api/chat" },
        { AIOBS_MARK_TGI, "/generate" },
        { 0, NULL }
    };

    for (i = 0; kinds[i].path; i++) {

        if (!(marks & kinds[i].mark)) {
            continue;
        }

        api = aiobs_api_find(AIOBS_DIALECT_AUTO, "POST", 4, kinds[i].path,
                             strlen(kinds[i].path));

        return dialect == AIOBS_DIALECT_AUTO || dialect == api->dialect
               ? api : NULL;
    }

    return NULL;
}


int
aiobs_api_by_body(const aiobs_api_t *api)
{
    return api->answer == aiobs_any_answer;
}


const char *
aiobs_api_provider(const aiobs_api_t *api)
{
    return api->provider;
}


/* the conventions of OpenTelemetry have names of their own for some */

const char *
aiobs_api_provider_otel(const aiobs_api_t *api)
{
    size_t  i;

    static const char  *names[][2] = {
        { "gemini", "gcp.gemini" },
        { "vertex", "gcp.vertex_ai" },
        { "bedrock", "aws.bedrock" },
        { "azure", "azure.ai.openai" },
        { "mistral", "mistral_ai" },
        { "xai", "x_ai" },
        { "watsonx", "ibm.watsonx.ai" }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (api->provider[0] == names[i][0][0]
            && strcmp(api->provider, names[i][0]) == 0)
        {
            return names[i][1];
        }
    }

    return api->provider;
}


const char *
aiobs_api_operation(const aiobs_api_t *api)
{
    return api->operation;
}


int
aiobs_api_countable(const aiobs_api_t *api)
{
    return api->countable;
}


int
aiobs_api_generates(const aiobs_api_t *api)
{
    return api->text == AIOBS_ESTIMATE_BOTH || aiobs_api_by_body(api);
}


int
aiobs_api_speaks(const aiobs_api_t *api)
{
    return api->operation[0] == 's' && strcmp(api->operation, "speech") == 0;
}


const char *
aiobs_source_name(aiobs_source_e source)
{
    static const char  *names[] = { "none", "reported", "partial",
                                    "estimated" };

    return names[source];
}


const char *
aiobs_failure_name(aiobs_failure_e failure)
{
    static const char  *names[] = { "", "json", "value", "too_long", "depth",
                                    "framing", "encoding", "decode", "window",
                                    "memory" };

    return names[failure];
}
