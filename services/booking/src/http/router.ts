import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import type { Context, Handler } from 'hono';
import type { z } from 'zod';

import { check, type Env, readJson, readQuery } from './read-input.ts';

/**
 * A Hono app whose routes are added with what the OpenAPI document tells of them:
 * `createRouter().openapi(route, handler)`. Their input is read by the schemas of the document, but by our own readers:
 * those of the library would take broken UTF-8 for text, and ignore a parameter that nobody knows. What was read is
 * where every validator of Hono puts it: `c.req.valid('json')`.
 *
 * All of it is one handler, because Hono calls a lone one directly.
 */
export function createRouter(): OpenAPIHono<Env> {
  const app = new OpenAPIHono<Env>();
  const add = ({ middleware = [], hide = false, ...route }: RouteConfig, handler: Handler<Env>) => {
    if (!hide) app.openAPIRegistry.registerPath(route);
    const readInput = inputReader(route);
    const asked = { method: route.method.toUpperCase(), route: route.path };
    const read: Handler<Env> = (c, next) => {
      c.set('arrivedAtMs', performance.now());
      c.set('route', asked);
      const reading = readInput(c);
      return reading === undefined ? handler(c, next) : reading.then(() => handler(c, next));
    };
    const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1');
    app.on([route.method], [path], ...[middleware].flat(), read);
    return app;
  };
  app.openapi = add as typeof app.openapi;
  return app;
}

/** Reads what a route takes; a promise only where there is a body to wait for. */
function inputReader({ request = {} }: RouteConfig): (c: Context<Env>) => Promise<void> | undefined {
  const params = request.params as z.ZodType<object> | undefined;
  const query = request.query as z.ZodObject | undefined;
  const content = request.body?.content['application/json'] as { schema: z.ZodType<object> } | undefined;
  const body = content?.schema;
  const known = query === undefined ? [] : Object.keys(query.shape);
  return (c) => {
    const given = readQuery(c, known);
    if (query !== undefined) c.req.addValidatedData('query', check(query, given));
    if (params !== undefined) c.req.addValidatedData('param', check(params, c.req.param()));
    return body && readJson(c, body).then((value) => c.req.addValidatedData('json', value));
  };
}
