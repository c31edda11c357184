// Elastic's OTLP server, as an OTLP receiver that is not ours:
//   node otlp-elastic.cjs HTTP_PORT GRPC_PORT SPANS_FILE
const fs = require('fs');
const { MockOtlpServer, normalizeTrace } = require('@elastic/mockotlpserver');

const [, , httpPort, grpcPort, file] = process.argv;

new MockOtlpServer({
  httpHostname: '127.0.0.1', httpPort: +httpPort, grpcHostname: '127.0.0.1', grpcPort: +grpcPort,
  logLevel: 'warn', services: ['http', 'grpc'],
  onTrace: (t) => {
    for (const rs of normalizeTrace(t).resourceSpans) {
      for (const ss of rs.scopeSpans) {
        for (const s of ss.spans) {
          fs.appendFileSync(file, JSON.stringify({ resource: rs.resource?.attributes, ...s }) + '\n');
        }
      }
    }
  },
}).start();
