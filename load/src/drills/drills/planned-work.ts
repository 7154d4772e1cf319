import { BREAKS_NO_LOCK, LEFT_AFTER, type Drill } from '../drill.ts';

/** What is done to a healthy system while it sells: no request may fail. */

export const rollingRestart: Drill = {
  name: 'rolling-restart',
  what: 'each replica is restarted in turn while the others serve: no request fails, none is done twice',
  breaks: BREAKS_NO_LOCK,
  failsNothing: true,
  lastsMs: [0, 500],
  floors: { during: 0.1, after: LEFT_AFTER },
  async strike({ cluster, replicas, replica, signal }) {
    const first = replicas.indexOf(replica);
    for (const name of [...replicas.slice(first), ...replicas.slice(0, first)]) {
      if (!signal.aborted) await cluster.restart(name);
    }
  },
  heal: async () => {},
};

export const nginxReload: Drill = {
  name: 'nginx-reload',
  what: 'nginx reads its settings anew: it closes idle connections, so that a request that is just being sent may get no answer',
  breaks: BREAKS_NO_LOCK,
  where: 'nginx',
  lastsMs: [200, 500],
  floors: { during: 0.1, after: LEFT_AFTER },
  strike: ({ cluster }) => cluster.reload('nginx'),
  heal: async () => {},
};

export const scaleUpDown: Drill = {
  name: 'scale-up-down',
  what: 'two replicas join, and the last two leave again: no request fails, none is done twice',
  breaks: BREAKS_NO_LOCK,
  failsNothing: true,
  lastsMs: [500, 1_000],
  floors: { during: 0.1, after: LEFT_AFTER },
  strike: ({ cluster, replicas }) => cluster.scale(replicas.length + 2),
  heal: ({ cluster, replicas }) => cluster.scale(replicas.length),
};
