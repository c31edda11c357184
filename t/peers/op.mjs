// An OpenID provider that signs in whoever login_hint names, without asking.
// usage: node op.mjs PORT REDIRECT_URI[,...]
// environment: ASK=1 asks with pages of its own; USERINFO=1 keeps the e-mail
// address out of the ID token; POST=1 wants client_secret_post; CODE_TTL=n;
// ALGS=RS256,... adds a client aiobs:ALG for each, whose ID tokens are signed so

import http from 'node:http';
import crypto from 'node:crypto';
import Provider from 'oidc-provider';

const port = +process.argv[2];
const env = process.env;
const issuer = `http://127.0.0.1:${port}`;

const users = {
    alice: { email: 'Alice@Example.com', email_verified: true, hd: 'example.com' },
    mallory: { email: 'mallory@example.com', email_verified: false },
    eve: { email: 'eve@evil.test', email_verified: true },
    carol: { email: 'carol@elsewhere.test', email_verified: true },
    nobody: {},
};

const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const algs = env.ALGS?.split(',') ?? [];
const kinds = { ES256: ['ec', 'P-256'], ES384: ['ec', 'P-384'], ES512: ['ec', 'P-521'], EdDSA: ['ed25519'], Ed25519: ['ed25519'] };

const client = (id, alg) => ({
    client_id: id, client_secret: 'very secret/+%&=',
    redirect_uris: process.argv[3].split(','),
    grant_types: ['authorization_code'], response_types: ['code'],
    token_endpoint_auth_method: env.POST ? 'client_secret_post' : 'client_secret_basic',
    id_token_signed_response_alg: alg,
});

const key = (alg, i) => {
    const [type, namedCurve] = kinds[alg] ?? ['rsa'];
    const pair = crypto.generateKeyPairSync(type, { modulusLength: 2048, namedCurve });
    return { ...pair.privateKey.export({ format: 'jwk' }), kid: `a${i}`, alg, use: 'sig' };
};

const op = new Provider(issuer, {
    clients: [client('aiobs:1', 'RS256'), ...algs.map((alg) => client(`aiobs:${alg}`, alg))],
    ...(env.ALGS && { enabledJWA: { idTokenSigningAlgValues: [...new Set(['RS256', ...algs])] } }),
    clientAuthMethods: env.POST ? ['client_secret_post'] : ['client_secret_basic', 'client_secret_post'],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' },
        ...algs.map(key)] },
    cookies: { keys: ['only for tests'] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified', 'hd'] },
    conformIdTokenClaims: !!env.USERINFO,
    findAccount: (ctx, id) => ({
        accountId: id,
        claims: () => ({ sub: id, ...(users[id] ?? { email: `${id}@example.com`, email_verified: true }) }),
    }),
    features: { devInteractions: { enabled: !!env.ASK } },
    ...(!env.ASK && { interactions: { url: (ctx, i) => `/interaction/${i.uid}` } }),
    ttl: { AuthorizationCode: +(env.CODE_TTL ?? 60), AccessToken: 600, IdToken: 600,
        Interaction: 600, Session: 600, Grant: 600 },
});

for (const e of ['server_error', 'authorization.error', 'grant.error', 'userinfo.error']) {
    op.on(e, (ctx, err) => console.log(e, err.name, err.error_description ?? err.message));
}

const callback = op.callback();

async function interaction(req, res) {
    const { params } = await op.interactionDetails(req, res);

    if (params.login_hint === 'deny') {
        return op.interactionFinished(req, res,
            { error: 'access_denied', error_description: 'the user said no' });
    }

    const accountId = params.login_hint ?? 'alice';
    const grant = new op.Grant({ accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);

    return op.interactionFinished(req, res,
        { login: { accountId }, consent: { grantId: await grant.save() } },
        { mergeWithLastSubmission: false });
}

http.createServer((req, res) => {
    if (!env.ASK && req.url.startsWith('/interaction/')) {
        interaction(req, res);
    } else {
        callback(req, res);
    }
}).listen(port, '127.0.0.1');
