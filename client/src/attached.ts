/**
 * Values of objects that belong to others, such as requests. Each is a property that enumerating, copying and JSON leave out.
 * A `WeakMap` would do the same, but its entries for objects that live as short as a request are a large part of the work of
 * garbage collection.
 */
export class Attached<Value> {
  readonly #key = Symbol("antechamber");

  get(object: object): Value | undefined {
    return (object as { readonly [key: symbol]: Value | undefined })[this.#key];
  }

  set(object: object, value: Value | undefined): void {
    if (Object.hasOwn(object, this.#key)) (object as { [key: symbol]: Value | undefined })[this.#key] = value;
    else Object.defineProperty(object, this.#key, { value, writable: true });
  }
}
