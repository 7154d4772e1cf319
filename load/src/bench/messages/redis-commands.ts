/**
 * Counts the commands that a client sends to Redis as they pass: each is an array of strings whose lengths are known
 * beforehand. https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 * @param onCommand told when a command is complete
 */
export function readCommands(onCommand: () => void): (chunk: Buffer) => void {
  /** Of a line that begins an array or a string and that is still incomplete. */
  let line = '';
  let stringsLeft = 0;
  let bytesLeft = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (bytesLeft > 0) {
        const skipped = Math.min(bytesLeft, chunk.length - at);
        bytesLeft -= skipped;
        at += skipped;
        if (bytesLeft > 0) return;
        stringsLeft -= 1;
        if (stringsLeft === 0) onCommand();
        continue;
      }
      const end = chunk.indexOf('\n', at);
      line += chunk.toString('latin1', at, end === -1 ? chunk.length : end + 1);
      if (end === -1) return;
      at = end + 1;
      const number = Number.parseInt(line.slice(1), 10);
      if (line.startsWith('*')) stringsLeft = number;
      else if (line.startsWith('$')) bytesLeft = number + '\r\n'.length;
      else throw new Error(`not a command of Redis: ${JSON.stringify(line)}`);
      line = '';
    }
  };
}
