import { clientLibraries } from './client-libraries.ts';
import { describeQueueLock, describeSimpleLock } from './conformance-of-libraries.ts';

const library = clientLibraries['ioredis 5.0.0'];

describeSimpleLock('ioredis 5.0.0', library);
describeQueueLock('ioredis 5.0.0', library);
