/**
 * Copies bytes into one allocation outside of the runtime's pool, in which a few bytes that are kept would pin a whole
 * block. `Buffer.from` and `Buffer.concat` use the pool.
 */
export function unpooledCopy(...parts: readonly Buffer[]): Buffer {
  const copy = Buffer.allocUnsafeSlow(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) at += part.copy(copy, at);
  return copy;
}
