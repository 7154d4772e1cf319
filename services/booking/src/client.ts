import type { createApp } from './http/app.ts';

/**
 * The routes as types, for a client that knows what each takes and answers:
 *
 *     import { hc } from 'hono/client';
 *     import type { BookingApi } from '@lastseat/booking/client';
 *
 *     const api = hc<BookingApi>('http://127.0.0.1:8080');
 *     const answer = await api.events[':event_id'].bookings.$post({ param: { event_id: '1' }, query: {}, json: {} });
 *     if (answer.status === 201) console.log((await answer.json()).bookingId);
 *
 * Nothing of the service is loaded by it.
 */
export type BookingApi = ReturnType<typeof createApp>;
