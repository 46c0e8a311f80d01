import { queueControlContract } from '../contracts/queue-control.ts';
import { testQueue } from '../support/queue.ts';

queueControlContract(testQueue);
