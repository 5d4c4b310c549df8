import { userInfo } from "node:os";

/**
 * Returns the operating system's user who runs this process, such as `anna (uid 1000)`. The number is reliable; the
 * name is not, because it may come from the environment.
 */
export function systemUser(): string {
  const uid = process.getuid?.();
  const name = userName();
  if (uid === undefined) return name ?? "unknown";
  return name === undefined ? `uid ${uid}` : `${name} (uid ${uid})`;
}

/** Returns the name of the user, or `undefined` if the user has none. In containers users often have no name. */
function userName(): string | undefined {
  try {
    const { username } = userInfo();
    return username === "unknown" ? undefined : username.slice(0, 64);
  } catch {
    return undefined;
  }
}
