const names = new Map<string, string>();

/** Statements that are remembered; the service has some thirty. */
const MAX_NAMES = 200;

/** A short name for a span: `COMMIT`, or what a statement does last to which table. */
export function statementName(text: string): string {
  let name = names.get(text);
  if (name === undefined) {
    name = nameOf(text);
    if (names.size < MAX_NAMES) names.set(text, name);
  }
  return name;
}

function nameOf(text: string): string {
  const [, verb, table] = /\b(insert) into "?(\w+)/i.exec(text) ?? /\b(update) "?(\w+)/i.exec(text) ?? [];
  if (verb !== undefined && !/^select/i.test(text)) return `${verb.toUpperCase()} ${table}`;
  return (/^\w+/.exec(text.trimStart())?.[0] ?? 'query').toUpperCase();
}
