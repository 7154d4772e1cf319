/**
 * Requests that an OpenAPI document allows, and others that it does not: wrong in one place, as a mistaken or a hostile
 * client is. All is drawn from one seeded source, so that a run can be repeated.
 */

export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
}

interface Parameter {
  in: string;
  name: string;
  required?: boolean;
  schema: JsonSchema;
}

export interface Operation {
  operationId: string;
  method: string;
  path: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: JsonSchema }> };
  responses: Record<string, { content?: Record<string, { schema: JsonSchema }> }>;
}

export interface Document {
  paths: Record<string, Record<string, Omit<Operation, 'method' | 'path'>>>;
  components: { schemas: Record<string, JsonSchema> };
}

export interface Sent {
  operation: Operation;
  path: string;
  init: RequestInit & { method: string; headers: Record<string, string> };
}

/** A number in [0, 1). Mulberry32: small, and good enough to choose by. */
export type Random = () => number;

export function seededRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function operationsOf(document: Document): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) =>
      Object.assign({ method: method.toUpperCase(), path }, operation),
    ),
  );
}

const WRONG_TEXTS = [
  '',
  '0',
  '-1',
  '1.5',
  '1e3',
  '0x1',
  'abc',
  '٣',
  "1'; drop table events --",
  '2147483648',
  '\u0000',
  '%',
  'x'.repeat(3_000),
];
const WRONG_VALUES = [
  null,
  '',
  -1,
  0,
  1.5,
  1e21,
  'abc',
  [],
  {},
  true,
  '\ud800',
  'a\u0000b',
  '\u202Eabc',
  'x'.repeat(300),
];
const WRONG_BODIES: readonly (string | Uint8Array)[] = [
  '{"quantity":',
  '[]',
  'null',
  '"text"',
  '{"quantity":1}{}',
  '{"__proto__":{"quantity":1}}',
  new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
  `{"customer":"${'x'.repeat(20_000)}"}`,
];

/**
 * @param known values for parameters of these names, of which there are some in the database
 */
export function drawRequest(
  random: Random,
  document: Document,
  operation: Operation,
  known: Readonly<Record<string, readonly string[]>>,
): Sent {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  // Half of the requests are well-formed; the others are wrong in about one place.
  const isWellFormed = random() < 0.5;
  const goesWrong = () => !isWellFormed && random() < 0.35;
  const { parameters = [] } = operation;

  const textOf = ({ name, schema }: Parameter): string => {
    if (goesWrong()) return pick(WRONG_TEXTS);
    const own = known[name];
    return own === undefined || own.length === 0 ? String(valueOf(schema)) : pick(own);
  };

  let path = operation.path;
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  for (const parameter of parameters) {
    const { name } = parameter;
    if (parameter.in === 'path')
      path = path.replace(`{${name}}`, encodeURIComponent(textOf(parameter) || '0'));
    if (parameter.in !== 'path' && parameter.required !== true && random() < 0.6) continue;
    if (parameter.in === 'query') query.append(name, textOf(parameter));
    if (parameter.in === 'query' && goesWrong() && random() < 0.3) query.append(name, textOf(parameter));
    if (parameter.in === 'header') headers[name] = latin1(textOf(parameter));
  }
  if (goesWrong() && random() < 0.2) query.append(pick(['unknown', '__proto__', 'limit']), '1');

  const init: Sent['init'] = { method: operation.method, headers };
  const content = operation.requestBody?.content['application/json'];
  if (content !== undefined && random() < 0.9) {
    headers['content-type'] = goesWrong() && random() < 0.3 ? 'text/plain' : 'application/json';
    init.body =
      goesWrong() && random() < 0.4
        ? (pick(WRONG_BODIES) as string)
        : JSON.stringify(bodyOf(resolve(content.schema)));
  }
  const asked = query.size === 0 ? path : `${path}?${query.toString()}`;
  return { operation, path: asked, init };

  function resolve(schema: JsonSchema): JsonSchema {
    const name = schema.$ref?.split('/').at(-1);
    return name === undefined ? schema : (document.components.schemas[name] ?? {});
  }

  function bodyOf({ properties = {}, required = [] }: JsonSchema): Record<string, unknown> {
    const body: Record<string, unknown> = {};
    for (const [name, schema] of Object.entries(properties)) {
      const isLeftOut = required.includes(name) ? goesWrong() && random() < 0.2 : random() < 0.4;
      if (!isLeftOut) body[name] = goesWrong() ? pick(WRONG_VALUES) : valueOf(resolve(schema));
    }
    if (goesWrong() && random() < 0.2) body['tickets'] = 1;
    return body;
  }

  function valueOf(schema: JsonSchema): unknown {
    if (schema.enum !== undefined) return pick(schema.enum);
    const [type] = [schema.type].flat();
    if (type === 'integer' || type === 'number') {
      // Small ones, so that there are tickets for most, and the limits, where mistakes are.
      const { minimum = 0, maximum = 1_000 } = schema;
      return pick([minimum, minimum + 1, Math.min(maximum, minimum + 4), Math.min(maximum, 100)]);
    }
    if (type === 'boolean') return random() < 0.5;
    if (schema.format === 'date-time')
      return pick(['1970-01-01T00:00:00Z', '2020-02-29T23:59:59.999+05:45', '9999-12-31T00:00:00-08:00']);
    if (schema.format === 'uuid') return '01a20a1f-adc1-79b2-9e70-52c6edbaeb9d';
    return pick([
      'ada',
      'Grace Hopper',
      '東京',
      'x'.repeat(schema.minLength ?? 1),
      'x'.repeat(Math.min(schema.maxLength ?? 200, 200)),
    ]);
  }
}

/** What a header may hold. */
function latin1(text: string): string {
  return text
    .replaceAll(/[^\u0020-\u007E\u00A0-\u00FF]/g, '?')
    .trim()
    .slice(0, 400);
}
