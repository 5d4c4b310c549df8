/** A customer of the shop. */
export interface Customer {
  /** The id that the shop has given the customer. It becomes the session's `customerId`. */
  readonly id: string;
  readonly name: string;
}

/** The users of this example. A real site would ask its user database, and would ask visitors for a password. */
export const customers: readonly Customer[] = [
  { id: "customer-1001", name: "Ada Moreno" },
  { id: "customer-1002", name: "Jonas Lindqvist" },
  { id: "customer-1003", name: "Mei Tanaka" },
];

/** Returns the customer with this id; `undefined` if there is none. */
export function customerOf(id: unknown): Customer | undefined {
  return customers.find((customer) => customer.id === id);
}
