// Envelopes as Spotlight has captured them, read by Sentry's own parser:
//   node sentry.cjs DIRECTORY    one JSON line for each: [header, items]
// the trace in which an application goes on, as an SDK takes it from headers
//   node sentry.cjs - TRACE BAGGAGE
// and a receiver that says what it is told to:
//   node sentry.cjs PORT FILE    bodies and headers as JSON lines; POST /_say
const fs = require('fs');
const http = require('http');
const zlib = require('zlib');

if (process.argv[2] === '-') {
  const { propagationContextFromHeaders } = require('@sentry/core');
  const { traceId, parentSpanId, sampled, dsc } = propagationContextFromHeaders(process.argv[3], process.argv[4]);
  console.log(JSON.stringify({ traceId, parentSpanId, sampled, dsc }));
} else if (process.argv.length === 3) {
  const { parseEnvelope } = require('@sentry/core');
  const dir = process.argv[2];

  for (const name of fs.readdirSync(dir).sort()) {
    if (!name.endsWith('.txt')) continue;

    const [header, items] = parseEnvelope(fs.readFileSync(`${dir}/${name}`));
    const read = items.map(([h, body]) => [h, body instanceof Uint8Array ? JSON.parse(Buffer.from(body).toString()) : body]);
    console.log(JSON.stringify([header, read]));
  }
} else {
  let say = [];

  http.createServer((req, res) => {
    const chunks = [];
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const body = (req.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(bytes) : bytes).toString();

      if (req.url === '/_say') {
        say = JSON.parse(body);
        res.end();
        return;
      }

      fs.appendFileSync(process.argv[3], JSON.stringify({ url: req.url, headers: req.headers, size: bytes.length, body }) + '\n');
      const next = say.length ? say.shift() : { status: 200 };
      res.writeHead(next.status, next.headers || {});
      res.end('{}');
    });
  }).listen(Number(process.argv[2]), '127.0.0.1');
}
