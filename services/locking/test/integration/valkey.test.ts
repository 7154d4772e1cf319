import { chooseServerRuntime, findBinary, startRedis } from '@lastseat/infra/servers';
import { describe } from 'vitest';

import { clientLibraries } from './client-libraries.ts';
import { describeQueueLock } from './conformance-of-libraries.ts';

const missing = findBinary('valkey-server') === null && (await chooseServerRuntime()) !== 'docker';

describe.skipIf(missing)(
  missing ? 'on Valkey (no valkey-server installed, and no Docker engine)' : 'on Valkey',
  () => {
    describeQueueLock('iovalkey', clientLibraries.iovalkey, () => startRedis({ program: 'valkey-server' }));
  },
);
