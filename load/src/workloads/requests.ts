import type { Ask, Load } from '../generators/exchange.ts';
import { guardOf } from '../scenario.ts';

/** The request that asks for it, of a service whose events have these ids, guarded by that strategy. */
export function requestsTo(strategy: string, eventIds: readonly number[]): Load['request'] {
  return (ask: Ask) => {
    const eventId = eventIds[ask.event] ?? 0;
    if (ask.operation === 'cancel') return { method: 'DELETE', path: `/bookings/${ask.bookingId}` };
    if (ask.operation === 'hold') return { method: 'POST', path: `/events/${eventId}/holds` };
    if (ask.operation === 'confirm') return { method: 'POST', path: `/holds/${ask.bookingId}/confirm` };
    if (ask.operation === 'read') return { method: 'GET', path: `/events/${eventId}` };
    return { method: 'POST', path: guardOf(strategy).path(eventId) };
  };
}
