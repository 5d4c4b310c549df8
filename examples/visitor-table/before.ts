// A shop that keeps its visitors in tables of its own: a random id in a cookie, a row for each visitor, a row for each page.
import { randomUUID } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import express, { type Request } from "express";

const { PORT = "3000", DATABASE: file = "visitors.db" } = process.env;

const database = new DatabaseSync(file);
database.exec(`
  CREATE TABLE IF NOT EXISTS visitors (id TEXT PRIMARY KEY, customer TEXT, basket TEXT NOT NULL, seen INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS page_views (visitor TEXT NOT NULL, path TEXT NOT NULL, at INTEGER NOT NULL);`);
const find = database.prepare("UPDATE visitors SET seen = ? WHERE id = ? RETURNING customer, basket");
const insert = database.prepare("INSERT INTO visitors VALUES (?, NULL, '[]', ?)");
const setBasket = database.prepare("UPDATE visitors SET basket = ? WHERE id = ?");
const setCustomer = database.prepare("UPDATE visitors SET customer = ? WHERE id = ?");
const insertView = database.prepare("INSERT INTO page_views VALUES (?, ?, ?)");
const views = database.prepare("SELECT path FROM page_views WHERE visitor = ? ORDER BY at, rowid");

interface Visitor {
  id: string;
  customer: string | null;
  basket: string[];
}
const visitors = new WeakMap<Request, Visitor>();

const app = express();
app.use(express.urlencoded(), (request, response, next) => {
  const [, known] = /(?:^|; )visitor=([\w-]+)/.exec(request.headers.cookie ?? "") ?? [];
  const id = known ?? randomUUID();
  const row = find.get(Date.now(), id) as { customer: string | null; basket: string } | undefined;
  if (row === undefined) {
    insert.run(id, Date.now());
    response.cookie("visitor", id, { httpOnly: true, sameSite: "lax", maxAge: 30 * 24 * 3600 * 1000 });
  }
  insertView.run(id, request.path, Date.now());
  visitors.set(request, { id, customer: row?.customer ?? null, basket: JSON.parse(row?.basket ?? "[]") as string[] });
  next();
});

app.get("/", (request, response) => {
  const { customer = null, basket = [] } = visitors.get(request) ?? {};
  response.json({ customer, basket });
});

app.post("/basket", (request, response) => {
  const { article } = (request.body ?? {}) as Record<string, unknown>;
  const visitor = visitors.get(request);
  if (visitor) setBasket.run(JSON.stringify([...visitor.basket, String(article)]), visitor.id);
  response.redirect(303, "/");
});

app.post("/sign-in", (request, response) => {
  // A real shop checks the password here.
  const { name } = (request.body ?? {}) as Record<string, unknown>;
  const visitor = visitors.get(request);
  if (visitor) setCustomer.run(String(name), visitor.id);
  response.redirect(303, "/");
});

app.get("/history", (request, response) => {
  const rows = views.all(visitors.get(request)?.id ?? "") as { path: string }[];
  response.json(rows.map(({ path }) => path));
});

const server = app.listen(Number(PORT), "127.0.0.1");
process.on("SIGTERM", () => server.close(() => database.close()));
