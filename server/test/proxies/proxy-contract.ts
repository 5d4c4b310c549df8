import { after, before } from "node:test";
import { failureContract } from "./failure-contract.ts";
import { forwardingContract } from "./forwarding-contract.ts";
import { identityContract } from "./identity-contract.ts";
import type { Edit, ProxyProgram } from "./proxy-process.ts";
import { type ProxySetup, startProxySetup } from "./setup.ts";

/**
 * Tests what the examples promise, with the real program and the example's own file. Every proxy in front of an
 * application has these tests. `leaveOut` adds the documented lines for requests that need no session.
 */
export function proxyContract(program: ProxyProgram, leaveOut: Edit): void {
  let setup: ProxySetup;
  before(async () => {
    setup = await startProxySetup(program);
  });
  after(() => setup[Symbol.asyncDispose]());
  const current = () => setup;
  identityContract(program.example, current);
  forwardingContract(program.example, current, leaveOut);
  failureContract(program.example, current);
}
