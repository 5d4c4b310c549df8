/** A customer of the shop. */
export interface Customer {
  /** The id that the shop gives the customer: the session's `customerId`. */
  readonly id: string;
  readonly name: string;
}

/** The toy user list. A real site asks its user database, and for a password. */
export const customers: readonly Customer[] = [
  { id: "customer-1001", name: "Ada Moreno" },
  { id: "customer-1002", name: "Jonas Lindqvist" },
  { id: "customer-1003", name: "Mei Tanaka" },
];

/** The customer of an id, if there is one. */
export function customerOf(id: unknown): Customer | undefined {
  return customers.find((customer) => customer.id === id);
}
