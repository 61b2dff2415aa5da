// A resource server that trusts the emergency issuer by a key set on its own disk. Reads requests as JSON, one a line, in the
// order in which they come; prints what it answers: 200, or 401 and which check refused.
// Usage: node resource_server.mjs FOLDER_WITH_NODE_MODULES KEY_SET DENIED REQUESTS
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [folder, keySet, denied, requests] = process.argv.slice(2)
const jose = await import(pathToFileURL(createRequire(`${folder}/`).resolve('jose')))
const keys = jose.createLocalJWKSet(JSON.parse(readFileSync(keySet, 'utf8')))
const gone = new Set(readFileSync(denied, 'utf8').split('\n').filter(Boolean))
const seen = new Set()
const METHOD = 'GET'
const URL = 'https://api.example/things'

class Refused extends Error {}
const refuse = (why) => { throw new Refused(why) }
const check = (good, why) => { if (!good) refuse(why) }

async function judge({ authorization, dpop, certificate }) {
  const [scheme, token] = authorization.split(' ')
  const { payload } = await jose.jwtVerify(token, keys, {
    algorithms: ['ES256'],
    typ: 'at+jwt',
    issuer: 'urn:example:emergency',
    audience: 'https://api.example',
    maxTokenAge: '15 minutes', // five that it is backdated, five that it holds, five of clocks
    clockTolerance: 0,
    requiredClaims: ['sub', 'client_id', 'jti', 'iat', 'exp', 'cnf', 'scope'],
  }).catch(() => refuse('token'))
  check(!gone.has(payload.jti), 'denied')
  if (payload.cnf['x5t#S256'] !== undefined) {
    check(scheme === 'Bearer', 'scheme') // RFC 8705 section 3: the connection is the proof
    return check(certificate === payload.cnf['x5t#S256'], 'x5t')
  }
  check(scheme === 'DPoP', 'scheme')
  const proof = await jose.jwtVerify(dpop, jose.EmbeddedJWK, { algorithms: ['ES256'], typ: 'dpop+jwt' })
    .catch(() => refuse('proof'))
  const claims = proof.payload
  check(claims.htm === METHOD, 'htm')
  check(claims.htu === URL, 'htu')
  check(Math.abs(claims.iat - Date.now() / 1000) <= 300, 'iat')
  check(claims.ath === createHash('sha256').update(token).digest('base64url'), 'ath')
  check((await jose.calculateJwkThumbprint(proof.protectedHeader.jwk)) === payload.cnf.jkt, 'jkt')
  check(!seen.has(claims.jti), 'replay')
  seen.add(claims.jti)
}

for (const line of readFileSync(requests, 'utf8').split('\n').slice(0, -1)) {
  try {
    await judge(JSON.parse(line))
    console.log('200')
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    console.log(`401 ${error.message}`)
  }
}
