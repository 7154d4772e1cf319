/**
 * Every bound on a wait that has to fit another one, derived from it. What a file of configuration repeats is compared
 * with this one by a test.
 */

/** nginx's `proxy_read_timeout`: after it nginx answers in our place, and all that it can say is that nobody knows. */
export const PROXY_READ_TIMEOUT_MS = 10_000;

/** By then a request is answered, whatever it waits for; the rest is for a busy machine and the way to nginx. */
const ANSWERED_WITHIN_MS = PROXY_READ_TIMEOUT_MS - 1_000;

/** From the deadline of a request to its answer: for a rollback. */
export const WIND_UP_MS = 500;

/** From its arrival to its deadline, after which a request begins nothing any more. Every wait ends by then. */
export const REQUEST_DEADLINE_MS = ANSWERED_WITHIN_MS - WIND_UP_MS;

/** To get a connection: from a pool that is in use, or from a server that may be down. */
export const CONNECT_TIMEOUT_MS = 2_000;

/** For another's row lock: 1,000 commits of a hot row fit into it. */
export const ROW_LOCK_TIMEOUT_MS = 2_000;

/**
 * A replica that is stopped in mid-transaction keeps its rows for so long. Below the row lock's, so that whoever waits
 * behind it still gets the row; no transaction of ours pauses between two statements, but for the lab's race window.
 */
export const IDLE_IN_TRANSACTION_MS = ROW_LOCK_TIMEOUT_MS - 500;

/** Above the row lock's, which says more about what happened. No statement of ours needs a tenth of it. */
export const STATEMENT_TIMEOUT_MS = ROW_LOCK_TIMEOUT_MS + 200;

/** What the client waits before it gives the connection up: above the server's own limit, which leaves it usable. */
export const QUERY_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 300;

/** What must be left to a booking that gets the lock: the time for one statement that gets no answer, and for a look. */
export const BOOKING_RESERVE_MS = QUERY_TIMEOUT_MS + 500;

export const MAX_LOCK_WAIT_MS = REQUEST_DEADLINE_MS - BOOKING_RESERVE_MS;

/** Where LOCK_WAIT_MS is not set. */
export const DEFAULT_LOCK_WAIT_MS = 5_000;

/** After this a silent Redis is away: a restart does not take as long. Comes on top of a wait, so within the reserve. */
export const REDIS_SILENCE_MS = BOOKING_RESERVE_MS - 1_000;

/**
 * Longest look for a commit whose answer was lost, if the request's deadline is not sooner: a Postgres that crashed is
 * back within seconds, and the strategy keeps its lock meanwhile.
 */
export const SETTLE_FOR_MS = 3_000;

/** A booking may appear this long after its request began: its last statement may have waited in Postgres for a row. */
export const BOOKED_WITHIN_MS = REQUEST_DEADLINE_MS + STATEMENT_TIMEOUT_MS;

/** What Postgres and Redis have to answer a readiness check: its prober must still listen then. */
export const PING_TIMEOUT_MS = 1_500;

/**
 * A replica that starts waits so long for Postgres and Redis before it takes requests; after that it takes them, to say
 * what is missing.
 */
export const READY_WITHIN_MS = 4_000;

/** nginx's `keepalive_timeout` for its connections to replicas. */
export const PROXY_IDLE_TIMEOUT_MS = 2_000;

/** Above nginx's, so that it is always nginx that closes: the other way round a request dies on the way. */
export const KEEP_ALIVE_TIMEOUT_MS = 75_000;

/** Where DRAIN_DELAY_MS is not set: what nginx needs to close the connections of a replica that stops. */
export const DEFAULT_DRAIN_DELAY_MS = PROXY_IDLE_TIMEOUT_MS + 1_000;

/** What is under way when a replica stops is answered by then, or nginx has given it up. */
export const DRAIN_GRACE_MS = PROXY_READ_TIMEOUT_MS;

/** To give leases back, and again to close the connections to Postgres: polite, but a hung server must not keep us. */
export const CLOSE_TIMEOUT_MS = 2_000;

/** From SIGTERM to the end of a replica. Whoever kills it earlier (Compose: `stop_grace_period`) loses requests. */
export const STOPPED_WITHIN_MS = DEFAULT_DRAIN_DELAY_MS + DRAIN_GRACE_MS + 2 * CLOSE_TIMEOUT_MS;
