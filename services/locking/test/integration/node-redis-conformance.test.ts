import { clientLibraries } from './client-libraries.ts';
import { describeQueueLock, describeQuorumLock, describeSimpleLock } from './conformance-of-libraries.ts';

const library = clientLibraries['redis'];

describeSimpleLock('redis', library);
describeQueueLock('redis', library);
describeQuorumLock('redis', library);
