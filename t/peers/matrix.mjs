// node matrix.mjs GATEWAY GATEWAY_H2 PROVIDER FIXED KEY: every official client
// through the gateway and straight to the provider, streaming and not; one JSON
// line a call says what the client got and whether both were the same.  Calls
// with a file go to FIXED, which answers with it whatever is asked.

import OpenAI, { AzureOpenAI } from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import AnthropicXApiKey from 'anthropic-x-api-key';
import { GoogleGenAI } from '@google/genai';
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, InvokeModelCommand,
  InvokeModelWithResponseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { CohereClientV2 } from 'cohere-ai';
import { Mistral } from '@mistralai/mistralai';
import { Ollama } from 'ollama';
import { generateText, streamText, embed } from 'ai';
import { createOpenAI } from '@ai-sdk/openai';

const [,, gateway, gatewayH2, provider, fixed, key] = process.argv;

const text = 'with-usage';                      // of aimock's fixtures
const native = 'native-usage';
const messages = (content) => [{ role: 'user', content }];

async function all(stream) {
  const events = [];
  for await (const e of stream) events.push(e);
  return events;
}

// --- clients; t: { base, key, headers } ---

const openai = (t, o) => new OpenAI({ baseURL: t.base + '/v1', apiKey: t.key,
  defaultHeaders: t.headers, ...o });
const azure = (t) => new AzureOpenAI({ endpoint: t.base, apiKey: t.key, apiVersion: '2024-06-01',
  deployment: 'gpt4', defaultHeaders: t.headers });
const anthropic = (Class) => (t) => new Class({ baseURL: t.base, apiKey: t.key,
  defaultHeaders: t.headers });
const genai = (t) => new GoogleGenAI({ apiKey: t.key,
  httpOptions: { baseUrl: t.base, apiVersion: 'v1beta', headers: t.headers } });
const cohere = (t) => new CohereClientV2({ token: t.key, environment: t.base, headers: t.headers });
const mistral = (t) => new Mistral({ apiKey: t.key, serverURL: t.base });
const ollama = (t) => new Ollama({ host: t.base,
  headers: { ...t.headers, Authorization: 'Bearer ' + t.key } });
const vercel = (t) => createOpenAI({ baseURL: t.base + '/v1', apiKey: t.key, headers: t.headers });

// h2: with prior knowledge, as the client does where it is left alone

function bedrock(t, auth, h2) {
  const client = new BedrockRuntimeClient({ endpoint: h2 ? t.h2 : t.base, region: 'us-east-1', ...auth,
    ...(h2 ? {} : { requestHandler: new NodeHttpHandler() }) });

  client.middlewareStack.add((next) => (args) => {
    Object.assign(args.request.headers, t.headers);
    return next(args);
  }, { step: 'build' });

  return client;
}

