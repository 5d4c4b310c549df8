// The shop with its visitors in Antechamber: no tables, no cookie of its own.
import { sessionOf, sessions } from "@antechamber/client/express";
import { createTransport } from "@antechamber/client/transport";
import express from "express";

const { PORT = "3000", ANTECHAMBER_URL: url = "http://127.0.0.1:8080", ANTECHAMBER_KEY: key = "" } = process.env;

const visitors = sessions({
  url,
  key,
  service: "shop",
  data: true,
  deadline: 1000,
  cookie: { maxAge: 30 * 24 * 3600 },
});
const transport = createTransport({ url, key });

interface Shop {
  readonly basket?: readonly string[];
}

const app = express();
app.use(express.urlencoded(), visitors);

app.get("/", (request, response) => {
  const session = sessionOf<Shop>(request);
  response.json({ customer: session?.customerId ?? null, basket: session?.data.basket ?? [] });
});

app.post("/basket", async (request, response) => {
  const { article } = (request.body ?? {}) as Record<string, unknown>;
  await sessionOf<Shop>(request)?.update(({ basket = [] }) => ({ basket: [...basket, String(article)] }));
  response.redirect(303, "/");
});

app.post("/sign-in", async (request, response) => {
  // A real shop checks the password here.
  const { name } = (request.body ?? {}) as Record<string, unknown>;
  await sessionOf(request)?.identify({ customerId: String(name) });
  response.redirect(303, "/");
});

app.get("/history", async (request, response) => {
  await visitors.flush();
  const session = sessionOf(request);
  const { records } = session ? await transport.timeline(session.sessionId) : { records: [] };
  response.json(records.flatMap((entry) => (entry.type === "request" ? entry.path : [])));
});

const server = app.listen(Number(PORT), "127.0.0.1");
process.on("SIGTERM", () => server.close(() => void visitors.close()));
