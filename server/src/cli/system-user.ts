import { userInfo } from "node:os";

/**
 * Whoever runs this command, as the operating system has it, such as `anna (uid 1000)`. The number is
 * what counts: the name may be no more than what the environment says.
 */
export function systemUser(): string {
  const uid = process.getuid?.();
  const name = userName();
  if (uid === undefined) return name ?? "unknown";
  return name === undefined ? `uid ${uid}` : `${name} (uid ${uid})`;
}

/** `undefined` where the user has no name, as in containers. */
function userName(): string | undefined {
  try {
    const { username } = userInfo();
    return username === "unknown" ? undefined : username.slice(0, 64);
  } catch {
    return undefined;
  }
}
