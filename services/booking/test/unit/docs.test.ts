import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect, test } from 'vitest';

import { problemCodes } from '#src/http/problem-kinds.ts';

import { createFakeApp } from '../support/fake-app.ts';

const { app } = createFakeApp();

async function textOf(path: string): Promise<string> {
  const response = await app.request(path);
  expect(response.status).toBe(200);
  return response.text();
}

test('the linter has nothing to say of the document', async () => {
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      // Whoever serves it elsewhere has another address.
      'no-server-example.com': 'off',
      'operation-4xx-response': 'error',
    },
  });
  const source = await textOf('/openapi.json');
  expect(JSON.parse(source)).toMatchObject({ openapi: '3.1.0' });
  const found = await lintFromString({ source, absoluteRef: 'openapi.json', config });
  expect(found.map(({ ruleId, message, location: [at] }) => [ruleId, message, at?.pointer])).toEqual([]);
});

test('every route is in the document, but for the docs themselves', async () => {
  const { paths } = JSON.parse(await textOf('/openapi.json')) as { paths: Record<string, object> };
  const documented = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const served = app.routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  const own = ['GET /openapi.json', 'GET /docs', 'GET /docs/problems/{code}'];
  expect([...new Set(served)].toSorted()).toEqual([...documented, ...own].toSorted());
});

test('the docs tell every operation and fetch nothing', async () => {
  const page = await textOf('/docs');
  expect(page).toContain('POST /events/{event_id}/bookings');
  expect(page).toContain('<a href="/docs/problems/sold_out">');
  expect(page).not.toMatch(/<script|<link|<img|\bsrc=|@import|url\(|href="https?:/);
  const response = await app.request('/docs');
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('the type of every problem is a page that tells what it means', async () => {
  for (const code of problemCodes) expect(await textOf(`/docs/problems/${code}`)).toContain(code);
  const problem = (await (await app.request('/events/0')).json()) as { type: string };
  expect(problem.type).toBe('/docs/problems/invalid_input');
  expect(await textOf(problem.type)).toContain('Invalid input');
  expect((await app.request('/docs/problems/none')).status).toBe(404);
});
