import type { Pool } from 'undici';

import { readAnswer } from '../answer.ts';
import { bodyOf, headersOf, match, type Client, type Exchange, type Load } from './exchange.ts';

/** Sends one request and waits for what comes of it. Without an answer the exchange stays without one: it may have been booked. */
export async function sendOne(
  pool: Pick<Pool, 'request'>,
  load: Pick<Load, 'request' | 'headers' | 'timeoutMs'>,
  exchange: Exchange,
  client: Client,
): Promise<void> {
  try {
    const body = bodyOf(exchange);
    const response = await pool.request({
      ...load.request(exchange.ask),
      headers: { ...load.headers, ...headersOf(exchange) },
      ...(body !== '' && { body }),
      headersTimeout: load.timeoutMs,
      bodyTimeout: load.timeoutMs,
    });
    const text = await response.body.text();
    match(exchange, readAnswer(response.statusCode, text, response.headers, performance.now()), text);
  } catch {
    // No answer.
  }
  client.told?.(exchange);
}
