// The certified OpenID Connect provider `oidc-provider` on a loopback port, for tests: it invents a person for every name.
//
//   node server.mjs '{"port": 0, "callback": "http://127.0.0.1:8000/auth/callback", "home": "http://127.0.0.1:8000/chat.html"}'
//
// Its first line of output is its issuer. Its page for signing in is a list of links, so that a browser test has
// something to click and a test without a browser needs to ask for `…/as/mina` only.
import { createServer } from "node:http";

import { errors, Provider } from "oidc-provider";
import { exportJWK, generateKeyPair } from "jose";

const options = JSON.parse(process.argv[2] ?? "{}");
const algorithm = options.algorithm ?? "RS256";
const PEOPLE = ["mina", "boss", "unverified", "stranger"];

const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
const key = { ...(await exportJWK(privateKey)), alg: algorithm, use: "sig" };

function person(id) {
  const domain = id === "stranger" ? "elsewhere.example" : "example.com";
  return {
    accountId: id,
    claims: () => ({
      sub: id,
      name: id[0].toUpperCase() + id.slice(1),
      email: `${id}@${domain}`,
      email_verified: id !== "unverified",
    }),
  };
}

async function listen(server, port) {
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return `http://127.0.0.1:${server.address().port}`;
}

let answer = (_request, response) => response.writeHead(503).end();
const server = createServer((request, response) => answer(request, response));
const issuer = await listen(server, options.port ?? 0);

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "daehwa",
      ...(options.secret ? { client_secret: options.secret } : {}),
      token_endpoint_auth_method: options.secret ? (options.method ?? "client_secret_basic") : "none",
      redirect_uris: [options.callback],
      post_logout_redirect_uris: [options.home],
      id_token_signed_response_alg: algorithm,
    },
  ],
  jwks: { keys: [key] },
  enabledJWA: { idTokenSigningAlgValues: [algorithm] },
  cookies: { keys: ["tests only"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  // The standard has the claims of a scope in userinfo; many providers put them into the ID token too.
  conformIdTokenClaims: !options.claimsInToken,
  findAccount: (_context, id) => person(id),
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: { enabled: true },
  },
  pkce: { required: () => true },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  loadExistingGrant: async (context) => {
    // Nobody is asked for consent: this client may always know the name and the address.
    const grant = new provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope("openid email profile");
    await grant.save();
    return grant;
  },
});

const callback = provider.callback();
answer = async (request, response) => {
  const [, uid, verb, name] = /^\/interaction\/([^/]+)(?:\/(as|deny)(?:\/(\w+))?)?$/.exec(request.url) ?? [];
  try {
    if (uid === undefined) {
      await callback(request, response);
    } else if (verb === "as") {
      await provider.interactionFinished(request, response, { login: { accountId: name } });
    } else if (verb === "deny") {
      await provider.interactionFinished(request, response, { error: "access_denied" });
    } else {
      const links = PEOPLE.map((id) => `<li><a href="/interaction/${uid}/as/${id}">Sign in as ${id}</a></li>`);
      links.push(`<li><a href="/interaction/${uid}/deny">Cancel</a></li>`);
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(`<!doctype html><html lang="en"><title>Sign in</title><ul>${links.join("")}</ul></html>`);
    }
  } catch (error) {
    response.writeHead(error instanceof errors.OIDCProviderError ? error.statusCode : 500).end(String(error));
  }
};

console.log(issuer);
