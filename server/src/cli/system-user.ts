import { userInfo } from "node:os";

/**
 * Returns the operating system's user of this process, such as `anna (uid 1000)`. Only the number is certain: the
 * name may come from the environment.
 */
export function systemUser(): string {
  const uid = process.getuid?.();
  const name = userName();
  if (uid === undefined) return name ?? "unknown";
  return name === undefined ? `uid ${uid}` : `${name} (uid ${uid})`;
}

/** Returns `undefined` for a user without a name, which containers have. */
function userName(): string | undefined {
  try {
    const { username } = userInfo();
    return username === "unknown" ? undefined : username.slice(0, 64);
  } catch {
    return undefined;
  }
}
