// The members' area with its sessions in Redis.
import { RedisStore } from "connect-redis";
import expressSession from "express-session";
import { createClient } from "redis";
import { startMembersArea } from "./members.ts";

const { REDIS_URL: url = "redis://127.0.0.1:6379", SESSION_SECRET: secret = "replace this secret" } = process.env;

const store = new RedisStore({ client: await createClient({ url }).connect() });
startMembersArea(expressSession({ store, secret, resave: false, saveUninitialized: false }));
