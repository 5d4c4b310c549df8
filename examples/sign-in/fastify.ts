// A shop in Fastify with sign-in and sign-out.
import { createAdministration } from "@antechamber/client/administration";
import { sessionOf, sessions } from "@antechamber/client/fastify";
import fastify from "fastify";

const { PORT = "3000", ANTECHAMBER_URL: url = "http://127.0.0.1:8080", ANTECHAMBER_KEY: key = "" } = process.env;

// These stand for your customers. Store passwords only as hashes (Argon2 or scrypt).
const customers = [
  { id: "anna", password: "correct horse" },
  { id: "bob", password: "battery staple" },
];

const administration = createAdministration({ url, key });
const app = fastify();
await app.register(sessions, { url, key, service: "shop", deadline: 1000 });

// Forms. The package @fastify/formbody does the same.
app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, body, done) => {
  done(null, Object.fromEntries(new URLSearchParams(String(body))));
});

// Without this, any site could sign your visitors in under a name of its choice, or sign them out.
app.addHook("preHandler", async (request, reply) => {
  const isOwn = (request.headers["sec-fetch-site"] ?? "same-origin") === "same-origin";
  if (request.method === "POST" && !isOwn) await reply.code(403).send("This form was sent by another site.\n");
});

app.get("/", (request) => ({ customer: sessionOf(request)?.customerId ?? null }));

app.post("/sign-in", async (request, reply) => {
  const { name, password } = (request.body ?? {}) as Record<string, unknown>;
  const customer = customers.find((each) => each.id === name && each.password === password);
  if (customer === undefined) return reply.code(403).send("Wrong name or password.\n");
  const isStored = await sessionOf(request)?.identify({ customerId: customer.id });
  if (isStored) return reply.redirect("/", 303);
  return reply.code(503).send("Please try again in a moment.\n");
});

app.post("/sign-out", async (request, reply) => {
  const session = sessionOf(request);
  // Without Antechamber there is no session to end. The browser forgets the id, and the session expires.
  if (session === null) reply.header("Set-Cookie", "sessionId=; Path=/; Max-Age=0");
  else await session.end();
  return reply.redirect("/", 303);
});

app.post("/sign-out-everywhere", async (request, reply) => {
  const session = sessionOf(request);
  if (!session?.customerId) return reply.code(403).send("Nobody is signed in.\n");
  const { customerId } = session;
  await session.end();
  await administration.endByFilter({ customerId });
  return reply.redirect("/", 303);
});

await app.listen({ port: Number(PORT), host: "127.0.0.1" });
process.on("SIGTERM", () => void app.close());