const signed = { credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' } };
const bearer = (t) => ({ token: { token: t.key }, authSchemePreference: ['httpBearerAuth'] });

// --- calls ---

const chat = { model: 'gpt-4o', messages: messages(text) };
const claude = { model: 'claude-opus-5', max_tokens: 64, messages: messages(native) };
const gemini = { model: 'gemini-2.0-flash', contents: text };
const command = { model: 'command-r', messages: messages(text) };
const small = { model: 'mistral-small', messages: messages(text) };
const llama = { model: 'llama3.2', messages: messages(text) };
const converse = { modelId: 'anthropic.claude-3-5-sonnet-20240620-v1:0',
  messages: [{ role: 'user', content: [{ text: native }] }] };
const invoke = { modelId: converse.modelId, contentType: 'application/json', body: JSON.stringify(
  { anthropic_version: 'bedrock-2023-05-31', max_tokens: 9, messages: messages(native) }) };
const body = (r) => JSON.parse(new TextDecoder().decode(r.body));
const parts = async (r) => (await all(r.body)).map((e) => JSON.parse(new TextDecoder().decode(e.chunk.bytes)));
const usage = { include_usage: true };

const bedrockCalls = (name, make, h2) => ({
  [name]: async (t) => (await make(t, h2)).send(new ConverseCommand(converse)),
  [name + '-stream']: async (t) =>
    all((await make(t, h2).send(new ConverseStreamCommand(converse))).stream),
  [name + '-invoke']: async (t) => body(await make(t, h2).send(new InvokeModelCommand(invoke))),
  [name + '-invoke-stream']: async (t) =>
    parts(await make(t, h2).send(new InvokeModelWithResponseStreamCommand(invoke))),
});

const calls = {
  'openai-chat': (t) => openai(t).chat.completions.create(chat),
  'openai-chat-stream': async (t) => all(await openai(t).chat.completions.create({ ...chat, stream: true })),
  'openai-chat-stream-usage': async (t) =>
    all(await openai(t).chat.completions.create({ ...chat, stream: true, stream_options: usage })),
  'openai-responses': (t) => openai(t).responses.create({ model: 'gpt-4o', input: native }),
  'openai-responses-stream': async (t) =>
    all(await openai(t).responses.create({ model: 'gpt-4o', input: native, stream: true })),
  'openai-embeddings': (t) => openai(t).embeddings.create({ model: 'text-embedding-3-small', input: 'x' }),
  'azure-chat': (t) => azure(t).chat.completions.create({ ...chat, model: 'gpt4' }),
  'azure-chat-stream': async (t) =>
    all(await azure(t).chat.completions.create({ ...chat, model: 'gpt4', stream: true })),

  'anthropic': (t) => anthropic(Anthropic)(t).messages.create(claude),
  'anthropic-stream': (t) => all(anthropic(Anthropic)(t).messages.stream(claude)),
  'anthropic-x-api-key': (t) => anthropic(AnthropicXApiKey)(t).messages.create(claude),
  'anthropic-x-api-key-stream': (t) => all(anthropic(AnthropicXApiKey)(t).messages.stream(claude)),

  'genai': (t) => genai(t).models.generateContent(gemini),
  'genai-stream': async (t) => all(await genai(t).models.generateContentStream(gemini)),
  'genai-embed': (t) => genai(t).models.embedContent({ model: 'gemini-embedding-001', contents: 'x' }),

  'cohere-chat': (t) => cohere(t).chat(command),
  'cohere-chat-stream': async (t) => all(await cohere(t).chatStream(command)),
  'cohere-embed': (t) => cohere(t).embed({ model: 'embed-v4.0', inputType: 'search_query',
    embeddingTypes: ['float'], texts: ['x'] }),
  'cohere-rerank': (t) => cohere(t).rerank({ model: 'rerank-v3.5', query: 'q', documents: ['a', 'b'] }),

  'mistral-chat': (t) => mistral(t).chat.complete(small, { headers: t.headers }),
  'mistral-chat-stream': async (t) => all(await mistral(t).chat.stream(small, { headers: t.headers })),

  'ollama-chat': (t) => ollama(t).chat(llama),
  'ollama-chat-stream': async (t) => all(await ollama(t).chat({ ...llama, stream: true })),

  ...bedrockCalls('bedrock-h2', (t, h2) => bedrock(t, signed, h2), true),
  ...bedrockCalls('bedrock-bearer', (t) => bedrock(t, bearer(t), false)),

  'vercel-chat': async (t) => {
    const r = await generateText({ model: vercel(t).chat('gpt-4o'), prompt: text });
    return { text: r.text, usage: r.usage, finish: r.finishReason };
  },
  'vercel-chat-stream': async (t) => {
    const r = streamText({ model: vercel(t).chat('gpt-4o'), prompt: text });
    return { parts: await all(r.textStream), usage: await r.usage, finish: await r.finishReason };
  },
  'vercel-responses': async (t) => {
    const r = await generateText({ model: vercel(t)('gpt-4o'), prompt: native });
    return { text: r.text, usage: r.usage, finish: r.finishReason };
  },
  'vercel-responses-stream': async (t) => {
    const r = streamText({ model: vercel(t)('gpt-4o'), prompt: native });
    return { parts: await all(r.textStream), usage: await r.usage, finish: await r.finishReason };
  },
  'vercel-embed': async (t) => {
    const r = await embed({ model: vercel(t).embedding('text-embedding-3-small'), value: 'x' });
    return { embedding: r.embedding, usage: r.usage };
  },
};

// what the provider makes up anew at each call

const volatile = new Set(['id', 'created', 'created_at', 'createdAt', 'createTime', 'completed_at', 'response_id',
  'responseId', 'generation_id', 'item_id', 'itemId', 'msgId', '_request_id', 'sdkHttpResponse', '$metadata', 'headers',
  'rawResponse', 'request_id', 'requestId', 'latencyMs']);

const steady = (value) => JSON.stringify(value, (k, v) =>
  volatile.has(k) ? undefined : v instanceof Date ? 'date' : v);

async function attempt(call, target) {
  try {
    return { got: steady(await call(target)) };
  } catch (e) {
    return { error: e?.constructor?.name, name: e?.name,
      status: e?.status ?? e?.statusCode ?? e?.status_code ?? e?.$metadata?.httpStatusCode ?? null,
      message: String(e?.message).slice(0, 300) };
  }
}

// call-file: the same client, answered with the file

const files = {
  'openai-chat': '01-openai-chat-json.json',
  'openai-chat-stream-usage': '04-openai-chat-sse.sse',
  'openai-responses': '12-openai-responses-json.json',
  'openai-responses-stream': '15-openai-responses-sse.sse',
  'openai-embeddings': '18-openai-embeddings-json.json',
  'anthropic': '49-anthropic-messages-json.json',
  'anthropic-x-api-key-stream': '50-anthropic-messages-sse.sse',
  'genai': '55-gemini-generate-json.json',
  'genai-stream': '57-gemini-stream-sse.sse',
  'genai-embed': '62-gemini-embed-json.json',
  'cohere-chat': '76-cohere-v2-chat-json.json',
  'cohere-chat-stream': '77-cohere-v2-chat-sse.sse',
  'cohere-embed': '80-cohere-embed-json.json',
  'cohere-rerank': '81-cohere-rerank-json.json',
  'mistral-chat-stream': '31-mistral-chat-sse.sse',
  'ollama-chat': '82-ollama-chat-json.json',
  'ollama-chat-stream': '83-ollama-chat-ndjson.ndjson',
  'bedrock-bearer': '66-bedrock-converse-json.json',
  'bedrock-bearer-invoke-stream': '74-bedrock-invoke-stream.aws',
  'bedrock-h2-invoke-stream': '74-bedrock-invoke-stream.aws',
  'bedrock-h2-stream': '67-bedrock-converse-stream.aws',
  'vercel-chat': '01-openai-chat-json.json',
  'vercel-chat-stream': '04-openai-chat-sse.sse',
  'vercel-embed': '18-openai-embeddings-json.json',
};

const only = ['bedrock-bearer-invoke-stream', 'bedrock-h2-invoke-stream', 'openai-embeddings', 'genai-embed', 'cohere-embed', 'cohere-rerank', 'vercel-embed'];

async function compare(id, call, file) {
  const headers = file ? { 'X-File': file } : {};
  const direct = await attempt(call, { base: file ? fixed : provider, key,
    headers: { ...headers, 'X-Request-ID': 'direct-' + id } });
  const via = await attempt(call, { base: gateway, h2: gatewayH2, key,
    headers: { ...headers, 'X-Request-ID': id } });

  console.log(JSON.stringify({ id, ...via, same: via.got !== undefined && via.got === direct.got,
    ...(via.got === direct.got ? {} : { direct: direct.got ?? direct }) }));
}

// aimock's own events of invoke-with-response-stream are none that this client reads

// what the gateway refuses, with the client's own idea of when to try again

async function refused(id, call, target) {
  const r = await attempt(call, { base: gateway, ...target,
    headers: { ...target.headers, 'X-Request-ID': id } });
  console.log(JSON.stringify({ id, ...r }));
}

async function loop(id, call) {
  const headers = { 'X-Agent-Session': id };
  await attempt(call, { base: gateway, key, headers });
  await refused(`loop-${id}`, call, { key, headers });
}

const work = [];

for (const [id, call] of Object.entries(calls)) {

  // nothing listens with HTTP/2 at the provider

  const h2 = id.startsWith('bedrock-h2');
  const pair = h2 ? (t) => (t.h2 ? call(t) : calls[id.replace('h2', 'bearer')](t)) : call;

  if (!only.includes(id)) work.push(compare(id, pair));
  if (files[id]) work.push(compare(`${id}+${files[id]}`, pair, files[id]));

  if (!/stream|invoke|h2|embed|rerank/.test(id)) {
    work.push(refused(`wrong-${id}`, call, { key: 'sk-wrong' }));
    if (!/vercel/.test(id)) work.push(loop(id, call));      // it tries thrice, for 6 s
  }
}

await Promise.all(work);
process.exit(0);
