import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** What has gone over the sockets of a process. */
export interface Wire {
  /**
   * Writes to sockets, each of which is one round trip: a command that is sent by itself, or several that are sent as
   * one, by a pipeline or a corked socket.
   */
  writes: number;
}

/**
 * Counts what this process writes to all sockets that it opens from now on, whoever opens them: what a library opens
 * for itself (a subscription, a connection of its own) belongs to what its lock costs.
 */
export function countWrites(): Wire {
  const wire: Wire = { writes: 0 };
  subscribe('net.client.socket', (message) => {
    const { socket } = message as { socket: Socket };
    // What goes out at once comes to one of these two at once.
    const { _write: write, _writev: writev } = socket;
    socket._write = (...args) => {
      wire.writes += 1;
      write.apply(socket, args);
    };
    socket._writev = (...args) => {
      wire.writes += 1;
      writev?.apply(socket, args);
    };
  });
  return wire;
}
