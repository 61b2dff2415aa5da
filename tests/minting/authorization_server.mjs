// An authorisation server made of npm oidc-provider: it knows the emergency client by the key set that is exported, and wants
// DPoP. Listens on 127.0.0.1 until its input ends, and prints where its token endpoint is; says on stderr why it refuses.
// Usage: node authorization_server.mjs FOLDER_WITH_NODE_MODULES KEY_SET PORT
// PORT 0 is one that is free.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [folder, keySet, port] = process.argv.slice(2)
const { default: Provider } = await import(pathToFileURL(createRequire(`${folder}/`).resolve('oidc-provider')))
const RESOURCE = 'https://api.example'
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })

const provider = new Provider('https://as.example', {
  jwks: { keys: [{ ...own, alg: 'ES256', use: 'sig', kid: 'own' }] },
  cookies: { keys: ['of no use here'] },
  clients: [{
    client_id: 'breakglass',
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    id_token_signed_response_alg: 'ES256',
    dpop_bound_access_tokens: true,
    jwks: JSON.parse(readFileSync(keySet, 'utf8')),
    scope: 'read',
  }],
  clientAuthMethods: ['private_key_jwt'],
  scopes: ['read'],
  enabledJWA: {
    clientAuthSigningAlgValues: ['ES256'],
    dPoPSigningAlgValues: ['ES256'],
    idTokenSigningAlgValues: ['ES256'],
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, allowReplay: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      getResourceServerInfo: () => ({
        scope: 'read',
        audience: RESOURCE,
        accessTokenFormat: 'jwt', // opaque, if not said
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
})
provider.on('grant.error', (_, error) => console.error(error.error_detail ?? error.message))
provider.on('server_error', (_, error) => console.error(error))
const server = provider.listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/token`))
process.stdin.resume().on('end', () => process.exit())
