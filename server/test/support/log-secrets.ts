import assert from "node:assert/strict";

/*
 * Searches the log of every server that a test starts when the server ends, so the whole suite checks that no log line
 * has a session id, a key or a token (contract.md#secrets-in-logs). In the same way the suite searches the output of
 * every command, and the responses to all requests except those whose response is a session (contract.md#handles).
 */

/** 40 characters of ids, with none before or after. Handles, and hashes in the log, are shorter than that. */
const SESSION_ID = /(?<![\w-])[\w-]{40}(?![\w-])/;
const CREDENTIALS = /\bak_[\w-]{20}|\bBearer [\w.~+/-]|\beyJ[\w-]{10,}\./;
/** Matches a secret that signs ids, and the arguments of a command, which libraries put into errors. */
const ARGUMENTS = /(?<![\w+/])[\w+/]{43}=|"args":|with args beginning with/;
/** Matches a user and a password in the URL of a Redis. */
const URL_CREDENTIALS = /\brediss?(?:\+\w+)?:\/\/[^\s"/@]*:(?!\*\*\*)[^\s"@]*@/;

/** The same, with a time before 2100 at the beginning. The names of some metrics are as long as an id. */
const TIMED_SESSION_ID = /(?<![\w-])A[\w-]{39}(?![\w-])/;

/** A webhook's secret, which is shown once. A part of its random characters can look like an id. */
const WEBHOOK_SECRET = /whsec_[\w+/=]+/g;

/** Throws if a text contains what looks like a session id. */
export function assertNoSessionId(text: string, what: string): void {
  const [found] = TIMED_SESSION_ID.exec(text.replaceAll(WEBHOOK_SECRET, "")) ?? [];
  assert.equal(found, undefined, `${what} has what looks like a session id`);
}

/** Throws if the log of a server contains a secret. */
export function assertNoSecrets(log: string): void {
  for (const line of log.split("\n")) {
    assert.doesNotMatch(line, SESSION_ID, "a log line has what looks like a session id");
    assert.doesNotMatch(line, CREDENTIALS, "a log line has what looks like a credential");
    assert.doesNotMatch(line, ARGUMENTS, "a log line has what looks like a secret or an argument");
    assert.doesNotMatch(line, URL_CREDENTIALS, "a log line has a password in a URL");
  }
}
