// An Express application that trusts the signed identity of a request and nothing else: no header that a client or
// another program in the network could have written. It runs on Node 24 or later:
//
//   npm init -y && npm pkg set type=module && npm install express jose
//   node express.ts
import express, { type RequestHandler } from "express";
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from "jose";

/** The identity of a request. `sid` names the session, `sub` is the customer and `act.sub` the agent, if there are any. */
interface Visitor extends JWTPayload {
  readonly sid: string;
  readonly act?: { readonly sub: string };
}

const { PORT = "3000", ANTECHAMBER_URL = "http://127.0.0.1:8080" } = process.env;

// Fetched with the first request, every 10 minutes, and for a key that is not known yet.
const keySet = createRemoteJWKSet(new URL("/.well-known/jwks.json", ANTECHAMBER_URL));
// The settings assertionIssuer and assertionAudience of Antechamber.
const expected = { issuer: "antechamber", audience: "shop", algorithms: ["EdDSA"], requiredClaims: ["exp", "sid"] };

/** Finds out whose each request is, and refuses those that do not prove it. */
function identifyVisitors(): RequestHandler {
  return async (request, response, next) => {
    try {
      const assertion = request.get("gkc-assertion");
      if (!assertion)
        throw new Error("no gkc-assertion: either it bypassed the proxy, or assertionAudience is not set");
      const { payload } = await jwtVerify<Visitor>(assertion, keySet, expected);
      response.locals["visitor"] = payload;
    } catch (error) {
      console.error("A request is refused:", error);
      response.status(401).send("This request has no valid identity from the proxy.\n");
      return;
    }
    next();
  };
}

const app = express();
app.use(identifyVisitors());

app.get("/", (_request, response) => {
  const { sid, sub, act } = response.locals["visitor"] as Visitor;
  response.json({ session: sid, customer: sub ?? null, agent: act?.sub ?? null });
});

app.listen(Number(PORT), "127.0.0.1");
