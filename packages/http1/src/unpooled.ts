/**
 * Copies bytes into one new buffer outside of the runtime's pool. In the pool, which `Buffer.from` and `Buffer.concat`
 * use, a few bytes that are kept for long would keep a whole block in memory.
 */
export function unpooledCopy(...parts: readonly Buffer[]): Buffer {
  const copy = Buffer.allocUnsafeSlow(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) at += part.copy(copy, at);
  return copy;
}
