// Verifies assertions with the library jose: node verify-with-jose.ts <URL of the key set> <assertion>…
// Prints a line for each: its claims, or the reason why it is not valid.
import { createRemoteJWKSet, jwtVerify } from "jose";

const [keySetUrl = "", ...assertions] = process.argv.slice(2);
const keySet = createRemoteJWKSet(new URL(keySetUrl));
for (const assertion of assertions) {
  const options = { issuer: "antechamber", audience: "shop", algorithms: ["EdDSA"] };
  const result = await jwtVerify(assertion, keySet, options).catch((error: unknown) => ({
    payload: `invalid: ${String(error)}`,
  }));
  console.log(JSON.stringify(result.payload));
}
