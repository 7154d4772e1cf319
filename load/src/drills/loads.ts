// Together: more would measure the machine, not the fault.
const CLIENTS = 24;
const LEAST_CLIENTS = 3;
// Some guards hold a connection to Postgres with each booking, of which a replica has ten.
const HELD = 24;
const LEAST_HELD = 4;

/** Clients of the load of each of so many strategies. */
export function clientsOf(strategies: number): number {
  return Math.max(LEAST_CLIENTS, Math.floor(CLIENTS / strategies));
}

/** Bookings that are held at the same time for each of so many strategies. */
export function heldAtOnce(strategies: number): number {
  return Math.max(LEAST_HELD, Math.floor(HELD / strategies));
}
