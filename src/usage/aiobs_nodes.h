
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the usage room: how the trees of paths are written, and branches
 * that several APIs share.
 */


#ifndef _AIOBS_NODES_H_INCLUDED_
#define _AIOBS_NODES_H_INCLUDED_


#include "aiobs_apis.h"


#define AIOBS_PATH(key, children)                                             \
    { key, sizeof(key) - 1, AIOBS_NODE_PATH, 0, children }
#define AIOBS_STRING(key, slot)                                               \
    { key, sizeof(key) - 1, AIOBS_NODE_STRING, AIOBS_S_ ## slot, NULL }
#define AIOBS_NUMBER(key, slot)                                               \
    { key, sizeof(key) - 1, AIOBS_NODE_NUMBER, AIOBS_F_ ## slot, NULL }
#define AIOBS_TEXT(key, children)                                             \
    { key, sizeof(key) - 1, AIOBS_NODE_TEXT, 0, children }
#define AIOBS_MEDIA_TEXT(key)                                                 \
    { key, sizeof(key) - 1, AIOBS_NODE_TEXT, AIOBS_T_MEDIA, NULL }
#define AIOBS_RAW(key)                                                        \
    { key, sizeof(key) - 1, AIOBS_NODE_RAW, 0, NULL }
#define AIOBS_GROUP(key, slot, children)                                      \
    { key, sizeof(key) - 1, AIOBS_NODE_GROUP, AIOBS_G_ ## slot, children }
#define AIOBS_FLAG(key, slot)                                                 \
    { key, sizeof(key) - 1, AIOBS_NODE_FLAG, AIOBS_S_ ## slot, NULL }
#define AIOBS_OTHERS(slot, children)                                          \
    { NULL, 0, AIOBS_NODE_STRING, AIOBS_S_ ## slot, children }
#define AIOBS_END                                                             \
    { NULL, 0, AIOBS_NODE_PATH, 0, NULL }


extern const aiobs_node_t  aiobs_openai_usage[];
extern const aiobs_node_t  aiobs_openai_choices[];
extern const aiobs_node_t  aiobs_openai_message[];
extern const aiobs_node_t  aiobs_openai_tool[];
extern const aiobs_node_t  aiobs_openai_tools[];
extern const aiobs_node_t  aiobs_openai_cost[];
extern const aiobs_node_t  aiobs_openai_parts[];    /* [{ "text": ... }] */
extern const aiobs_node_t  aiobs_openai_part[];
extern const aiobs_node_t  aiobs_error_object[];
extern const aiobs_node_t  aiobs_anthropic_usage[];
extern const aiobs_node_t  aiobs_anthropic_message[];
extern const aiobs_node_t  aiobs_anthropic_iterations[];
extern const aiobs_node_t  aiobs_anthropic_start[];
extern const aiobs_node_t  aiobs_anthropic_delta[];
extern const aiobs_node_t  aiobs_cohere_response[];
extern const aiobs_node_t  aiobs_cohere_generations[];
extern const aiobs_node_t  aiobs_converse_details[];
extern const aiobs_node_t  aiobs_gemini_usage[];
extern const aiobs_node_t  aiobs_gemini_candidates[];


#endif /* _AIOBS_NODES_H_INCLUDED_ */
