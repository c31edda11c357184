// node sdk.mjs BASE_URL KEY: drives the official clients, one JSON line a call

import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import AnthropicXApiKey from 'anthropic-x-api-key';

const [,, base, key] = process.argv;

const openai = (options = {}) =>
  new OpenAI({ baseURL: base + '/v1', apiKey: key, maxRetries: 0, ...options });
const anthropic = (Class, options = {}) =>
  new Class({ baseURL: base, apiKey: key, maxRetries: 0, ...options });

async function call(name, id, code) {
  const out = { name, id };
  try {
    Object.assign(out, await code({ headers: { 'X-Request-ID': id } }));
  } catch (e) {
    Object.assign(out, { error: e?.constructor?.name, status: e?.status,
      message: String(e?.message).slice(0, 200), code: e?.code ?? null });
  }
  console.log(JSON.stringify(out));
}

const ask = (text) => ({ model: 'gpt-4o', messages: [{ role: 'user', content: text }] });
const askClaude = (text) =>
  ({ model: 'claude-opus-5', max_tokens: 64, messages: [{ role: 'user', content: text }] });

async function openaiStream(params, options) {
  let text = '', chunks = 0, usage = null, usageKey = false;
  const stream = await openai().chat.completions.create({ ...params, stream: true }, options);
  for await (const c of stream) {
    chunks++;
    text += c.choices[0]?.delta?.content ?? '';
    usage = c.usage ?? usage;
    usageKey ||= 'usage' in c;
  }
  return { text, chunks, usage, usageKey };
}

await call('openai', 'sdk-1', async (o) => {
  const r = await openai().chat.completions.create(ask('with-usage'), o);
  return { text: r.choices[0].message.content, usage: r.usage, request_id: r._request_id };
});
await call('openai stream with usage', 'sdk-2', (o) =>
  openaiStream({ ...ask('with-usage'), stream_options: { include_usage: true } }, o));
await call('openai stream without usage', 'sdk-3', (o) => openaiStream(ask('with-usage'), o));

for (const [n, Class] of [['4', Anthropic], ['5', AnthropicXApiKey]]) {
  await call('anthropic', `sdk-${n}`, async (o) => {
    const r = await anthropic(Class).messages.create(askClaude('native-usage'), o);
    return { text: r.content[0].text, usage: r.usage };
  });
  await call('anthropic stream', `sdk-${n}s`, async (o) => {
    const r = await anthropic(Class).messages.stream(askClaude('native-usage'), o).finalMessage();
    return { text: r.content[0].text, usage: r.usage };
  });
}

// a wrong key: the client's own authentication error, after one request

const wrong = { apiKey: 'sk-wrong', maxRetries: 2 };
await call('openai wrong key', 'sdk-6', (o) =>
  openai(wrong).chat.completions.create(ask('hi'), o));
await call('anthropic wrong key', 'sdk-7', (o) =>
  anthropic(Anthropic, wrong).messages.create(askClaude('hi'), o));
await call('anthropic x-api-key wrong key', 'sdk-8', (o) =>
  anthropic(AnthropicXApiKey, wrong).messages.create(askClaude('hi'), o));

// errors of the provider reach the client as they are, and are tried again

await call('openai 429', 'sdk-9', (o) =>
  openai({ maxRetries: 1 }).chat.completions.create(ask('err429'), o));
await call('openai 500', 'sdk-10', (o) => openai().chat.completions.create(ask('err500'), o));
await call('anthropic 500', 'sdk-11', (o) =>
  anthropic(Anthropic).messages.create(askClaude('err500'), o));

// broken answers

await call('openai malformed', 'sdk-12', (o) =>
  openai().chat.completions.create(ask('malformed'), o));
await call('openai stream cut off', 'sdk-13', (o) => openaiStream(ask('cutoff'), o));

// the client leaves in the middle of a stream

await call('openai stream abandoned', 'sdk-14', async (o) => {
  const stream = await openai().chat.completions.create(
    { ...ask('slow'), stream: true }, o);
  let chunks = 0;
  for await (const c of stream) {
    if (++chunks === 3) break;
  }
  stream.controller.abort();
  return { chunks };
});
