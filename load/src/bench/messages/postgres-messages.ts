/**
 * Counts the messages of Postgres's protocol as they pass, without keeping them.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

const HEADER_BYTES = 5; // a type and a length that counts itself
const LENGTH_BYTES = 4;

/**
 * What a client sends: the first message has no type, all others begin with one.
 * @param onMessage told the type of each message once its header is complete
 */
export function readFrontend(onMessage: (type: string) => void): (chunk: Buffer) => void {
  return readMessages(onMessage, { startsUntyped: true });
}

/** What the server sends. */
export function readBackend(onMessage: (type: string) => void): (chunk: Buffer) => void {
  return readMessages(onMessage, { startsUntyped: false });
}

function readMessages(
  onMessage: (type: string) => void,
  { startsUntyped }: { startsUntyped: boolean },
): (chunk: Buffer) => void {
  let isUntyped = startsUntyped;
  let header = Buffer.alloc(0);
  let bodyLeft = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (bodyLeft > 0) {
        const skipped = Math.min(bodyLeft, chunk.length - at);
        bodyLeft -= skipped;
        at += skipped;
        continue;
      }
      const wanted = (isUntyped ? LENGTH_BYTES : HEADER_BYTES) - header.length;
      header = Buffer.concat([header, chunk.subarray(at, at + wanted)]);
      at += wanted;
      if (header.length < (isUntyped ? LENGTH_BYTES : HEADER_BYTES)) return;
      bodyLeft = header.readUInt32BE(header.length - LENGTH_BYTES) - LENGTH_BYTES;
      if (!isUntyped) onMessage(String.fromCharCode(header[0] ?? 0));
      isUntyped = false;
      header = Buffer.alloc(0);
    }
  };
}
