import { html, raw } from 'hono/html';

import type { OpenApiDocument } from './document.ts';
import type { ProblemKind } from './problem-kinds.ts';

/** The OpenAPI document for people: plain HTML, made here, without a script and without anything that is fetched. */

interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  parameters?: { in: string; name: string; required?: boolean; description?: string; schema: Schema }[];
  requestBody?: { required?: boolean; content: Content };
  responses: Record<string, { description: string; content?: Content }>;
}

type Content = Record<string, { schema: Schema }>;

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  default?: unknown;
  description?: string;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
}

type Html = ReturnType<typeof html>;

export function renderDocs(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
      path,
      method,
      operation,
    })),
  );
  const sections = (document.tags ?? []).map(({ name, description }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    return html`<h2 id="${name}">${name}</h2>
      <p>${description}</p>
      ${own.map(({ method, path, operation }) => operationOf(method, path, operation))}`;
  });
  const schemas = Object.entries(document.components?.schemas ?? {}).map(
    ([name, schema]) =>
      html`<h3 id="schema-${name}">${name}</h3>
        ${propertiesOf(schema as Schema)}`,
  );
  return pageOf(
    document.info.title,
    html`<h1>${document.info.title} ${document.info.version}</h1>
      <p>${withCode(document.info.description ?? '')}</p>
      <p>The same for programs: <a href="/openapi.json">/openapi.json</a>, OpenAPI ${document.openapi}.</p>
      ${sections}
      <h2 id="schemas">schemas</h2>
      ${schemas}`,
  );
}

export function renderProblemPage(
  code: string,
  { status, title, meaning, retryAfterS }: ProblemKind,
): string {
  const comeBack =
    retryAfterS === undefined ? '' : ` Retry-After: ${retryAfterS} s, or what the answer says.`;
  return pageOf(
    title,
    html`<h1>${title}</h1>
      <p><code>${code}</code> · status ${status}.${comeBack}</p>
      <p>${withCode(meaning)}</p>
      <p><a href="/docs">All of the API</a></p>`,
  );
}

function operationOf(method: string, path: string, operation: Operation): Html {
  const { operationId, summary, description = '', parameters = [], requestBody, responses } = operation;
  const [body] = Object.values(requestBody?.content ?? {});
  return html`<section id="${operationId}">
    <h3><code>${method.toUpperCase()} ${path}</code></h3>
    <p>${withCode(summary)}.</p>
    ${description === '' ? '' : html`<p>${withCode(description)}</p>`}
    ${body === undefined ? '' : html`<p>Body: ${typeOf(body.schema)}</p>`}
    <table>
      ${parameters.map(
        (parameter) =>
          html`<tr>
            <td><code>${parameter.name}</code></td>
            <td>${parameter.in}</td>
            <td>${typeOf(parameter.schema)}</td>
            <td>${withCode(parameter.description ?? parameter.schema.description ?? '')}</td>
          </tr>`,
      )}
    </table>
    <table>
      ${Object.entries(responses).map(
        ([status, { description, content = {} }]) =>
          html`<tr>
            <td>${status}</td>
            <td>${Object.values(content).map(({ schema }) => typeOf(schema))}</td>
            <td>${withCode(description)}</td>
          </tr>`,
      )}
    </table>
  </section>`;
}

function propertiesOf({ properties = {}, required = [] }: Schema): Html {
  return html`<table>
    ${Object.entries(properties).map(
      ([name, schema]) =>
        html`<tr>
          <td><code>${name}</code></td>
          <td>${typeOf(schema)}${required.includes(name) ? '' : ', may be left out'}</td>
          <td>${withCode(schema.description ?? '')}</td>
        </tr>`,
    )}
  </table>`;
}

function typeOf(schema: Schema): Html | string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1);
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  if (schema.items !== undefined) return html`list of ${typeOf(schema.items)}`;
  if (schema.enum !== undefined) return schema.enum.map(String).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const { type = 'anything', format, minimum, maximum, minLength, maxLength } = schema;
  const isNumber = type === 'integer' || type === 'number';
  const limits = isNumber ? range(minimum, maximum) : range(minLength, maxLength, ' characters');
  const byDefault = schema.default === undefined ? '' : `, by default ${JSON.stringify(schema.default)}`;
  return `${[type].flat().join(' or ')}${format === undefined ? '' : ` (${format})`}${limits}${byDefault}`;
}

function range(from: number | undefined, to: number | undefined, unit = ''): string {
  // What zod calls an integer is one that JavaScript can count with: no limit that anybody needs to know.
  if (to === undefined || to === Number.MAX_SAFE_INTEGER) return '';
  return `, ${from ?? 0} to ${to}${unit}`;
}

/** The document is in Markdown, of which it uses nothing but code; names of problems lead to their pages. */
function withCode(text: string): Html[] {
  return text.split('`').map((part, i) => {
    if (i % 2 === 0) return html`${part}`;
    return isProblem(part, text)
      ? html`<a href="/docs/problems/${part}">${part}</a>`
      : html`<code>${part}</code>`;
  });
}

/** In the descriptions of problems their codes stand in brackets. */
function isProblem(part: string, text: string): boolean {
  return text.includes(`(\`${part}\`)`);
}

function pageOf(title: string, body: Html): string {
  // A promise only where a part is one, and none is.
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title}</title>
        <style>
          ${raw(style)}
        </style>
      </head>
      <body>
        ${body}
      </body>
    </html>`;
  return page as string;
}

const style = `
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0; }
td { border: 1px solid #8884; padding: .2rem .5rem; vertical-align: top; }
h2 { border-bottom: 1px solid; margin-top: 2.5rem; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } a { color: #9cf; } }
`;
