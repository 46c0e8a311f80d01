import { queueContract } from '../contracts/queue.ts';
import { queueDestinationsContract } from '../contracts/queue-destinations.ts';
import { testQueue } from '../support/queue.ts';

queueContract(testQueue);
queueDestinationsContract(testQueue);
