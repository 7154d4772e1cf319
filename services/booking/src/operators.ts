/**
 * Who may do what outside lab mode: lines of `name token scope,scope`, in a file or in the environment.
 *
 *     ada 4f1c9be2d08a47d3 events:write,bookings:read
 *     till-2 b81f06a7c25e4d90 bookings:write
 */

export const SCOPES = ['events:write', 'bookings:read', 'bookings:write'] as const;

/**
 * - `events:write`: create events and change them.
 * - `bookings:read`: see whose bookings they are.
 * - `bookings:write`: cancel the bookings of others, and confirm, extend and give up their holds.
 */
export type Scope = (typeof SCOPES)[number];

export interface Operator {
  name: string;
  token: string;
  scopes: readonly Scope[];
}

/** A shorter one could be guessed over HTTP; another character could not be sent as a bearer token (RFC 6750). */
const isToken = /^[\w.~+/-]{16,}=*$/;

/**
 * @returns what is wrong, line by line, without the tokens; nothing is usable then
 */
export function parseOperators(text: string): { operators: Operator[] } | { problems: string[] } {
  const operators: Operator[] = [];
  const problems: string[] = [];
  for (const [i, line] of text.split(/[\n;]/).entries()) {
    const words = line.trim().split(/\s+/);
    if (line.trim() === '' || line.trim().startsWith('#')) continue;
    const [name = '', token = '', scopes = '', ...rest] = words;
    const problem = problemOf({ name, token, scopes: scopes.split(','), rest }, operators);
    if (problem === undefined) operators.push({ name, token, scopes: scopes.split(',') as Scope[] });
    else problems.push(`line ${i + 1}: ${problem}`);
  }
  return problems.length > 0 ? { problems } : { operators };
}

function problemOf(
  { name, token, scopes, rest }: { name: string; token: string; scopes: string[]; rest: string[] },
  before: readonly Operator[],
): string | undefined {
  if (rest.length > 0) return 'write a name, a token and scopes, with commas and no spaces between them';
  if (!/^[\w.:-]{1,63}$/.test(name))
    return 'name the operator by 1 to 63 letters, digits, "_", ".", ":" or "-"';
  if (!isToken.test(token)) return `give ${name} a token of at least 16 letters, digits and -._~+/`;
  if (!scopes.every((scope) => SCOPES.some((known) => known === scope))) {
    return `give ${name} one or more scopes of ${SCOPES.join(', ')}`;
  }
  if (before.some((other) => other.name === name)) return `name ${name} once`;
  if (before.some((other) => other.token === token)) return `give ${name} a token of its own`;
  return undefined;
}
