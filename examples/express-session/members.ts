// A members' area in Express: messages for the next page, sign-in and sign-out by the session. It does not know the store.
import express, { type RequestHandler } from "express";

declare module "express-session" {
  interface SessionData {
    member?: string;
    message?: string;
  }
}

// These stand for your members. Store passwords only as hashes (Argon2 or scrypt).
const passwords = new Map([
  ["anna", "correct horse"],
  ["bob", "battery staple"],
]);

/** Starts the members' area with the middleware of express-session. */
export function startMembersArea(session: RequestHandler): void {
  const app = express();
  app.use(session, express.urlencoded());

  app.get("/", (request, response) => {
    const { member = null, message = "" } = request.session;
    delete request.session.message;
    response.json({ member, message });
  });

  app.get("/members", (request, response) => {
    if (request.session.member) return void response.send(`Welcome, ${request.session.member}.\n`);
    request.session.message = "Please sign in first.";
    response.redirect(303, "/");
  });

  app.post("/sign-in", (request, response, next) => {
    const { name, password } = (request.body ?? {}) as Record<string, unknown>;
    if (typeof name !== "string" || passwords.get(name) !== password) {
      request.session.message = "Wrong name or password.";
      return response.redirect(303, "/");
    }
    // The session gets a new id, so that nobody who has planted the old one is signed in too.
    request.session.regenerate((error) => {
      if (error) return next(error);
      request.session.member = name;
      request.session.message = "You are signed in.";
      response.redirect(303, "/");
    });
  });

  app.post("/sign-out", (request, response, next) => {
    request.session.destroy((error) => {
      if (error) next(error);
      else response.redirect(303, "/");
    });
  });

  const server = app.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");
  process.on("SIGTERM", () => server.close(() => process.exit()));
}
