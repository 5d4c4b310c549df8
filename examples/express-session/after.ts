// The members' area with its sessions in Antechamber.
import { antechamberSession } from "@antechamber/client/express-session";
import expressSession from "express-session";
import { startMembersArea } from "./members.ts";

const { ANTECHAMBER_URL: url = "http://127.0.0.1:8080", ANTECHAMBER_KEY: key = "" } = process.env;
const { SESSION_SECRET: secret = "replace this secret" } = process.env;

const session = antechamberSession(expressSession, { url, key });
startMembersArea(session({ secret, resave: false, saveUninitialized: false }));
