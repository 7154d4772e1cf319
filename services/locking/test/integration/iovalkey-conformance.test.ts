import { clientLibraries } from './client-libraries.ts';
import { describeQueueLock, describeQuorumLock, describeSimpleLock } from './conformance-of-libraries.ts';

const library = clientLibraries['iovalkey'];

describeSimpleLock('iovalkey', library);
describeQueueLock('iovalkey', library);
describeQuorumLock('iovalkey', library);
