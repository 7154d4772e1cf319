import { clientLibraries } from './client-libraries.ts';
import { describeQueueLock, describeSimpleLock } from './conformance-of-libraries.ts';

const library = clientLibraries['redis 5.0.0'];

describeSimpleLock('redis 5.0.0', library);
describeQueueLock('redis 5.0.0', library);
