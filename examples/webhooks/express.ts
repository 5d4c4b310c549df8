// A receiver of webhooks in Express.
//
//   npm install express standardwebhooks
//   WEBHOOK_SECRET=whsec_… node express.ts     (Node 22.18 or later)
import express from "express";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const { PORT = "3000", WEBHOOK_SECRET: secret = "" } = process.env;
const webhook = new Webhook(secret);
const app = express();

// An event may arrive twice, with the same id. A real receiver remembers the ids where it stores what it does with them.
const handled = new Set<unknown>();

// The signature is that of the body's bytes, so the body must not be parsed before it is verified.
app.post("/webhooks", express.raw({ type: "application/json", limit: "1mb" }), (request, response) => {
  let event: { id: string; type: string; data: { session?: { handle: string; customerId: string | null } } };
  try {
    event = webhook.verify(request.body as Buffer, request.headers as Record<string, string>) as typeof event;
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    response.sendStatus(400);
    return;
  }
  if (!handled.has(event.id)) {
    handled.add(event.id);
    if (event.type === "session.ended") console.log(`${event.data.session?.customerId ?? "somebody"} has signed out`);
    else console.log(event.type);
  }
  // Respond within 15 seconds: put work that takes longer into a queue of your own.
  response.sendStatus(204);
});

app.listen(Number(PORT), "127.0.0.1");
