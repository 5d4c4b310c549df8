/** The parts of Node's `process` that show whether its modules can be used. Other platforms have some of them too. */
interface NodeProcess {
  readonly versions?: { readonly node?: string; readonly bun?: string };
  readonly getBuiltinModule?: NodeJS.Process["getBuiltinModule"];
}

/** Where undici keeps its global dispatcher: before version 8, and since then. */
const dispatchers = [1, 2].map((version) => Symbol.for(`undici.globalDispatcher.${version}`));

/**
 * Returns a function that reports whether the global `fetch` is at present that of Node, without any changes, so that a
 * request over a connection of our own has the same effect. Returns `undefined` on other platforms than Node.
 *
 * Tests and instrumentation replace the function or the dispatcher, or subscribe to the diagnostics channel. An environment
 * with NODE_USE_ENV_PROXY has another dispatcher too.
 */
export function createStandardFetchCheck(): (() => boolean) | undefined {
  const scope = globalThis as { process?: NodeProcess; Deno?: unknown };
  const { versions, getBuiltinModule } = scope.process ?? {};
  const isNode = versions?.node !== undefined && versions.bun === undefined && scope.Deno === undefined;
  if (!isNode || getBuiltinModule === undefined) return undefined;
  const requests = getBuiltinModule("node:diagnostics_channel").channel("undici:request:create");
  const known = new WeakMap<object, boolean>();

  function isStandard(value: unknown, judge: (value: object) => boolean): boolean {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return value === undefined;
    const isKnown = known.get(value) ?? judge(value);
    known.set(value, isKnown);
    return isKnown;
  }

  return () => {
    const current = globalThis as unknown as Record<symbol | "fetch", unknown>;
    return (
      !requests.hasSubscribers &&
      isStandard(current.fetch, isFetchOfNode) &&
      dispatchers.every((symbol) => isStandard(current[symbol], isDispatcherOfNode))
    );
  };
}

/** Returns whether a function is the `fetch` of Node, which loads a module that nobody else can load. */
function isFetchOfNode(given: object): boolean {
  return Function.prototype.toString.call(given).includes("'internal/deps/undici/undici'");
}

/**
 * Returns whether a dispatcher is an `Agent` without options except numbers, as undici makes it by default, or the wrapper
 * around it for older versions of undici. A composed agent has a `dispatch` of its own.
 */
function isDispatcherOfNode(given: object): boolean {
  const prototype = Object.getPrototypeOf(given) as {
    readonly dispatch?: unknown;
    readonly constructor: { name: string };
  };
  const { name } = prototype.constructor;
  if (name === "Dispatcher1Wrapper") return true;
  const symbol = Object.getOwnPropertySymbols(given).find(({ description }) => description === "options");
  if (name !== "Agent" || symbol === undefined) return false;
  const { dispatch, [symbol]: options } = given as { readonly [name: symbol]: unknown; readonly dispatch?: unknown };
  return dispatch === prototype.dispatch && Object.values(options as object).every(isNumber);
}

function isNumber(value: unknown): boolean {
  return value === undefined || typeof value === "number";
}
