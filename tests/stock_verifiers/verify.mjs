// Verifies each line of a bundle with npm jose and prints one word a line: good, or bad.
// Usage: node verify.mjs FOLDER_WITH_NODE_MODULES BUNDLE JWKS
import { webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

globalThis.crypto ??= webcrypto // Node.js 18 of Debian 12 has it, but not there
const [folder, bundle, jwks] = process.argv.slice(2)
const jose = await import(pathToFileURL(createRequire(`${folder}/`).resolve('jose')))
const keys = jose.createLocalJWKSet(JSON.parse(readFileSync(jwks, 'utf8')))
const options = { algorithms: ['ES256'], typ: 'secevent+jwt', issuer: 'https://records.example.org' }

for (const line of readFileSync(bundle, 'latin1').split('\n').slice(0, -1)) {
  try {
    await jose.jwtVerify(line, keys, options)
    console.log('good')
  } catch (error) {
    console.error(error.code ?? error)
    console.log('bad')
  }
}
