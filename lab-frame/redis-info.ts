/** One number of what INFO tells: `used_memory:123`, or a part of a line such as `cmdstat_publish:calls=5,usec=7`. */
export function readInfo(info: string, field: string, part?: string): number {
  const line = info.split('\r\n').find((candidate) => candidate.startsWith(`${field}:`));
  if (line === undefined) return 0; // a command that was never called has no line
  const value = line.slice(field.length + 1);
  if (part === undefined) return Number(value);
  return Number(new RegExp(`(?:^|,)${part}=(\\d+)`).exec(value)?.[1] ?? 0);
}

export function redisVersion(info: string): string {
  return /^redis_version:(\S+)/m.exec(info)?.[1] ?? 'unknown';
}
