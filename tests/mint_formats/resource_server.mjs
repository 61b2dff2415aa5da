// A resource server that trusts the emergency issuer by a key set on its own disk. Answers 200, or 401 and which check refused.
// Usage: node resource_server.mjs FOLDER_WITH_NODE_MODULES KEY_SET DENIED REQUESTS
//            reads requests as JSON, one a line, in the order in which they come, and prints the answers
//        node resource_server.mjs FOLDER_WITH_NODE_MODULES KEY_SET DENIED listen CLOCK [CERTIFICATE KEY]
//            listens on 127.0.0.1 until its input ends, and prints where; with a certificate over TLS, and asks the client for one.
//            CLOCK is by how many seconds its clock is ahead
// ISSUER and AUDIENCE in the environment are those of the tokens that it takes.
import { createHash, webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const { ISSUER = 'urn:example:emergency', AUDIENCE = 'https://api.example' } = process.env
globalThis.crypto ??= webcrypto // Node.js 18 of Debian 12 has it, but not there
const [folder, keySet, denied, requests, ahead = '0', certificate, key] = process.argv.slice(2)
const jose = await import(pathToFileURL(createRequire(`${folder}/`).resolve('jose')))
const keys = jose.createLocalJWKSet(JSON.parse(readFileSync(keySet, 'utf8')))
const gone = new Set(readFileSync(denied, 'utf8').split('\n').filter(Boolean))
const seen = new Set()
const now = () => new Date(Date.now() + Number(ahead) * 1000)

class Refused extends Error {}
const refuse = (why) => { throw new Refused(why) }
const check = (good, why) => { if (!good) refuse(why) }

async function judge({ method, url, authorization, dpop, certificate }) {
  const [scheme, token] = authorization.split(' ')
  const { payload } = await jose.jwtVerify(token, keys, {
    algorithms: ['ES256'],
    typ: 'at+jwt',
    issuer: ISSUER,
    audience: AUDIENCE,
    maxTokenAge: '15 minutes', // five that it is backdated, five that it holds, five of clocks
    clockTolerance: 0,
    currentDate: now(),
    requiredClaims: ['sub', 'client_id', 'jti', 'iat', 'exp', 'cnf', 'scope'],
  }).catch(() => refuse('token'))
  check(!gone.has(payload.jti), 'denied')
  if (payload.cnf['x5t#S256'] !== undefined) {
    check(scheme === 'Bearer', 'scheme') // RFC 8705 section 3: the connection is the proof
    check(certificate === payload.cnf['x5t#S256'], 'x5t')
    return payload
  }
  check(scheme === 'DPoP', 'scheme')
  const proof = await jose.jwtVerify(dpop, jose.EmbeddedJWK, { algorithms: ['ES256'], typ: 'dpop+jwt' })
    .catch(() => refuse('proof'))
  const claims = proof.payload
  check(claims.htm === method, 'htm')
  check(claims.htu === url, 'htu')
  check(Math.abs(claims.iat - now() / 1000) <= 300, 'iat')
  check(claims.ath === createHash('sha256').update(token).digest('base64url'), 'ath')
  check((await jose.calculateJwkThumbprint(proof.protectedHeader.jwk)) === payload.cnf.jkt, 'jkt')
  check(!seen.has(claims.jti), 'replay')
  seen.add(claims.jti)
  return payload
}

async function answer(request) {
  try {
    const { sub, incident, record } = await judge(request)
    return [200, `200 ${sub} ${incident} ${record}`]
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return [401, `401 ${error.message}`]
  }
}

/** `x5t#S256` of who is at the other end, if they showed a certificate. */
const shown = (socket) => {
  const der = socket.getPeerCertificate?.().raw
  return der && createHash('sha256').update(der).digest('base64url')
}

if (requests === 'listen') {
  const listener = async ({ method, url, headers, socket }, response) => {
    const { authorization = '', dpop = '' } = headers
    const whole = `${base}${url.split('?')[0]}`
    const [status, text] = await answer({ method, url: whole, authorization, dpop, certificate: shown(socket) })
    response.writeHead(status).end(`${text}\n`)
  }
  const tls = certificate && {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    requestCert: true,
    rejectUnauthorized: false, // which certificate is good, the token says
  }
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const base = `${tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`
  console.log(base)
  process.stdin.resume().on('end', () => process.exit())
} else {
  const asked = { method: 'GET', url: 'https://api.example/things' }
  for (const line of readFileSync(requests, 'utf8').split('\n').slice(0, -1)) {
    const [, text] = await answer({ ...asked, ...JSON.parse(line) })
    console.log(text.startsWith('200') ? '200' : text)
  }
}
