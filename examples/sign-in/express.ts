// A shop in Express with sign-in and sign-out.
import { createAdministration } from "@antechamber/client/administration";
import { sessionOf, sessions } from "@antechamber/client/express";
import express from "express";

const { PORT = "3000", ANTECHAMBER_URL: url = "http://127.0.0.1:8080", ANTECHAMBER_KEY: key = "" } = process.env;

// These stand for your customers. Store passwords only as hashes (Argon2 or scrypt).
const customers = [
  { id: "anna", password: "correct horse" },
  { id: "bob", password: "battery staple" },
];

const visitors = sessions({ url, key, service: "shop", deadline: 1000 });
const administration = createAdministration({ url, key });
const app = express();
app.use(visitors, express.urlencoded());

// Without this, any site could sign your visitors in under a name of its choice, or sign them out.
app.use((request, response, next) => {
  const isOwn = (request.get("Sec-Fetch-Site") ?? "same-origin") === "same-origin";
  if (request.method !== "POST" || isOwn) next();
  else response.status(403).send("This form was sent by another site.\n");
});

app.get("/", (request, response) => {
  response.json({ customer: sessionOf(request)?.customerId ?? null });
});

app.post("/sign-in", async (request, response) => {
  const { name, password } = (request.body ?? {}) as Record<string, unknown>;
  const customer = customers.find((each) => each.id === name && each.password === password);
  if (customer === undefined) return void response.status(403).send("Wrong name or password.\n");
  const isStored = await sessionOf(request)?.identify({ customerId: customer.id });
  if (isStored) response.redirect(303, "/");
  else response.status(503).send("Please try again in a moment.\n");
});

app.post("/sign-out", async (request, response) => {
  const session = sessionOf(request);
  // Without Antechamber there is no session to end. The browser forgets the id, and the session expires.
  if (session === null) response.clearCookie("sessionId");
  else await session.end();
  response.redirect(303, "/");
});

app.post("/sign-out-everywhere", async (request, response) => {
  const session = sessionOf(request);
  if (!session?.customerId) return void response.status(403).send("Nobody is signed in.\n");
  const { customerId } = session;
  await session.end();
  await administration.endByFilter({ customerId });
  response.redirect(303, "/");
});

const server = app.listen(Number(PORT), "127.0.0.1");
process.on("SIGTERM", () => server.close(() => void visitors.close()));
