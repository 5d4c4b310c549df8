/*
 * The permissions of each caller, written by hand from contract.md#roles, contract.md#rule-4 and contract.md#rule-5.
 * Nothing here is computed by the code under test.
 *
 * Each block is for one person who sends requests. A row begins with the ids that the headers assert and the operation;
 * then follows the outcome for each session of `sessions`, or one outcome for all of them. `list` and `end-many` find
 * the session by its visit; `handle-timeline`, `handle-data` and `handle-change` (which never assert ids) and
 * `handle-end` name it by its handle. `export` and `erase` name the session's customer, or a customer without sessions.
 *
 *   same     200, that session              new      200, another session, which is new
 *   done     200, 202 or 204, executed      shown    200, with data
 *   empty    200, nothing was found
 *   absent   404 session-not-found          exists   400 already-exists
 *   mismatch 403 identity-mismatch          role     403 role-not-permitted
 *   none     401 credential-required        invalid  401 invalid-credential
 *   204 and other numbers: the status of a response without a body
 */

/** For the modes that distinguish callers. In mode `local` everybody has the administrator's permissions. */
const table = `
alice: a customer
  asserts              | asks for                    | alice's | bob's   | nobody's | agent 7's | unknown
  nothing, alice       | create                      | new
  nothing, alice       | retrieve                    | same    | new     | same     | same      | new
  nothing, alice       | head                        | 200     | 404     | 200      | 200       | 404
  nothing, alice       | update                      | done    | absent  | done     | done      | absent
  nothing, alice       | timeline, data              | shown   | absent  | shown    | shown     | absent
  nothing, alice       | change-data                 | done    | absent  | done     | done      | absent
  bob, 7, 8, alice+7   | create, retrieve, update    | mismatch
  bob, 7, 8, alice+7   | timeline, data, change-data | mismatch
  bob, 7, 8, alice+7   | head                        | 403
  anything             | record                      | done    | absent  | done     | done      | absent
  anything             | forward-auth                | same    | new     | same     | same      | new
  anything             | metrics                     | role
  anything             | events                      | role
  anything             | stats                       | role
  anything             | end                         | done    | absent  | done     | done      | absent
  anything             | list                        | shown   | empty   | empty    | empty     | empty
  anything             | end-many                    | done    | empty   | empty    | empty     | empty
  anything             | end-all                     | shown
  anything             | export, erase, audit        | role
  anything             | webhooks                    | role
  anything             | api-keys, new-key, settings | role
  anything             | view-token                  | role
  anything             | handle-timeline, handle-data | shown   | absent  | absent   | absent    | absent
  anything             | handle-end, handle-change   | done    | absent  | absent   | absent    | absent

page: a customer's credential for public pages, which stands for nobody
  asserts              | asks for                    | alice's | bob's   | nobody's | agent 7's | unknown
  nothing              | create                      | new
  nothing              | retrieve                    | new     | new     | same     | same      | new
  nothing              | head                        | 404     | 404     | 200      | 200       | 404
  nothing              | update                      | absent  | absent  | done     | done      | absent
  nothing              | timeline, data              | absent  | absent  | shown    | shown     | absent
  nothing              | change-data                 | absent  | absent  | done     | done      | absent
  alice, bob           | create, retrieve, update    | mismatch
  alice, bob           | timeline, data, change-data | mismatch
  alice, bob           | head                        | 403
  7, 8, alice+7        | create, retrieve, update    | mismatch
  7, 8, alice+7        | timeline, data, change-data | mismatch
  7, 8, alice+7        | head                        | 403
  anything             | record                      | absent  | absent  | done     | done      | absent
  anything             | forward-auth                | new     | new     | same     | same      | new
  anything             | metrics                     | role
  anything             | events                      | role
  anything             | stats                       | role
  anything             | end                         | absent  | absent  | done     | done      | absent
  anything             | list, end-many, end-all     | role
  anything             | export, erase, audit        | role
  anything             | webhooks                    | role
  anything             | api-keys, new-key, settings | role
  anything             | view-token                  | role
  anything             | handle-timeline, handle-data | absent
  anything             | handle-end, handle-change   | absent

seven: agent 7
  asserts              | asks for                    | alice's | bob's   | nobody's | agent 7's | unknown
  nothing, 7           | create                      | new
  nothing, 7           | retrieve                    | same    | same    | same     | same      | new
  nothing, 7           | head                        | 200     | 200     | 200      | 200       | 404
  nothing, 7           | update                      | done    | done    | done     | done      | absent
  nothing, 7           | timeline, data              | shown   | shown   | shown    | shown     | absent
  nothing, 7           | change-data                 | done    | done    | done     | done      | absent
  alice, alice+7       | create                      | new
  alice, alice+7       | retrieve                    | same    | new     | same     | same      | new
  alice, alice+7       | head                        | 200     | 404     | 200      | 200       | 404
  alice, alice+7       | update                      | done    | exists  | done     | done      | absent
  alice, alice+7       | timeline, data              | shown   | absent  | shown    | shown     | absent
  alice, alice+7       | change-data                 | done    | absent  | done     | done      | absent
  bob                  | create                      | new
  bob                  | retrieve                    | new     | same    | same     | same      | new
  bob                  | head                        | 404     | 200     | 200      | 200       | 404
  bob                  | update                      | exists  | done    | done     | done      | absent
  bob                  | timeline, data              | absent  | shown   | shown    | shown     | absent
  bob                  | change-data                 | absent  | done    | done     | done      | absent
  8                    | create, retrieve, update    | mismatch
  8                    | timeline, data, change-data | mismatch
  8                    | head                        | 403
  anything             | record                      | done    | done    | done     | done      | absent
  anything             | forward-auth                | same    | same    | same     | same      | new
  anything             | metrics                     | role
  anything             | events                      | role
  anything             | stats                       | role
  anything             | list                        | shown   | shown   | shown    | shown     | empty
  anything             | end                         | done    | done    | done     | done      | absent
  anything             | end-many                    | done    | done    | done     | done      | empty
  anything             | end-all                     | role
  anything             | export, erase, audit        | role
  anything             | webhooks                    | role
  anything             | api-keys, new-key, settings | role
  anything             | view-token                  | role
  anything             | handle-timeline, handle-data | shown   | shown   | shown    | shown     | absent
  anything             | handle-end, handle-change   | done    | done    | done     | done      | absent

desk: an agent's credential that stands for no one agent
  asserts              | asks for                    | alice's | bob's   | nobody's | agent 7's | unknown
  nothing              | create                      | new
  nothing              | retrieve                    | same    | same    | same     | same      | new
  nothing              | head                        | 200     | 200     | 200      | 200       | 404
  nothing              | update                      | done    | done    | done     | done      | absent
  nothing              | timeline, data              | shown   | shown   | shown    | shown     | absent
  nothing              | change-data                 | done    | done    | done     | done      | absent
  alice                | create                      | new
  alice                | retrieve                    | same    | new     | same     | same      | new
  alice                | head                        | 200     | 404     | 200      | 200       | 404
  alice                | update                      | done    | exists  | done     | done      | absent
  alice                | timeline, data              | shown   | absent  | shown    | shown     | absent
  alice                | change-data                 | done    | absent  | done     | done      | absent
  bob                  | create                      | new
  bob                  | retrieve                    | new     | same    | same     | same      | new
  bob                  | head                        | 404     | 200     | 200      | 200       | 404
  bob                  | update                      | exists  | done    | done     | done      | absent
  bob                  | timeline, data              | absent  | shown   | shown    | shown     | absent
  bob                  | change-data                 | absent  | done    | done     | done      | absent
  7, 8, alice+7        | create, retrieve, update    | mismatch
  7, 8, alice+7        | timeline, data, change-data | mismatch
  7, 8, alice+7        | head                        | 403
  anything             | record                      | done    | done    | done     | done      | absent
  anything             | forward-auth                | same    | same    | same     | same      | new
  anything             | metrics                     | role
  anything             | events                      | role
  anything             | stats                       | role
  anything             | list                        | shown   | shown   | shown    | shown     | empty
  anything             | end                         | done    | done    | done     | done      | absent
  anything             | end-many                    | done    | done    | done     | done      | empty
  anything             | end-all                     | role
  anything             | export, erase, audit        | role
  anything             | webhooks                    | role
  anything             | api-keys, new-key, settings | role
  anything             | view-token                  | role
  anything             | handle-timeline, handle-data | shown   | shown   | shown    | shown     | absent
  anything             | handle-end, handle-change   | done    | done    | done     | done      | absent

service: an application's own server
  asserts              | asks for                    | alice's | bob's   | nobody's | agent 7's | unknown
  anything             | create                      | new
  nothing, 7, 8        | retrieve                    | same    | same    | same     | same      | new
  nothing, 7, 8        | head                        | 200     | 200     | 200      | 200       | 404
  nothing, 7           | update                      | done    | done    | done     | done      | absent
  8                    | update                      | done    | done    | done     | exists    | absent
  nothing, 7, 8        | timeline, data              | shown   | shown   | shown    | shown     | absent
  nothing, 7, 8        | change-data                 | done    | done    | done     | done      | absent
  alice, alice+7       | retrieve                    | same    | new     | same     | same      | new
  alice, alice+7       | head                        | 200     | 404     | 200      | 200       | 404
  alice, alice+7       | update                      | done    | exists  | done     | done      | absent
  alice, alice+7       | timeline, data              | shown   | absent  | shown    | shown     | absent
  alice, alice+7       | change-data                 | done    | absent  | done     | done      | absent
  bob                  | retrieve                    | new     | same    | same     | same      | new
  bob                  | head                        | 404     | 200     | 200      | 200       | 404
  bob                  | update                      | exists  | done    | done     | done      | absent
  bob                  | timeline, data              | absent  | shown   | shown    | shown     | absent
  bob                  | change-data                 | absent  | done    | done     | done      | absent
  anything             | record                      | done    | done    | done     | done      | absent
  anything             | forward-auth                | same    | same    | same     | same      | new
  anything             | metrics                     | role
  anything             | events                      | shown
  anything             | stats                       | shown
  anything             | list                        | shown   | shown   | shown    | shown     | empty
  anything             | end                         | done    | done    | done     | done      | absent
  anything             | end-many                    | done    | done    | done     | done      | empty
  anything             | end-all                     | role
  anything             | export, erase, audit        | role
  anything             | webhooks                    | role
  anything             | api-keys, new-key, settings | role
  anything             | view-token                  | shown
  anything             | handle-timeline, handle-data | shown   | shown   | shown    | shown     | absent
  anything             | handle-end, handle-change   | done    | done    | done     | done      | absent

reporter
  asserts              | asks for                    | alice's | bob's   | nobody's | agent 7's | unknown
  nothing              | create                      | new
  nothing              | retrieve                    | same    | same    | same     | same      | new
  nothing              | head                        | 200     | 200     | 200      | 200       | 404
  nothing              | update                      | absent  | absent  | done     | done      | absent
  nothing              | timeline, data              | shown   | shown   | shown    | shown     | absent
  alice, bob           | create, retrieve, update    | mismatch
  alice, bob           | timeline, data              | mismatch
  alice, bob           | head                        | 403
  7, 8, alice+7        | create, retrieve, update    | mismatch
  7, 8, alice+7        | timeline, data              | mismatch
  7, 8, alice+7        | head                        | 403
  anything             | record, forward-auth        | role
  anything             | change-data                 | role
  anything             | metrics                     | shown
  anything             | events                      | shown
  anything             | stats                       | shown
  anything             | list                        | shown   | shown   | shown    | shown     | empty
  anything             | end, end-many, end-all      | role
  anything             | export, erase, audit        | role
  anything             | webhooks                    | role
  anything             | api-keys, new-key, settings | role
  anything             | view-token                  | role
  anything             | handle-timeline, handle-data | shown   | shown   | shown    | shown     | absent
  anything             | handle-end, handle-change   | role

administrator
  asserts              | asks for                    | alice's | bob's   | nobody's | agent 7's | unknown
  anything             | create                      | new
  nothing, 7, 8        | retrieve                    | same    | same    | same     | same      | new
  nothing, 7, 8        | head                        | 200     | 200     | 200      | 200       | 404
  nothing, 7           | update                      | done    | done    | done     | done      | absent
  8                    | update                      | done    | done    | done     | exists    | absent
  nothing, 7, 8        | timeline, data              | shown   | shown   | shown    | shown     | absent
  nothing, 7, 8        | change-data                 | done    | done    | done     | done      | absent
  alice, alice+7       | retrieve                    | same    | new     | same     | same      | new
  alice, alice+7       | head                        | 200     | 404     | 200      | 200       | 404
  alice, alice+7       | update                      | done    | exists  | done     | done      | absent
  alice, alice+7       | timeline, data              | shown   | absent  | shown    | shown     | absent
  alice, alice+7       | change-data                 | done    | absent  | done     | done      | absent
  bob                  | retrieve                    | new     | same    | same     | same      | new
  bob                  | head                        | 404     | 200     | 200      | 200       | 404
  bob                  | update                      | exists  | done    | done     | done      | absent
  bob                  | timeline, data              | absent  | shown   | shown    | shown     | absent
  bob                  | change-data                 | absent  | done    | done     | done      | absent
  anything             | record                      | done    | done    | done     | done      | absent
  anything             | forward-auth                | same    | same    | same     | same      | new
  anything             | metrics                     | shown
  anything             | events                      | shown
  anything             | stats                       | shown
  anything             | list                        | shown   | shown   | shown    | shown     | empty
  anything             | end                         | done    | done    | done     | done      | absent
  anything             | end-many                    | done    | done    | done     | done      | empty
  anything             | end-all                     | shown
  anything             | export                      | shown   | shown   | empty    | empty     | empty
  anything             | erase                       | done    | done    | empty    | empty     | empty
  anything             | audit                       | shown
  anything             | webhooks                    | shown
  anything             | api-keys, new-key, settings | shown
  anything             | view-token                  | shown
  anything             | handle-timeline, handle-data | shown   | shown   | shown    | shown     | absent
  anything             | handle-end, handle-change   | done    | done    | done     | done      | absent

nobody: no credential at all
  asserts              | asks for                    | alice's | bob's   | nobody's | agent 7's | unknown
  anything             | create, retrieve, update    | none
  anything             | record, timeline            | none
  anything             | data, change-data           | none
  anything             | forward-auth, metrics       | none
  anything             | events                      | none
  anything             | stats                       | none
  anything             | head                        | 401
  anything             | end                         | none
  anything             | list, end-many, end-all     | none
  anything             | export, erase, audit        | none
  anything             | webhooks                    | none
  anything             | api-keys, new-key, settings | none
  anything             | view-token                  | none
  anything             | handle-timeline, handle-data | none
  anything             | handle-end, handle-change   | none

stranger: a credential of nobody's
  asserts              | asks for                    | alice's | bob's   | nobody's | agent 7's | unknown
  anything             | create, retrieve, update    | invalid
  anything             | record, timeline            | invalid
  anything             | data, change-data           | invalid
  anything             | forward-auth, metrics       | invalid
  anything             | events                      | invalid
  anything             | stats                       | invalid
  anything             | head                        | 401
  anything             | end                         | invalid
  anything             | list, end-many, end-all     | invalid
  anything             | export, erase, audit        | invalid
  anything             | webhooks                    | invalid
  anything             | api-keys, new-key, settings | invalid
  anything             | view-token                  | invalid
  anything             | handle-timeline, handle-data | invalid
  anything             | handle-end, handle-change   | invalid
`;

