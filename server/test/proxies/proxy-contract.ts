import { after, before } from "node:test";
import { failureContract } from "./failure-contract.ts";
import { identityContract } from "./identity-contract.ts";
import { passageContract } from "./forwarding-contract.ts";
import type { Edit, ProxyProgram } from "./proxy-process.ts";
import { openStage, type Stage } from "./setup.ts";

/**
 * Promises of the examples, tested on the real program with the example's own file: the suite of every proxy in front
 * of an application. `leaveOut` adds the documented lines for requests that need no session.
 */
export function proxyContract(program: ProxyProgram, leaveOut: Edit): void {
  let stage: Stage;
  before(async () => {
    stage = await openStage(program);
  });
  after(() => stage[Symbol.asyncDispose]());
  const current = () => stage;
  identityContract(program.example, current);
  passageContract(program.example, current, leaveOut);
  failureContract(program.example, current);
}
