// An OTLP receiver on OpenTelemetry's own .proto files and grpc-js:
//   node otlp.cjs HTTP_PORT GRPC_PORT SPANS_FILE
// One JSON line for every span taken, and one {"export":...} for every request,
// refused ones too. POST /_next queues what the next requests get:
//   {"status":503,"headers":{},"body":"","grpc":14,"details":"<base64>","times":1,
//    "rejected":0,"message":""}
const fs = require('fs'), http = require('http'), zlib = require('zlib');
const grpc = require('@grpc/grpc-js');
const path = require('path'), protobuf = require('protobufjs');

// the .proto files of OpenTelemetry, as Elastic ships them
const base = path.dirname(require.resolve('@elastic/mockotlpserver/package.json'));
const proto = new protobuf.Root();
proto.resolvePath = (_, target) => path.join(base, target);
proto.loadSync('opentelemetry/proto/collector/trace/v1/trace_service.proto');
const root = proto.lookup('opentelemetry.proto.collector.trace.v1');

const [, , httpPort, grpcPort, file] = process.argv;
const Request = root.ExportTraceServiceRequest, Response = root.ExportTraceServiceResponse;
const next = [];

const write = (...all) => fs.appendFileSync(file, all.map((o) => JSON.stringify(o) + '\n').join(''));
const hex = (b) => Buffer.from(b || []).toString('hex');
const value = (v) => (v?.value === 'intValue' ? Number(v.intValue)
  : v?.value === 'arrayValue' ? v.arrayValue.values.map(value) : v?.[v.value]);
const attrs = (a) => Object.fromEntries((a || []).map((x) => [x.key, value(x.value)]));

function take(via, message, headers) {
  const spans = [];             // seen all at once, or not yet
  for (const rs of message.resourceSpans) {
    for (const ss of rs.scopeSpans) {
      for (const s of ss.spans) {
        spans.push({
          via, resource: attrs(rs.resource.attributes), scope: ss.scope.name,
          trace: hex(s.traceId), span: hex(s.spanId), parent: hex(s.parentSpanId),
          state: s.traceState, name: s.name, kind: s.kind, flags: s.flags,
          start: String(s.startTimeUnixNano), end: String(s.endTimeUnixNano),
          attrs: attrs(s.attributes), status: s.status?.code ?? 0,
          events: s.events.map((e) => ({ name: e.name, time: String(e.timeUnixNano), attrs: attrs(e.attributes) })),
          links: s.links.map((l) => ({ trace: hex(l.traceId), span: hex(l.spanId), state: l.traceState, flags: l.flags })),
        });
      }
    }
  }
  write(...spans, { export: spans.length, via, headers, time: Date.now() });
}

function planned() {
  if (!next.length) return {};
  if (next[0].times > 1) { next[0].times--; return next[0]; }
  return next.shift();
}

const answer = (plan) => Buffer.from(Response.encode(plan.rejected || plan.message
  ? { partialSuccess: { rejectedSpans: plan.rejected || 0, errorMessage: plan.message || '' } } : {}).finish());

http.createServer((q, r) => {
  const chunks = [];
  q.on('data', (d) => chunks.push(d)).on('end', () => {
    const body = Buffer.concat(chunks);
    if (q.url === '/_next') { next.push(JSON.parse(body)); return r.end('ok'); }

    const plan = planned();
    if (plan.status && plan.status !== 200) {
      write({ export: 0, refused: plan.status, time: Date.now() });
      r.writeHead(plan.status, plan.headers || {});
      return r.end(plan.body || '');
    }

    try {
      const type = 'application/x-protobuf';
      if (q.method !== 'POST' || q.url !== '/v1/traces') {
        write({ path: q.url });
        r.statusCode = 404;
        return r.end();
      }
      if (q.headers['content-type'] !== type) { r.statusCode = 415; return r.end(); }
      const plain = q.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(body) : body;
      take('http', Request.decode(plain), q.headers);
      r.writeHead(200, { 'content-type': plan.type || type });
      r.end(plan.body ?? answer(plan));
    } catch (e) {
      write({ export: 0, bad: e.message });
      r.statusCode = 400;
      r.end();
    }
  });
}).listen(+httpPort, '127.0.0.1');

const server = new grpc.Server();

server.addService({
  Export: {
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    requestStream: false, responseStream: false,
    requestDeserialize: (b) => Request.decode(b), requestSerialize: (x) => x,
    responseSerialize: (x) => x, responseDeserialize: (x) => x,
  },
}, {
  Export: (call, done) => {
    const plan = planned();
    if (plan.grpc) {
      write({ export: 0, refused: plan.grpc, time: Date.now() });
      const metadata = new grpc.Metadata();
      if (plan.details) metadata.set('grpc-status-details-bin', Buffer.from(plan.details, 'base64'));
      return done({ code: plan.grpc, details: plan.message || 'planned', metadata });
    }
    take('grpc', call.request, call.metadata.getMap());
    done(null, answer(plan));
  },
});

server.bindAsync(`127.0.0.1:${grpcPort}`, grpc.ServerCredentials.createInsecure(), (e) => {
  console.error(e ?? 'ready');
});