export const operations = [
  ...["create", "retrieve", "head", "update"],
  ...["record", "timeline", "data", "change-data", "forward-auth", "metrics", "events", "stats"],
  ...["list", "end", "end-many", "end-all", "export", "erase", "audit", "webhooks"],
  ...["api-keys", "new-key", "settings", "view-token"],
  ...["handle-timeline", "handle-end", "handle-data", "handle-change"],
] as const;

/** The sessions that a request can be about, by their owners. */
export const sessions = ["alice's", "bob's", "nobody's", "agent 7's", "unknown"] as const;
export type SessionOf = (typeof sessions)[number];

/** The identity headers of a request. */
export const assertions = {
  nothing: {},
  alice: { gkc_customerId: "alice" },
  bob: { "gkc-customerId": "bob" },
  "7": { gkc_agentId: "7" },
  "8": { "gkc-agentId": "8" },
  "alice+7": { "gkc-customerId": "alice", "gkc-agentId": "7" },
} as const satisfies Record<string, Readonly<Record<string, string>>>;
export type Asserted = keyof typeof assertions;

/** One request and its expected outcome. */
export interface Case {
  readonly person: string;
  readonly asserts: Asserted;
  readonly operation: string;
  readonly session: SessionOf;
  readonly outcome: string;
}

/** The table as a list, one case for each outcome. */
export const cases: readonly Case[] = table
  .trim()
  .split("\n\n")
  .flatMap((block) => {
    const [head = "", , ...rows] = block.split("\n");
    const person = head.split(":")[0] as string;
    return rows.flatMap((row) => casesOf(person, row));
  });

function casesOf(person: string, row: string): Case[] {
  const [who = "", what = "", ...cells] = row.split("|").map((cell) => cell.trim());
  const asserted = who === "anything" ? Object.keys(assertions) : who.split(", ");
  return asserted.flatMap((asserts) =>
    what.split(", ").flatMap((operation) =>
      sessions.map((session, column) => ({
        person,
        asserts: asserts as Asserted,
        operation,
        session,
        outcome: (cells.length === 1 ? cells[0] : cells[column]) as string,
      })),
    ),
  );
}
