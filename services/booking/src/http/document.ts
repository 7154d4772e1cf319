import type { OpenAPIHono } from '@hono/zod-openapi';

import { BOOKING_SECRET_HEADER } from '#src/contract.ts';

import type { Env } from './read-input.ts';

export type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>;

/** Of the API, not of the software: it changes when something is told or taken differently. */
const API_VERSION = '1.0.0';

/** The document of an app: what its routes were added with. */
export function documentOf(app: OpenAPIHono<Env>): OpenApiDocument {
  app.openAPIRegistry.registerComponent('securitySchemes', 'operator', {
    type: 'http',
    scheme: 'bearer',
    description: 'The token of an operator. Which scopes it needs stands in the answer without it.',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'buyer', {
    type: 'apiKey',
    in: 'header',
    name: BOOKING_SECRET_HEADER,
    description: 'The secret that came with the answer to the booking, in the header of this name.',
  });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Lastseat',
      version: API_VERSION,
      description:
        'Tickets, booked never twice. Every answer names its replica (`x-instance-id`) and its request ' +
        '(`x-request-id`). What is no success is a problem (RFC 9457) whose `type` is a page of these docs.',
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    servers: [{ url: '/' }],
    security: [{}],
    tags: [
      { name: 'bookings', description: 'Tickets of an event, booked whole or not at all.' },
      { name: 'holds', description: 'Tickets that are kept for somebody for some time.' },
      { name: 'events', description: 'What tickets are sold of.' },
      { name: 'lab', description: 'To show how booking goes wrong. Most of it only in lab mode.' },
      { name: 'health', description: 'For whoever starts and stops replicas.' },
    ],
  });
}
