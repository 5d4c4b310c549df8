const identityHeaders = new Set(["gkc-agentid", "gkc-customerid", "gkc-visitid", "gkc-globalvisitid"]);

/**
 * Returns whether a request header asserts an identity, in any spelling. Anybody can send one, so the application must
 * not get it.
 */
export function assertsIdentity(name: string): boolean {
  return identityHeaders.has(name.toLowerCase().replaceAll(/[_.]/g, "-"));
}
