import { UserError } from '@lastseat/infra/stack';

import { startClock, type Scenario } from './scenario.ts';

/** Planned work, which is no reason to fail a request. */

const FEW = 3;
const MORE = 6;
const MANY = 9;

export const scale: Scenario = {
  name: 'scale',
  what: `from ${FEW} to ${MANY} replicas over all nodes, and back`,
  needs: [],
  failsNothing: true,
  replicas: FEW,
  async strike({ stack, signal, note }) {
    const clock = startClock();
    await stack.deploy({ replicas: MANY });
    await stack.untilWhole(MANY, signal);
    const wholeAfterMs = clock();
    const spread = await stack.spread();
    note(`replicas on the nodes: ${spread.join(' + ')}`);
    if (spread.includes(0)) throw new UserError(`a node has no replica: ${spread.join(' + ')}`);
    return { wholeAfterMs };
  },
  async heal({ stack, signal }) {
    await stack.deploy({ replicas: FEW });
    await stack.untilWhole(FEW, signal);
  },
};

export const release: Scenario = {
  name: 'release',
  what: 'an update of all replicas, one after another',
  needs: [],
  failsNothing: true,
  replicas: MORE,
  async strike({ stack, releases, signal }) {
    const clock = startClock();
    await stack.deploy({ image: releases.next });
    await stack.untilWhole(MORE, signal);
    return { wholeAfterMs: clock() };
  },
  async heal({ stack, releases, signal }) {
    await stack.deploy({ image: releases.first });
    await stack.untilWhole(MORE, signal);
  },
};

export const badRelease: Scenario = {
  name: 'bad-release',
  what: 'a release that ends as soon as it is started, and is taken back',
  needs: [],
  failsNothing: true,
  replicas: MORE,
  async strike({ stack, releases, signal, note }) {
    const clock = startClock();
    const refused = await stack.deploy({ image: releases.bad }).then(
      () => null,
      (error: unknown) => (error as Error).message,
    );
    if (!refused?.includes('did not come up'))
      throw new UserError(refused ?? 'a release that cannot start was not taken back');
    note('the bad release was taken back');
    await stack.untilWhole(MORE, signal);
    return { wholeAfterMs: clock() };
  },
  async heal({ stack, releases, signal }) {
    await stack.deploy({ image: releases.first });
    await stack.untilWhole(MORE, signal);
  },
};
