// An OpenID provider that lies: what is wrong with its answer is what the code
// asks for. The code is a JSON object in base64url: { mode, nonce, ... }.
// usage: node hostile-op.mjs PORT
// Issuers: http://127.0.0.1:PORT and the same with /MODE behind it, whose
// metadata is wrong in that way.

import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import crypto from 'node:crypto';

const port = +process.argv[2];
const tls = process.env.TLS;     // path of FILE.key and FILE.pem
const origin = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
const b64 = (x) => Buffer.from(x).toString('base64url');
const json = (x) => b64(JSON.stringify(x));

function keys(kid) {
    const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    return { ...rsa, jwk: { ...rsa.publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' } };
}

let k1 = keys('k1');
const stranger = keys('k1');
const k2 = keys('k2');
const k3 = keys('k3');
const ec = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = crypto.generateKeyPairSync('ed25519');
let published = [k1.jwk,
    { ...ec.publicKey.export({ format: 'jwk' }), kid: 'e1', use: 'sig' },
    { ...ed.publicKey.export({ format: 'jwk' }), kid: 'd1', use: 'sig' }];
const fetched = { jwks: 0, metadata: 0 };
let failing;

function sign(header, claims, key) {
    const text = `${json(header)}.${json(claims)}`;
    const data = Buffer.from(text);

    if (header.alg === 'ES256') {
        return `${text}.${b64(crypto.sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }))}`;
    }

    return `${text}.${b64(crypto.sign(header.alg === 'EdDSA' ? null : 'sha256', data, key))}`;
}

// the ID token of a mode; undefined: none

function idToken(ask) {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: origin, sub: ask.sub ?? 'alice', aud: 'aiobs', nonce: ask.nonce, exp: now + 300,
        iat: now, email: 'alice@example.com', email_verified: true, ...ask.claims };
    for (const name of ask.without ?? []) delete claims[name];

    const pem = k1.publicKey.export({ type: 'spki', format: 'pem' });
    const hs = (secret) => {
        const text = `${json({ alg: 'HS256', kid: 'k1' })}.${json(claims)}`;
        return `${text}.${crypto.createHmac('sha256', secret).update(text).digest('base64url')}`;
    };

    switch (ask.mode) {
    case 'none': return `${json({ alg: 'none' })}.${json(claims)}.`;
    case 'hs256-pem': return hs(pem);
    case 'hs256-secret': return hs('client secret');
    case 'unknown-kid': return sign({ alg: 'RS256', kid: 'k9' }, claims, k1.privateKey);
    case 'stranger': return sign({ alg: 'RS256', kid: 'k1' }, claims, stranger.privateKey);
    case 'new-key':
        published = [k2.jwk];
        return sign({ alg: 'RS256', kid: 'k2' }, claims, k2.privateKey);
    case 'newer-key':
        published = [k3.jwk];
        return sign({ alg: 'RS256', kid: 'k3' }, claims, k3.privateKey);
    case 'es256': return sign({ alg: 'ES256', kid: 'e1' }, claims, ec.privateKey);
    case 'eddsa': return sign({ alg: 'EdDSA', kid: 'd1' }, claims, ed.privateKey);
    case 'at-hash': claims.at_hash = b64(crypto.createHash('sha256').update('another').digest().subarray(0, 16)); break;
    case 'at-hash-right': claims.at_hash = b64(crypto.createHash('sha256').update('access').digest().subarray(0, 16)); break;
    case 'cut': return sign({ alg: 'RS256', kid: 'k1' }, claims, k1.privateKey).slice(0, -20);
    case 'huge': claims.x = 'x'.repeat(20000); break;
    case 'no-id-token': return undefined;
    case 'number': return 7;
    }

    return sign({ alg: 'RS256', kid: 'k1' }, claims, k1.privateKey);
}

function send(res, status, body, headers = {}) {
    res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    res.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function endless(res) {
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.write('{"x":"');
    const timer = setInterval(() => res.write('x'.repeat(65536)), 1);
    res.on('close', () => clearInterval(timer));
}

function drip(res) {
    res.writeHead(200, { 'Content-Type': 'application/json' });
    const timer = setInterval(() => res.write(' '), 100);
    res.on('close', () => clearInterval(timer));
}

// how an HTTP answer is wrong; true: it was sent

function broken(mode, res) {
    switch (mode) {
    case 'slow': return true;
    case 'drip': drip(res); return true;
    case 'endless': endless(res); return true;
    case 'reset': res.socket.destroy(); return true;
    case 'garbage': send(res, 200, '<html>\0\x01not JSON'); return true;
    case 'array': send(res, 200, '[]'); return true;
    case 'twice': send(res, 200, '{"a":1,"a":2}'); return true;
    case 'deep': send(res, 200, '['.repeat(60000)); return true;
    case '500': send(res, 500, { error: 'server_error' }); return true;
    case '404': send(res, 404, 'no'); return true;
    case 'redirect': send(res, 302, '', { Location: `${origin}/elsewhere` }); return true;
    case 'file': send(res, 302, '', { Location: 'file:///etc/passwd' }); return true;
    case 'truncated':
        res.writeHead(200, { 'Content-Length': '1000' });
        res.write('{"id_token":"');
        setTimeout(() => res.socket.destroy(), 20);
        return true;
    case 'not-http': res.socket.end('SSH-2.0-OpenSSH_9.2\r\n'); return true;
    case 'headers': send(res, 200, '{}', { 'X-Long': 'x'.repeat(15000) }); return true;
    }

    return false;
}

function metadata(mode, res) {
    const m = { issuer: mode ? `${origin}/${mode}` : origin, authorization_endpoint: `${origin}/auth?x=1`,
        token_endpoint: `${origin}/token`, userinfo_endpoint: `${origin}/me`, jwks_uri: `${origin}/jwks` };

    if (broken(mode ?? failing, res)) return;

    switch (mode) {
    case 'issuer': m.issuer = origin; break;
    case 'no-token': delete m.token_endpoint; break;
    case 'number': m.jwks_uri = 5; break;
    case 'scheme': m.token_endpoint = 'file:///etc/passwd'; break;
    case 'clear': m.token_endpoint = 'http://example.com/token'; break;
    case 'user': m.authorization_endpoint = 'https://a@example.com/'; break;
    case 'lines': m.authorization_endpoint = `${origin}/auth\r\nSet-Cookie: x=y`; break;
    case 'long': m.jwks_uri = `${origin}/${'x'.repeat(2000)}`; break;
    case 'jwks-garbage': m.jwks_uri = `${origin}/broken/garbage`; break;
    case 'jwks-endless': m.jwks_uri = `${origin}/broken/endless`; break;
    case 'bom': return send(res, 200, '\ufeff' + JSON.stringify({ ...m, jwks_uri: `${origin}/jwks?bom` }) + '\r\n');
    case 'null': m.userinfo_endpoint = null; break;
    case 'bell': m.issuer = 'http://x\n2026/01/01 [crit] forged\x07'; break;
    }

    send(res, 200, m);
}

function token(body, res) {
    const ask = JSON.parse(Buffer.from(new URLSearchParams(body).get('code'), 'base64url'));

    if (broken(ask.mode, res)) return;

    if (ask.mode === 'late') {
        delete ask.mode;
        body = new URLSearchParams({ code: Buffer.from(JSON.stringify(ask)).toString('base64url') }).toString();
        return setTimeout(() => token(body, res), 800);
    }

    if (ask.error) return send(res, ask.status ?? 400, { error: ask.error, error_description: 'secret text' });

    userinfo = ask.userinfo;
    send(res, 200, { token_type: 'Bearer', access_token: ask.mode === 'no-access' ? undefined
        : ask.mode === 'lines' ? 'a\r\nX-Evil: 1'
        : ask.mode === 'long-access' ? 'a'.repeat(9000) : 'access', id_token: idToken(ask) });
}

let userinfo;

function answer(req, res) {
    const path = req.url.split('?')[0];
    let body = '';

    req.on('data', (d) => { body += d; });
    req.on('end', () => {
        const found = path.match(/^(?:\/([^/]+))?\/\.well-known\/openid-configuration$/);

        if (found) { fetched.metadata++; return metadata(found[1], res); }
        if (path === '/jwks') {
            fetched.jwks++;
            return send(res, 200, (req.url.endsWith('bom') ? '\ufeff' : '') + JSON.stringify({ keys: published }));
        }
        if (path === '/token') return token(body, res);
        if (path === '/fetched') return send(res, 200, fetched);
        if (path.startsWith('/failing/')) { failing = path.slice(9); return send(res, 200, {}); }
        if (path.startsWith('/broken/')) return broken(path.slice(8), res);
        if (path === '/me') {
            if (broken(userinfo?.mode, res)) return;
            return send(res, 200, userinfo ?? {});
        }

        send(res, 404, {});
    });
}

(tls ? https.createServer({ key: fs.readFileSync(`${tls}.key`), cert: fs.readFileSync(`${tls}.pem`) }, answer)
    : http.createServer(answer)).listen(port, '127.0.0.1');
