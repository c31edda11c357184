// node limits.mjs BASE_URL DIR RPM_KEY BUDGET_KEY MODEL_KEY: what the official
// clients make of a key's limits, one JSON line a call

import fs from 'node:fs';
import OpenAI, { toFile } from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { BedrockRuntimeClient, ConverseCommand } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';

const [,, base, dir, rpm, budget, model] = process.argv;

// a client that is told to wait does so until the test has said "go"; node's
// own connections have timers as well

const sleep = globalThis.setTimeout;
let waits = [];

globalThis.setTimeout = (code, ms, ...args) => {
  if (!(ms >= 900 && ms <= 60000) || /undici/.test(new Error().stack)) {
    return sleep(code, ms, ...args);
  }
  waits.push(ms);
  fs.writeFileSync(`${dir}/waiting`, String(ms));
  const look = () => (fs.existsSync(`${dir}/go`) ? code(...args) : sleep(look, 20));
  return sleep(look, 20);
};

const openai = (apiKey) => new OpenAI({ baseURL: base + '/v1', apiKey, maxRetries: 2 });
const anthropic = (apiKey) => new Anthropic({ baseURL: base, apiKey, maxRetries: 2 });
const messages = [{ role: 'user', content: 'hello there' }];

async function call(id, code) {
  const out = { id };
  waits = [];
  for (const f of ['waiting', 'go']) fs.rmSync(`${dir}/${f}`, { force: true });
  try {
    const r = await code({ headers: { 'X-Request-ID': id } });
    Object.assign(out, { model: r.model ?? null, text: r.text, created: r.created });
  } catch (e) {
    Object.assign(out, { error: e?.constructor?.name, status: e?.status, code: e?.code ?? null,
      type: e?.type ?? e?.error?.error?.type ?? null });
  }
  console.log(JSON.stringify({ ...out, waits }));
}

const ask = (key) => (o) => openai(key).chat.completions.create({ model: 'gpt-4o', messages }, o);
const askClaude = (key) => (o) =>
  anthropic(key).messages.create({ model: 'claude-1', max_tokens: 64, messages }, o);

const askBedrock = (key) => () => new BedrockRuntimeClient({ endpoint: base, region: 'us-east-1', maxAttempts: 1,
  token: { token: key }, authSchemePreference: ['httpBearerAuth'], requestHandler: new NodeHttpHandler() })
  .send(new ConverseCommand({ modelId: 'a.b', messages: [{ role: 'user', content: [{ text: 'hello' }] }] }));

await call('first', ask(rpm));
await call('retried', ask(rpm));
await call('budget', ask(budget));
await call('budget-claude', askClaude(budget));
await call('model', ask(model));
await call('budget-bedrock', askBedrock(budget));
await call('model-bedrock', askBedrock(model));
await call('unknown-bedrock', askBedrock('nobody'));

// forms: sound and images are sent as files, the model in a field beside

const sound = () => toFile(Buffer.alloc(300000, '\r\n--'), 'ein "Gruß".wav', { type: 'audio/wav' });
const transcribe = (name) => async (o) =>
  openai(model).audio.transcriptions.create({ file: await sound(), model: name,
    timestamp_granularities: ['word'], response_format: 'verbose_json' }, o);

await call('transcription', transcribe('gpt-5-transcribe'));
await call('other-transcription', transcribe('whisper-1'));
await call('image', async (o) =>
  openai(model).images.edit({ image: [await sound(), await sound()], prompt: 'Grüße',
    model: 'gpt-5-image' }, o));

// timers that a client has given up stand still, but keep node waiting

process.exit(0);
