// Requests to the server, and the login that it may ask for.

import { md5 } from "./md5.js";

/** Why a request was refused. */
export class Refused extends Error {}

/** Where the server asks who somebody is: `{realm, nonce}` of the last challenge, and what was typed. */
const login = { realm: "", nonce: "", count: 0, user: "", digest: "", token: "" };

/** Set by the page: asks for name and password, returns a promise of `{user, password}`. */
let askWho = null;
let asking = null;

export function onLogin(asks) { askWho = asks; }
export function isLoggedIn() { return Boolean(login.digest || login.token); }
export function loginName() { return login.digest ? login.user : ""; }
export function logOut() { Object.assign(login, { user: "", digest: "", token: "", count: 0 }); }

async function post(request) {
  const body = new TextEncoder().encode(JSON.stringify(request));
  const answer = await fetch("/", {
    method: "POST", body, cache: "no-store", headers: { AFANASY: String(body.length), "Content-Type": "application/json" },
  });
  if (!answer.ok) throw new Refused((await answer.text()).slice(0, 300));
  return JSON.parse(await answer.text());
}

function withWho(request) {
  if (login.token) return { ...request, auth: { token: login.token } };
  if (!login.digest || !login.nonce) return request;
  const nc = ++login.count;
  const response = md5(`${login.digest}:${login.nonce}:${nc}`);
  return { ...request, auth: { user_name: login.user, nonce: login.nonce, nc, response } };
}

/** Return the answer to a request; asks for a login where one is needed.
 *  Throws Refused with the server's words. */
export async function ask(request) {
  for (let tries = 0; ; tries++) {
    const sentAs = login.digest + login.token;
    const answer = await post(withWho(request));
    const text = answer.info?.text ?? "";
    const denied = answer.info?.kind === "error" && text.startsWith("Access denied");
    if (answer.nonce) Object.assign(login, { realm: answer.realm, nonce: answer.nonce, count: 0 });
    const mayLogIn = answer.nonce || (denied && text.includes("token"));
    if (!denied || !mayLogIn || tries > 8) {
      if (answer.info?.kind === "error") throw new Refused(text);
      if (answer.error) throw new Refused(answer.error);
      return answer;
    }
    // Another request may have logged in meanwhile, and a new nonce needs no new password.
    if (sentAs !== login.digest + login.token) continue;
    if (login.digest && answer.nonce && tries === 0) continue;
    await whoIsIt(text);
  }
}

function whoIsIt(why) {
  asking ??= askWho(why).then(({ user, password }) => {
    logOut();
    if (password.startsWith("aft_")) login.token = password;
    else Object.assign(login, { user, digest: md5(`${user}:${login.realm}:${password}`) });
  }).finally(() => { asking = null; });
  return asking;
}
